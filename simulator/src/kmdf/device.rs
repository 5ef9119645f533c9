//! Control devices.

use super::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS,
    file::FileConfig,
    invalid_handle,
    objects::{self, Object},
    required, row,
};
use crate::kernel::{Call, Export, Fails, Irql, lent_memory::LentMemory, memory_functions::UnicodeString};

const STATUS_OBJECT_NAME_COLLISION: u32 = 0xC000_0035;

/// `DEVICE_OBJECT`: its size, its type number, and where its fields are.
const DEVICE_OBJECT: u16 = 336;
const IO_TYPE_DEVICE: u16 = 3;
const SIZE: u64 = 2;
const DRIVER_OBJECT: u64 = 8;
const FLAGS: u64 = 48;
const CHARACTERISTICS: u64 = 52;
const DEVICE_TYPE: u64 = 72;
const STACK_SIZE: u64 = 76;
/// `DEVICE_OBJECT.Flags`: no requests yet.
const DO_DEVICE_INITIALIZING: u32 = 0x80;

/// A `WDFDEVICE_INIT`.
#[derive(Clone, Debug, Default)]
pub(super) struct DeviceInit {
    device_type: u32,
    characteristics: u32,
    /// Its name in the object manager's namespace, such as `\Device\flowtag`.
    pub(super) name: Option<String>,
    /// What becomes of files; `None` when the driver does not hear of them.
    pub(super) files: Option<FileConfig>,
    /// `EvtIoInCallerContext`, or 0.
    pub(super) in_caller_context: u64,
    /// The code that allocated it.
    pub(super) allocated_by: u64,
}

/// A `WDFDEVICE`.
#[derive(Debug)]
pub(super) struct Device {
    /// Its `DEVICE_OBJECT`.
    memory: LentMemory,
    pub(super) init: DeviceInit,
    /// Symbolic links to it, such as `\??\flowtag`.
    pub(super) links: Vec<String>,
    /// Where requests go that nobody sends elsewhere.
    pub(super) default_queue: Option<u64>,
}

impl Device {
    /// Whether the driver has not said yet that it is ready for requests.
    pub(super) fn is_initializing(&self) -> bool {
        self.memory.get::<u32>(FLAGS) & DO_DEVICE_INITIALIZING != 0
    }

    /// Whether it is known by `name`, itself or through a link.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.init.name.iter().chain(&self.links).any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Device objects.
pub const EXPORTS: &[Export] = &[
    row("WdfControlDeviceInitAllocate", Irql::PASSIVE, Fails::Null, allocate_init),
    row("WdfDeviceInitFree", Irql::DISPATCH, Fails::Never, free_init),
    row("WdfDeviceInitSetDeviceType", Irql::DISPATCH, Fails::Never, set_device_type),
    row("WdfDeviceInitSetCharacteristics", Irql::DISPATCH, Fails::Never, set_characteristics),
    row(
        "WdfDeviceCreate",
        Irql::PASSIVE,
        Fails::Status(&[STATUS_INSUFFICIENT_RESOURCES, STATUS_OBJECT_NAME_COLLISION]),
        create,
    ),
    row("WdfControlFinishInitializing", Irql::DISPATCH, Fails::Never, finish_initializing),
    row("WdfDeviceWdmGetDeviceObject", Irql::DISPATCH, Fails::Never, device_object),
];

fn allocate_init(call: &Call<'_>) -> u64 {
    objects::with_object(call, "WDFDRIVER", |object| matches!(object, Object::Driver { .. }).then_some(()));
    let security = UnicodeString::text(call, required(call, 2));
    if !security.contains(':') {
        return 0; // no security descriptor
    }
    let allocated_by = call.caller();
    call.machine.kmdf().with(|state| {
        let address = state.next_handle();
        state.inits.insert(address, DeviceInit { allocated_by, ..DeviceInit::default() });
        address
    })
}

fn free_init(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    take_init(call, required(call, 1));
    0
}

fn take_init(call: &Call<'_>, address: u64) -> DeviceInit {
    let init = call.machine.kmdf().with(|state| state.inits.remove(&address));
    init.unwrap_or_else(|| invalid_handle(call, address, "WDFDEVICE_INIT"))
}

fn set_device_type(call: &Call<'_>) -> u64 {
    let device_type = call.arg_u32(2);
    change_init(call, |init| init.device_type = device_type)
}

fn set_characteristics(call: &Call<'_>) -> u64 {
    let (characteristics, or) = (call.arg_u32(2), call.arg_u8(3) != 0);
    change_init(call, |init| {
        init.characteristics = if or { init.characteristics | characteristics } else { characteristics };
    })
}

pub(super) fn change_init(call: &Call<'_>, change: impl FnOnce(&mut DeviceInit)) -> u64 {
    objects::check_globals(call);
    let address = required(call, 1);
    if call.machine.kmdf().with(|state| state.inits.get_mut(&address).map(change)).is_none() {
        invalid_handle(call, address, "WDFDEVICE_INIT");
    }
    0
}

/// Creates the device; the initialisation block is used up, and the driver's pointer to it cleared.
fn create(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let (init_at, device_at) = (required(call, 1), required(call, 3));
    let attributes = match objects::attributes(call, call.arg(2), true) {
        Ok(attributes) => attributes,
        Err(status) => return status,
    };
    let init = take_init(call, call.read(init_at));
    let memory = LentMemory::zeroed(DEVICE_OBJECT.into());
    memory.set(0, IO_TYPE_DEVICE);
    memory.set(SIZE, DEVICE_OBJECT);
    memory.set(FLAGS, DO_DEVICE_INITIALIZING);
    memory.set(CHARACTERISTICS, init.characteristics);
    memory.set(DEVICE_TYPE, init.device_type);
    memory.set(STACK_SIZE, 1u8);
    let (driver_object, driver) = call
        .machine
        .kmdf()
        .with(|state| state.client.as_ref().map_or((0, None), |client| (client.driver_object, client.driver)));
    memory.set(DRIVER_OBJECT, driver_object);
    let device = Device { memory, init, links: Vec::new(), default_queue: None };
    let device = objects::create(call, Object::Device(Box::new(device)), attributes, driver);
    call.write(init_at, 0u64);
    call.write(device_at, device);
    STATUS_SUCCESS
}

fn finish_initializing(call: &Call<'_>) -> u64 {
    objects::with_object(call, "WDFDEVICE", |object| {
        let Object::Device(device) = object else { return None };
        device.memory.set(FLAGS, device.memory.get::<u32>(FLAGS) & !DO_DEVICE_INITIALIZING);
        Some(())
    });
    0
}

fn device_object(call: &Call<'_>) -> u64 {
    objects::with_object(call, "WDFDEVICE", |object| match object {
        Object::Device(device) => Some(device.memory.address()),
        _ => None,
    })
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
            ("DeviceType", DEVICE_TYPE),
            ("StackSize", STACK_SIZE),
        ] {
            assert_eq!(facts::offset(&facts, "DEVICE_OBJECT", field) as u64, place, "{field}");
        }
    }
}
