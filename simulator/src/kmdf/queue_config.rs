//! `WDF_IO_QUEUE_CONFIG` and `WdfIoQueueCreate`.

use super::{
    STATUS_INFO_LENGTH_MISMATCH, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
    attributes::{Allows, Attributes, Level, Scope},
    inputs, life,
    objects::{self, Object, State},
    queue::{Handlers, Kind, Queue},
    required, row,
};
use crate::computer::{Call, Export, Fails, Irql};

const STATUS_UNSUCCESSFUL: u64 = 0xC000_0001;
const STATUS_INVALID_DEVICE_REQUEST: u64 = 0xC000_0010;
const STATUS_INVALID_PARAMETER_4: u64 = 0xC000_00F2;
const STATUS_INVALID_DEVICE_STATE: u64 = 0xC000_0184;
const STATUS_WDF_NO_CALLBACK: u64 = 0xC020_020B;

/// `WDF_IO_QUEUE_DISPATCH_TYPE`.
const SEQUENTIAL: u32 = 1;
const PARALLEL: u32 = 2;
const MANUAL: u32 = 3;

/// `WDF_TRI_STATE`: the highest value. A control device has no power to manage, whatever the driver says.
const USE_DEFAULT: u32 = 2;

/// `WDF_IO_QUEUE_CONFIG` of KMDF 1.7 and before.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Config {
    size: u32,
    dispatch_type: u32,
    power_managed: u32,
    allow_zero_length: u8,
    default_queue: u8,
    padding: u16,
    default_handler: u64,
    read: u64,
    write: u64,
    device_control: u64,
    internal_control: u64,
    stop: u64,
    resume: u64,
    canceled_on_queue: u64,
}

/// What KMDF 1.9 and 1.11 added, each at the end of the structure before it (fxversionedstructures.h).
const PRESENTED_REQUESTS: u64 = 80;
const DRIVER: u64 = 88;
const SIZES: [u32; 3] = [80, 88, 96];

/// Making queues.
pub const EXPORTS: &[Export] =
    &[row("WdfIoQueueCreate", Irql::DISPATCH, Fails::Status(&[STATUS_INSUFFICIENT_RESOURCES]), create)
        .with(inputs::QUEUE_CREATE)];

/// KMDF's fxioqueueapi.cpp, `WdfIoQueueCreate`; fxpkgio.cpp, `CreateQueue` and `InitializeDefaultQueue`. In its order.
fn create(call: &Call<'_>) -> u64 {
    let initializing = objects::with_object(call, "WDFDEVICE", |object| match object {
        Object::Device(device) => Some(device.is_initializing()),
        _ => None,
    });
    let config_at = required(call, 2);
    let queue_at = call.arg(4);
    let attributes = match Attributes::read(call, call.arg(3), Allows::CALLBACKS_AND_PARENT) {
        Ok(attributes) => attributes,
        Err(status) => return status,
    };
    if !SIZES.contains(&call.read(config_at)) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    let config: Config = call.read(config_at);
    let is_default = config.default_queue != 0;
    if !is_default && queue_at == 0 {
        return STATUS_INVALID_PARAMETER_4;
    }
    if is_default && !initializing {
        return STATUS_INVALID_DEVICE_STATE;
    }
    let made = check_parent(call, attributes)
        .and_then(|()| configured(call, config_at, &config, attributes))
        .and_then(|queue| objects::create(call, Object::Queue(queue), attributes, Some(call.arg(1))));
    let queue = match made {
        Ok(queue) => queue,
        Err(status) => return status,
    };
    if is_default && !make_default(call, queue) {
        life::delete_unseen(call.cpu, queue);
        return STATUS_UNSUCCESSFUL;
    }
    if queue_at != 0 {
        call.write(queue_at, queue);
    }
    STATUS_SUCCESS
}

/// A parent that the driver names must be the device or below it.
fn check_parent(call: &Call<'_>, attributes: Attributes) -> Result<(), u64> {
    let Some(parent) = attributes.parent else { return Ok(()) };
    objects::with_object_of(call, parent, "parent object", |_| Some(()));
    let device = call.machine.kmdf().with(|state| state.device_of(parent));
    if device == Some(call.arg(1)) { Ok(()) } else { Err(STATUS_INVALID_DEVICE_REQUEST) }
}

/// KMDF's fxioqueue.cpp, `Initialize` and `ConfigureConstraints`. Simplification: no callbacks are kept from running at once,
/// so a queue that wants that stops the machine.
fn configured(call: &Call<'_>, config_at: u64, config: &Config, attributes: Attributes) -> Result<Queue, u64> {
    if config.size > SIZES[1] {
        let driver: u64 = call.read(config_at + DRIVER);
        if driver != 0 {
            objects::with_object_of(call, driver, "WDFDRIVER", |object| {
                matches!(object, Object::Driver { .. }).then_some(())
            });
        }
    }
    let level = constraints(call, attributes)?;
    if ![SEQUENTIAL, PARALLEL, MANUAL].contains(&config.dispatch_type) {
        return Err(STATUS_INVALID_PARAMETER);
    }
    let specific = [config.read, config.write, config.device_control, config.internal_control];
    let is_handled = config.default_handler != 0 || specific.iter().any(|&handler| handler != 0);
    match config.dispatch_type == MANUAL {
        false if !is_handled => return Err(STATUS_WDF_NO_CALLBACK),
        true if is_handled => return Err(STATUS_INVALID_PARAMETER),
        _ => {}
    }
    let presented = if config.size > SIZES[0] { Some(call.read::<u32>(config_at + PRESENTED_REQUESTS)) } else { None };
    let kind = match (config.dispatch_type, presented) {
        (PARALLEL, most) => Kind::Parallel(most.unwrap_or(u32::MAX)),
        (_, Some(1..)) => return Err(STATUS_INVALID_PARAMETER),
        (SEQUENTIAL, _) => Kind::Sequential,
        _ => Kind::Manual,
    };
    if config.power_managed > USE_DEFAULT {
        call.not_modelled(&format!("{} for PowerManaged of a queue", config.power_managed));
    }
    let handlers = Handlers {
        control: call.callback(config.device_control, "EvtIoDeviceControl"),
        default: call.callback(config.default_handler, "EvtIoDefault"),
        canceled_on_queue: call.callback(config.canceled_on_queue, "EvtIoCanceledOnQueue"),
    };
    Ok(Queue::new(kind, handlers, call.arg(1), level == Level::Passive))
}

/// The level at which the queue's callbacks run: its own, or the device's.
fn constraints(call: &Call<'_>, attributes: Attributes) -> Result<Level, u64> {
    let of_device = objects::with_object(call, "WDFDEVICE", |object| match object {
        Object::Device(device) => Some((device.level, device.scope)),
        _ => None,
    });
    let level = if attributes.level == Level::Inherited { of_device.0 } else { attributes.level };
    let scope = if attributes.scope == Scope::Inherited { of_device.1 } else { attributes.scope };
    match scope {
        Scope::Device if level != of_device.0 => Err(STATUS_INVALID_PARAMETER),
        Scope::Device | Scope::Queue => call.not_modelled("synchronization scopes: a queue has one"),
        _ => Ok(level),
    }
}

/// Makes the queue the device's default one; false when it has one.
fn make_default(call: &Call<'_>, queue: u64) -> bool {
    call.machine.kmdf().with(|state: &mut State| {
        let Some(Object::Device(device)) = state.object_mut(call.arg(1)) else { return false };
        if device.default_queue.is_some() {
            return false;
        }
        device.default_queue = Some(queue);
        if let Some(Object::Queue(queue)) = state.object_mut(queue) {
            queue.is_default = true;
        }
        true
    })
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::kmdf::facts;

    #[test]
    fn the_layout_of_the_queue_configuration_is_that_of_the_facts() {
        let facts = facts::json();
        let offset = |field| facts::offset(&facts, "WDF_IO_QUEUE_CONFIG", field);
        assert_eq!(facts::size(&facts, "WDF_IO_QUEUE_CONFIG"), SIZES[2] as usize);
        assert_eq!(SIZES[0] as usize, size_of::<Config>());
        assert_eq!(offset("Settings.Parallel.NumberOfPresentedRequests") as u64, PRESENTED_REQUESTS);
        assert_eq!(offset("Driver") as u64, DRIVER);
        assert_eq!(offset("DispatchType"), offset_of!(Config, dispatch_type));
        assert_eq!(offset("DefaultQueue"), offset_of!(Config, default_queue));
        assert_eq!(offset("EvtIoDefault"), offset_of!(Config, default_handler));
        assert_eq!(offset("EvtIoDeviceControl"), offset_of!(Config, device_control));
        assert_eq!(offset("EvtIoCanceledOnQueue"), offset_of!(Config, canceled_on_queue));
    }
}
