//! The symbolic link to a control device, and whose device it is.

use super::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS,
    device::STATUS_OBJECT_NAME_COLLISION,
    inputs, names,
    objects::{self, Object},
    required, row, string, verifier,
};
use crate::{
    computer::{Call, Export, Fails, Irql},
    kernel::unicode_string::UnicodeString,
};

const STATUS_INVALID_DEVICE_REQUEST: u64 = 0xC000_0010;
const STATUS_INVALID_DEVICE_STATE: u64 = 0xC000_0184;

/// What is done with a control device.
pub const EXPORTS: &[Export] = &[
    row(
        "WdfDeviceCreateSymbolicLink",
        Irql::PASSIVE,
        Fails::Status(&[STATUS_INSUFFICIENT_RESOURCES, STATUS_OBJECT_NAME_COLLISION]),
        create_symbolic_link,
    )
    .with(inputs::CREATE_SYMBOLIC_LINK),
    row("WdfDeviceGetDriver", Irql::DISPATCH, Fails::Never, driver).with(inputs::OF_DEVICE),
];

/// KMDF's fxdeviceapi.cpp, `WdfDeviceCreateSymbolicLink`, and fxdevicekm.cpp, `CreateSymbolicLink`: one link for each device, and
/// none for one whose name was generated.
fn create_symbolic_link(call: &Call<'_>) -> u64 {
    let state = objects::with_object(call, "WDFDEVICE", |object| match object {
        Object::Device(device) => Some((device.link.is_some(), device.init.name.is_some())),
        _ => None,
    });
    let (has_link, has_name) = state;
    let link_at = required(call, 2);
    if call.read::<UnicodeString>(link_at).length == 0 {
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    let link = match verifier::check_passive(call).and_then(|()| string::text(call, link_at)) {
        Ok(link) => names::canonical(&link),
        Err(status) => return status,
    };
    if has_link {
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    if !has_name {
        return STATUS_INVALID_DEVICE_STATE;
    }
    if call.machine.kmdf().with(|state| state.device_called(&link).is_some()) {
        return STATUS_OBJECT_NAME_COLLISION.into();
    }
    objects::with_object(call, "WDFDEVICE", |object| {
        let Object::Device(device) = object else { return None };
        device.link = Some(link);
        Some(())
    });
    STATUS_SUCCESS
}

/// KMDF's fxdeviceapi.cpp, `WdfDeviceGetDriver`.
fn driver(call: &Call<'_>) -> u64 {
    objects::with_object(call, "WDFDEVICE", |object| matches!(object, Object::Device(_)).then_some(()));
    call.machine.kmdf().with(|state| state.client.as_ref().and_then(|client| client.driver).unwrap_or(0))
}
