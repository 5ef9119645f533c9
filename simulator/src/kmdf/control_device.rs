//! How a control device is reached: its name, symbolic links, files, and who hears of requests first.

use super::{
    OBJECT_ERROR, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS, WDF_VIOLATION,
    device::change_init,
    file::FileConfig,
    objects::{self, Object},
    required, row,
};
use crate::{
    computer::{Call, Export, Fails, Irql},
    kernel::unicode_string::UnicodeString,
};

const STATUS_OBJECT_NAME_COLLISION: u32 = 0xC000_0035;

/// `WDF_FILEOBJECT_CONFIG`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct FileObjectConfig {
    size: u32,
    padding: u32,
    create: u64,
    close: u64,
    cleanup: u64,
    auto_forward: u32,
    class: u32,
}

/// What a control device is set up with.
pub const EXPORTS: &[Export] = &[
    row(
        "WdfDeviceCreateSymbolicLink",
        Irql::PASSIVE,
        Fails::Status(&[STATUS_INSUFFICIENT_RESOURCES, STATUS_OBJECT_NAME_COLLISION]),
        create_symbolic_link,
    ),
    row("WdfDeviceGetDriver", Irql::DISPATCH, Fails::Never, driver),
    row("WdfDeviceInitAssignName", Irql::PASSIVE, Fails::Status(&[STATUS_INSUFFICIENT_RESOURCES]), assign_name),
    row("WdfDeviceInitSetFileObjectConfig", Irql::DISPATCH, Fails::Never, set_file_config),
    row("WdfDeviceInitSetIoInCallerContextCallback", Irql::DISPATCH, Fails::Never, |call| {
        let callback = call.callback(required(call, 2), "EvtDeviceIoInCallerContext");
        change_init(call, |init| init.in_caller_context = callback)
    }),
    // How reads and writes get at their buffers; the codes of control requests say it for themselves.
    row("WdfDeviceInitSetIoType", Irql::DISPATCH, Fails::Never, |call| change_init(call, |_| {})),
];

fn assign_name(call: &Call<'_>) -> u64 {
    let name = if call.arg(2) == 0 { None } else { Some(UnicodeString::text(call, call.arg(2))) };
    change_init(call, |init| init.assign_name(name));
    STATUS_SUCCESS
}

fn set_file_config(call: &Call<'_>) -> u64 {
    let config: FileObjectConfig = call.read(required(call, 2));
    let attributes = objects::attributes(call, call.arg(3), false).ok();
    let attributes = attributes.filter(|_| config.size as usize == size_of::<FileObjectConfig>());
    let Some(attributes) = attributes else {
        call.bug_check(
            WDF_VIOLATION,
            [OBJECT_ERROR, call.arg(1), 0, 0],
            "WdfDeviceInitSetFileObjectConfig was given a structure of another version, or attributes with a parent",
        );
    };
    let create = call.callback(config.create, "EvtDeviceFileCreate");
    let close = call.callback(config.close, "EvtFileClose");
    let cleanup = call.callback(config.cleanup, "EvtFileCleanup");
    change_init(call, |init| init.files = Some(FileConfig { create, close, cleanup, attributes }))
}

fn create_symbolic_link(call: &Call<'_>) -> u64 {
    let link = UnicodeString::text(call, required(call, 2));
    let is_taken = call.machine.kmdf().with(|state| state.device_called(&link).is_some());
    if is_taken {
        return STATUS_OBJECT_NAME_COLLISION.into();
    }
    objects::with_object(call, "WDFDEVICE", |object| {
        let Object::Device(device) = object else { return None };
        device.links.push(link);
        Some(())
    });
    STATUS_SUCCESS
}

fn driver(call: &Call<'_>) -> u64 {
    objects::with_object(call, "WDFDEVICE", |object| matches!(object, Object::Device(_)).then_some(()));
    call.machine.kmdf().with(|state| state.client.as_ref().and_then(|client| client.driver).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::kmdf::facts;

    #[test]
    fn the_layout_of_the_file_configuration_is_that_of_the_facts() {
        let facts = facts::json();
        let offset = |field| facts::offset(&facts, "WDF_FILEOBJECT_CONFIG", field);
        assert_eq!(facts::size(&facts, "WDF_FILEOBJECT_CONFIG"), size_of::<FileObjectConfig>());
        assert_eq!(offset("EvtDeviceFileCreate"), offset_of!(FileObjectConfig, create));
        assert_eq!(offset("EvtFileClose"), offset_of!(FileObjectConfig, close));
        assert_eq!(offset("EvtFileCleanup"), offset_of!(FileObjectConfig, cleanup));
    }
}
