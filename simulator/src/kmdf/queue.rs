//! Queues of requests.
//!
//! Parallel and manual ones; sequential queues are not modelled. A parallel queue presents a request on the thread that
//! sends it, at once.

use std::collections::VecDeque;

use super::{
    STATUS_INFO_LENGTH_MISMATCH, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
    objects::{self, Object},
    request, required, row,
};
use crate::computer::{Call, Cpu, Export, Fails, Irql};

const STATUS_NO_MORE_ENTRIES: u32 = 0x8000_001A;
const STATUS_INVALID_DEVICE_REQUEST: u32 = 0xC000_0010;
const STATUS_CANCELLED: u32 = 0xC000_0120;
const STATUS_WDF_BUSY: u32 = 0xC020_0202;

/// `WdfIoQueueDispatchParallel` and `WdfIoQueueDispatchManual`.
const PARALLEL: u32 = 2;
const MANUAL: u32 = 3;

/// `WDF_IO_QUEUE_CONFIG`, as far as it reaches since its first version.
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
}

/// Its size in KMDF 1.9 and since 1.11.
const SIZES: [u32; 2] = [88, 96];

/// A `WDFQUEUE`.
#[derive(Debug)]
pub(super) struct Queue {
    manual: bool,
    /// `EvtIoDeviceControl`, or 0.
    device_control: u64,
    /// Requests that nobody has taken out.
    waiting: VecDeque<u64>,
    /// It takes no more requests.
    purged: bool,
}

/// Queues.
pub const EXPORTS: &[Export] = &[
    row("WdfDeviceEnqueueRequest", Irql::DISPATCH, Fails::Status(&[STATUS_INVALID_DEVICE_REQUEST]), enqueue),
    row("WdfIoQueueCreate", Irql::DISPATCH, Fails::Status(&[STATUS_INSUFFICIENT_RESOURCES]), create),
    row("WdfIoQueuePurge", Irql::DISPATCH, Fails::Never, purge),
    row("WdfIoQueueRetrieveNextRequest", Irql::DISPATCH, Fails::Status(&[STATUS_NO_MORE_ENTRIES]), next_request),
    row("WdfRequestForwardToIoQueue", Irql::DISPATCH, Fails::Status(&[STATUS_WDF_BUSY]), forward),
];

fn create(call: &Call<'_>) -> u64 {
    objects::check_globals(call);
    let (device, queue_at) = (call.arg(1), call.arg(4));
    let config: Config = call.read(required(call, 2));
    if !SIZES.contains(&config.size) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    if ![PARALLEL, MANUAL].contains(&config.dispatch_type) {
        return STATUS_INVALID_PARAMETER;
    }
    let attributes = match objects::attributes(call, call.arg(3), true) {
        Ok(attributes) => attributes,
        Err(status) => return status,
    };
    objects::with_object(call, "WDFDEVICE", |object| matches!(object, Object::Device(_)).then_some(()));
    let manual = config.dispatch_type == MANUAL;
    let device_control = call.callback(config.device_control, "EvtIoDeviceControl");
    let queue = Queue { manual, device_control, waiting: VecDeque::new(), purged: false };
    let queue = objects::create(call, Object::Queue(queue), attributes, Some(device));
    if config.default_queue != 0 {
        objects::with_object(call, "WDFDEVICE", |object| {
            let Object::Device(device) = object else { return None };
            device.default_queue = Some(queue);
            Some(())
        });
    }
    if queue_at != 0 {
        call.write(queue_at, queue);
    }
    STATUS_SUCCESS
}

/// `WdfDeviceEnqueueRequest`: to the device's default queue.
fn enqueue(call: &Call<'_>) -> u64 {
    let request = call.arg(2);
    let queue = objects::with_object(call, "WDFDEVICE", |object| match object {
        Object::Device(device) => Some(device.default_queue),
        _ => None,
    });
    objects::with_object_of(call, request, "WDFREQUEST", |object| matches!(object, Object::Request(_)).then_some(()));
    let Some(queue) = queue else { return STATUS_INVALID_DEVICE_REQUEST.into() };
    send(call.cpu, queue, request).map_or_else(u64::from, |()| STATUS_SUCCESS)
}

/// Puts a request into a queue, or presents it where the queue does that.
pub(super) fn send(cpu: &Cpu, queue: u64, request: u64) -> Result<(), u32> {
    let present = cpu.machine().kmdf().with(|state| {
        let Some(Object::Queue(queue)) = state.object_mut(queue) else { return Err(STATUS_WDF_BUSY) };
        if queue.purged {
            return Err(STATUS_WDF_BUSY);
        }
        if queue.manual {
            queue.waiting.push_back(request);
        }
        Ok((!queue.manual).then_some(queue.device_control))
    })?;
    match present {
        None => {}
        Some(0) => request::complete(cpu, request, STATUS_INVALID_DEVICE_REQUEST, 0),
        Some(handler) => {
            let [output, input, code] = request::control_parameters(cpu, request).unwrap_or_default();
            cpu.call(handler, "EvtIoDeviceControl", &[queue, request, output, input, code]);
        }
    }
    Ok(())
}

/// `WdfRequestForwardToIoQueue`.
fn forward(call: &Call<'_>) -> u64 {
    let queue = call.arg(2);
    objects::with_object(call, "WDFREQUEST", |object| matches!(object, Object::Request(_)).then_some(()));
    objects::with_object_of(call, queue, "WDFQUEUE", |object| matches!(object, Object::Queue(_)).then_some(()));
    send(call.cpu, queue, call.arg(1)).map_or_else(u64::from, |()| STATUS_SUCCESS)
}

fn next_request(call: &Call<'_>) -> u64 {
    let request_at = required(call, 2);
    let next = objects::with_object(call, "WDFQUEUE", |object| match object {
        Object::Queue(queue) => Some(queue.waiting.pop_front()),
        _ => None,
    });
    call.write(request_at, next.unwrap_or(0));
    if next.is_some() { STATUS_SUCCESS } else { STATUS_NO_MORE_ENTRIES.into() }
}

/// Takes no more requests and cancels those that wait.
fn purge(call: &Call<'_>) -> u64 {
    objects::with_object(call, "WDFQUEUE", |object| matches!(object, Object::Queue(_)).then_some(()));
    let (queue, context) = (call.arg(1), call.arg(3));
    let callback = call.callback(call.arg(2), "PurgeComplete");
    cancel_all(call.cpu, queue);
    if callback != 0 {
        call.cpu.call(callback, "PurgeComplete", &[queue, context]);
    }
    0
}

/// Purges a queue; other objects have nothing to purge.
pub(super) fn cancel_all(cpu: &Cpu, queue: u64) {
    let waiting = cpu.machine().kmdf().with(|state| match state.object_mut(queue) {
        Some(Object::Queue(queue)) => {
            queue.purged = true;
            std::mem::take(&mut queue.waiting)
        }
        _ => VecDeque::new(),
    });
    for request in waiting {
        request::complete(cpu, request, STATUS_CANCELLED, 0);
    }
}

/// Takes `request` out of the queue that it waits in; false when it waits in none.
pub(super) fn take_out(cpu: &Cpu, request: u64) -> bool {
    cpu.machine().kmdf().with(|state| {
        let queues = state.objects.values_mut().filter_map(|entry| match &mut entry.object {
            Object::Queue(queue) => Some(queue),
            _ => None,
        });
        queues.into_iter().any(|queue| {
            let place = queue.waiting.iter().position(|&waiting| waiting == request);
            place.map(|place| queue.waiting.remove(place)).is_some()
        })
    })
}

/// Cancels a request that waits in a queue; false when the driver has it in hand.
pub(super) fn cancel(cpu: &Cpu, request: u64) -> bool {
    let waited = take_out(cpu, request);
    if waited {
        request::complete(cpu, request, STATUS_CANCELLED, 0);
    }
    waited
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
        assert_eq!(facts::size(&facts, "WDF_IO_QUEUE_CONFIG"), SIZES[1] as usize);
        assert_eq!(offset("Driver"), SIZES[0] as usize, "the field that came with 1.11");
        assert_eq!(offset("DispatchType"), offset_of!(Config, dispatch_type));
        assert_eq!(offset("DefaultQueue"), offset_of!(Config, default_queue));
        assert_eq!(offset("EvtIoDeviceControl"), offset_of!(Config, device_control));
    }
}
