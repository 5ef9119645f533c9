//! Control devices.

use super::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
    attributes::{Allows, Attributes, Level, Scope},
    device_init::{self, DeviceInit},
    file_config, inputs, life, names,
    objects::{self, Object, State},
    required, row, verifier,
};
use crate::{
    computer::{Call, Cpu, Export, Fails, Irql},
    kernel::device_object::DeviceObject,
};

pub(super) const STATUS_OBJECT_NAME_COLLISION: u32 = 0xC000_0035;
const STATUS_INVALID_SECURITY_DESCR: u64 = 0xC000_0079;
const STATUS_OBJECT_PATH_SYNTAX_BAD: u64 = 0xC000_003B;

/// `DEVICE_OBJECT`: its size, its type number, and where its fields are.
const DEVICE_OBJECT: u16 = 336;
const IO_TYPE_DEVICE: u16 = 3;
const SIZE: u64 = 2;
const DRIVER_OBJECT: u64 = 8;
const FLAGS: u64 = 48;
const CHARACTERISTICS: u64 = 52;
const EXTENSION: u64 = 64;
const DEVICE_TYPE: u64 = 72;
const STACK_SIZE: u64 = 76;
/// `DEVICE_OBJECT.Flags`: it has a name; no requests yet.
const DO_DEVICE_HAS_NAME: u32 = 0x40;
const DO_DEVICE_INITIALIZING: u32 = 0x80;

/// A `WDFDEVICE`.
#[derive(Debug)]
pub(super) struct Device {
    /// Its `DEVICE_OBJECT`.
    memory: DeviceObject,
    pub(super) init: DeviceInit,
    /// What its callbacks get that do not say it themselves: KMDF's fxdevicebase.cpp, `ConfigureConstraints`.
    pub(super) level: Level,
    pub(super) scope: Scope,
    /// The symbolic link to it, such as `\??\flowtag`.
    pub(super) link: Option<String>,
    /// Where requests go that nobody sends elsewhere.
    pub(super) default_queue: Option<u64>,
    /// It cannot be opened any more.
    pub(super) deleted: bool,
    /// The framework has given its device object back, and does not know it any more.
    without_object: bool,
}

impl Device {
    /// Whether the driver has not said yet that it is ready for requests.
    pub(super) fn is_initializing(&self) -> bool {
        self.memory.get::<u32>(FLAGS) & DO_DEVICE_INITIALIZING != 0
    }

    /// Whether it is known by `name`, itself or through its link. (Guess: the name of a deleted device is free at once.)
    pub(super) fn is_called(&self, name: &str) -> bool {
        let name = names::canonical(name);
        !self.deleted && self.init.name.iter().chain(&self.link).any(|known| known.eq_ignore_ascii_case(&name))
    }
}

/// Device objects.
pub const EXPORTS: &[Export] = &[
    row(
        "WdfDeviceCreate",
        Irql::PASSIVE,
        Fails::Status(&[
            STATUS_INSUFFICIENT_RESOURCES,
            STATUS_OBJECT_NAME_COLLISION,
            STATUS_INVALID_SECURITY_DESCR as u32,
        ]),
        create,
    )
    .with(inputs::DEVICE_CREATE),
    row("WdfControlFinishInitializing", Irql::DISPATCH, Fails::Never, finish_initializing).with(inputs::OF_DEVICE),
    row("WdfDeviceWdmGetDeviceObject", Irql::DISPATCH, Fails::Never, device_object).with(inputs::OF_DEVICE),
];

/// Creates the device; the initialisation block is used up, and the driver's pointer to it cleared. After a failure it
/// stays the driver's.
///
/// KMDF's fxdeviceapi.cpp, `WdfDeviceCreate`, and fxdevice.cpp, `_Create` and `CreateDevice`: with a security descriptor the
/// device must have a name; a text that is no descriptor, and a name that is taken or does not begin at the root, are found by
/// `IoCreateDeviceSecure`. Guess: the first of these answers `STATUS_INVALID_PARAMETER`. Simplification: of the text only that
/// it has any part (`O:`, `G:`, `D:`, `S:`) is looked at.
fn create(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let init_at = required(call, 1);
    let address: u64 = call.read(init_at);
    device_init::required(call, address);
    let device_at = required(call, 3);
    call.write(device_at, 0u64);
    let attributes =
        verifier::check_passive(call).and_then(|()| Attributes::read(call, call.arg(2), Allows::CALLBACKS));
    let attributes = match attributes {
        Ok(attributes) => attributes,
        Err(status) => return status,
    };
    let init = device_init::copy(call, address);
    if !init.has_name() {
        return STATUS_INVALID_SECURITY_DESCR;
    }
    match add(call, init, attributes) {
        Ok(device) => {
            device_init::take(call, address);
            call.write(init_at, 0u64);
            call.write(device_at, device);
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// What `IoCreateDeviceSecure` looks at.
fn check_name_and_security(call: &Call<'_>, init: &DeviceInit) -> Result<(), u64> {
    if !init.security.contains(':') {
        return Err(STATUS_INVALID_PARAMETER);
    }
    let Some(name) = &init.name else { return Ok(()) };
    if !name.starts_with('\\') {
        return Err(STATUS_OBJECT_PATH_SYNTAX_BAD);
    }
    let is_taken = call.machine.kmdf().with(|state| state.device_called(name).is_some());
    if is_taken { Err(STATUS_OBJECT_NAME_COLLISION.into()) } else { Ok(()) }
}

/// The driver that a device is to belong to.
struct Parent {
    object: u64,
    handle: u64,
    level: Level,
    scope: Scope,
    is_at_least_1_11: bool,
}

fn parent(state: &mut State) -> Option<Parent> {
    let client = state.client.as_ref()?;
    let (object, handle, is_at_least_1_11) = (client.driver_object, client.driver?, client.is_at_least(11));
    match state.object(handle) {
        Some(&Object::Driver { level, scope, .. }) => Some(Parent { object, handle, level, scope, is_at_least_1_11 }),
        _ => None,
    }
}

fn add(call: &Call<'_>, mut init: DeviceInit, attributes: Attributes) -> Result<u64, u64> {
    let driver = call.machine.kmdf().with(parent).expect("an init is allocated with the driver's handle");
    let level = if attributes.level == Level::Inherited { driver.level } else { attributes.level };
    let scope = if attributes.scope == Scope::Inherited { driver.scope } else { attributes.scope };
    if let Some(files) = init.files {
        init.files = Some(file_config::constrained(call, files, (level, scope), driver.is_at_least_1_11)?);
    }
    check_name_and_security(call, &init)?;
    let memory = call.machine.device_objects().create(DEVICE_OBJECT.into());
    memory.set(0, IO_TYPE_DEVICE);
    memory.set(SIZE, DEVICE_OBJECT);
    memory.set(DRIVER_OBJECT, driver.object);
    memory.set(FLAGS, DO_DEVICE_INITIALIZING | DO_DEVICE_HAS_NAME | init.io_type.flags());
    memory.set(CHARACTERISTICS, init.characteristics);
    memory.set(DEVICE_TYPE, init.device_type);
    memory.set(STACK_SIZE, 1u8);
    let device =
        Device { memory, init, level, scope, link: None, default_queue: None, deleted: false, without_object: false };
    let handle = objects::create(call, Object::Device(Box::new(device)), attributes, Some(driver.handle))?;
    point_at_context(call, handle);
    Ok(handle)
}

/// The device extension is the first context: KMDF's fxdevice.cpp, `CreateDevice`.
fn point_at_context(call: &Call<'_>, handle: u64) {
    call.machine.kmdf().with(|state| {
        let Some(entry) = state.objects.get(&handle) else { return };
        let context = entry.contexts.first().map_or(0, |context| context.at);
        if let Object::Device(device) = &entry.object {
            device.memory.set(EXTENSION, context);
        }
    });
}

/// KMDF's fxdevicecontrolapi.cpp.
fn finish_initializing(call: &Call<'_>) -> u64 {
    objects::with_object(call, "WDFDEVICE", |object| {
        let Object::Device(device) = object else { return None };
        device.memory.set(FLAGS, device.memory.get::<u32>(FLAGS) & !DO_DEVICE_INITIALIZING);
        Some(())
    });
    0
}

/// KMDF's fxdeviceapikm.cpp: NULL for a device that only the driver's references keep.
fn device_object(call: &Call<'_>) -> u64 {
    objects::with_object(call, "WDFDEVICE", |object| match object {
        Object::Device(device) => Some(if device.without_object { 0 } else { device.memory.address() }),
        _ => None,
    })
}

/// Deletes the device object of a device that the driver deletes, and says whether the rest waits for the last file: KMDF's
/// fxdevice.cpp, `DeleteObject`; fxpkggeneral.cpp, `CanDestroyControlDevice`. The memory of the device object stays until the
/// device is destroyed.
pub(super) fn outlives_deletion(cpu: &Cpu, handle: u64) -> bool {
    cpu.machine().kmdf().with(|state| {
        if let Some(Object::Device(device)) = state.object_mut(handle) {
            device.deleted = true;
        }
        state.has_files(handle)
    })
}

/// A file has gone: with the last one of a device that was deleted goes that device.
pub(super) fn file_has_gone(cpu: &Cpu, handle: u64) {
    let waits = |state: &mut State| {
        let deleted = matches!(state.object(handle), Some(Object::Device(device)) if device.deleted);
        deleted && !state.has_files(handle)
    };
    if cpu.machine().kmdf().with(waits) {
        life::delete(cpu, handle);
    }
}

/// What a device does last on its way out, behind its cleanup callback: device object and link go. KMDF's fxdevice.cpp,
/// `Dispose`, and fxdevicekm.cpp, `Destroy`. Other objects have none.
pub(super) fn dispose(cpu: &Cpu, handle: u64) {
    cpu.machine().kmdf().with(|state| {
        if let Some(Object::Device(device)) = state.object_mut(handle) {
            (device.deleted, device.without_object) = (true, true);
            device.link = None;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kmdf::facts;

    #[test]
    fn the_layout_of_a_device_object_is_that_of_the_facts() {
        let facts = facts::json();
        assert_eq!(facts::size(&facts, "DEVICE_OBJECT"), usize::from(DEVICE_OBJECT));
        for (field, place) in [
            ("Size", SIZE),
            ("DriverObject", DRIVER_OBJECT),
            ("Flags", FLAGS),
            ("Characteristics", CHARACTERISTICS),
            ("DeviceExtension", EXTENSION),
            ("DeviceType", DEVICE_TYPE),
            ("StackSize", STACK_SIZE),
        ] {
            assert_eq!(facts::offset(&facts, "DEVICE_OBJECT", field) as u64, place, "{field}");
        }
    }
}
