//! Queues: their configuration, and which request is presented when.

use std::sync::atomic::Ordering;

use super::{
    io_rig::{
        Device, KEEPS, MANUAL, PARALLEL, SEQUENTIAL, described, evt_canceled_on_queue, evt_control, evt_default,
        evt_purged, queue_config, told_of,
    },
    rig::{attributes, violation},
};
use crate::{computer::Irql, io::File};

const STATUS_CANCELLED: u32 = 0xC000_0120;
const NO_MORE_ENTRIES: u64 = 0x8000_001A;
const INVALID_PARAMETER: u32 = 0xC000_000D;

/// A request that `EvtIoDeviceControl` keeps, or that waits.
fn send(file: &File, code: u32) -> crate::io::Pending {
    file.control(code << 2, &[], &[]).unwrap()
}

fn presented() -> Vec<u64> {
    told_of("control").into_iter().map(|told| told >> 2).collect()
}

#[test]
fn a_manual_queue_keeps_requests_until_they_are_fetched() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    let pending = send(&file, 1);
    assert_eq!(pending.outcome(), None);
    let (queue, mut none) = (device.default_queue(), 1u64);
    let request = device.next(queue);
    assert_eq!(device.rig.wdf("WdfIoQueueRetrieveNextRequest", &[queue, &raw mut none as u64]), NO_MORE_ENTRIES);
    assert_eq!((pending.outcome(), none), (None, 0));
    assert!(!pending.cancel().unwrap(), "the driver has it in hand");
    device.rig.wdf("WdfRequestComplete", &[request, 0]);
    file.close().unwrap();
}

#[test]
fn a_sequential_queue_presents_the_next_request_when_one_is_completed() {
    let device = Device::ready(SEQUENTIAL);
    KEEPS.store(true, Ordering::Relaxed);
    let file = device.open().unwrap();
    let pending = [send(&file, 1), send(&file, 2), send(&file, 3)];
    assert_eq!(presented(), [1]);
    for (count, expected) in [(0, vec![1, 2]), (1, vec![1, 2, 3]), (2, vec![1, 2, 3])] {
        device.rig.wdf("WdfRequestComplete", &[told_of("request")[count], 0]);
        assert_eq!(presented(), expected);
    }
    assert!(pending.iter().all(|pending| pending.outcome().is_some()));
    file.close().unwrap();
}

#[test]
fn a_sequential_queue_presents_the_next_request_when_one_goes_elsewhere() {
    let device = Device::ready(SEQUENTIAL);
    KEEPS.store(true, Ordering::Relaxed);
    let manual = device.queue(MANUAL, false);
    let file = device.open().unwrap();
    let pending = [send(&file, 1), send(&file, 2)];
    device.rig.wdf("WdfRequestForwardToIoQueue", &[told_of("request")[0], manual]);
    assert_eq!(presented(), [1, 2]);
    device.rig.wdf("WdfRequestComplete", &[told_of("request")[1], 0]);
    file.close().unwrap();
    assert_eq!(pending[0].outcome().map(|outcome| outcome.status), Some(STATUS_CANCELLED));
}

#[test]
fn a_sequential_queue_whose_handler_completes_at_once_presents_all() {
    let device = Device::ready(SEQUENTIAL);
    let file = device.open().unwrap();
    let pending = [send(&file, 1), send(&file, 2)];
    assert_eq!(presented(), [1, 2]);
    assert!(pending.iter().all(|pending| pending.outcome().is_some()));
    file.close().unwrap();
}

#[test]
fn a_parallel_queue_presents_as_many_as_it_is_told() {
    let device = Device::new(MANUAL);
    let limited = queue_config(PARALLEL, false);
    limited.set(80, 2u32);
    let (status, queue) = device.try_queue(&limited, 0);
    assert_eq!(status, 0);
    KEEPS.store(true, Ordering::Relaxed);
    device.rig.wdf("WdfControlFinishInitializing", &[device.handle]);
    let file = device.open().unwrap();
    let pending = [send(&file, 1), send(&file, 2), send(&file, 3)];
    for _ in &pending {
        let request = device.next(device.default_queue());
        device.rig.wdf("WdfRequestForwardToIoQueue", &[request, queue]);
    }
    assert_eq!(presented(), [1, 2]);
    for count in 0..3 {
        device.rig.wdf("WdfRequestComplete", &[told_of("request")[count], 0]);
    }
    assert_eq!(presented(), [1, 2, 3]);
    file.close().unwrap();
}

#[test]
fn requests_without_a_handler_of_their_kind_go_to_the_default_one() {
    let device = Device::new(MANUAL);
    let config = queue_config(PARALLEL, false);
    config.set(16, evt_default as *const () as u64);
    config.set(40, 0u64);
    let (_, queue) = device.try_queue(&config, 0);
    device.rig.wdf("WdfControlFinishInitializing", &[device.handle]);
    let file = device.open().unwrap();
    let pending = send(&file, 1);
    let request = device.next(device.default_queue());
    device.rig.wdf("WdfRequestForwardToIoQueue", &[request, queue]);
    assert_eq!(told_of("default"), [request]);
    device.rig.wdf("WdfRequestComplete", &[request, 0]);
    drop(pending);
    file.close().unwrap();
}

#[test]
fn purging_a_queue_cancels_what_waits_and_refuses_what_comes() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    let pending = send(&file, 1);
    device.rig.wdf("WdfIoQueuePurge", &[device.default_queue(), 0, 0]);
    assert_eq!(pending.outcome().map(|outcome| outcome.status), Some(STATUS_CANCELLED));
    assert_eq!(send(&file, 2).outcome().map(|outcome| outcome.status), Some(0xC000_0184));
    file.close().unwrap();
}

#[test]
fn a_purged_queue_is_empty_only_when_the_driver_has_completed_its_requests() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    let pending = send(&file, 1);
    let queue = device.default_queue();
    let request = device.next(queue);
    device.rig.wdf("WdfIoQueuePurge", &[queue, evt_purged as *const () as u64, 42]);
    assert!(told_of("purged").is_empty());
    device.rig.wdf("WdfRequestComplete", &[request, 0]);
    assert_eq!(told_of("purged"), [42]);
    drop(pending);
    file.close().unwrap();
}

#[test]
fn a_second_purge_that_wants_to_be_told_is_a_fatal_error() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    let pending = send(&file, 1);
    let queue = device.default_queue();
    device.next(queue);
    let purge = [queue, evt_purged as *const () as u64, 0];
    device.rig.wdf("WdfIoQueuePurge", &purge);
    assert_eq!(violation(device.rig.try_wdf("WdfIoQueuePurge", &purge)), (0x10D, 0xA));
    drop((pending, file));
}

#[test]
fn forwarding_to_a_purged_queue_leaves_the_request_with_the_driver() {
    let device = Device::ready(PARALLEL);
    KEEPS.store(true, Ordering::Relaxed);
    let manual = device.queue(MANUAL, false);
    let file = device.open().unwrap();
    let pending = send(&file, 1);
    device.rig.wdf("WdfIoQueuePurge", &[manual, 0, 0]);
    let request = told_of("request")[0];
    assert_eq!(device.rig.wdf("WdfRequestForwardToIoQueue", &[request, manual]), 0xC020_0204);
    device.rig.wdf("WdfRequestComplete", &[request, 0]);
    drop(pending);
    file.close().unwrap();
}

#[test]
fn a_request_that_the_driver_had_before_is_cancelled_by_the_driver() {
    let device = Device::ready(PARALLEL);
    KEEPS.store(true, Ordering::Relaxed);
    let config = queue_config(MANUAL, false);
    config.set(72, evt_canceled_on_queue as *const () as u64);
    let (_, queue) = device.try_queue(&config, 0);
    let file = device.open().unwrap();
    let pending = send(&file, 1);
    let request = told_of("request")[0];
    device.rig.wdf("WdfRequestForwardToIoQueue", &[request, queue]);
    assert!(pending.cancel().unwrap());
    assert_eq!((told_of("canceled"), pending.outcome()), (vec![request], None));
    device.rig.wdf("WdfRequestComplete", &[request, STATUS_CANCELLED.into()]);
    file.close().unwrap();
}

#[test]
fn a_passive_queue_presents_on_a_worker_thread_what_is_sent_above_passive_level() {
    let device = Device::ready(MANUAL);
    let passive = attributes();
    passive.set(24, 2u32);
    let (_, queue) = device.try_queue(&queue_config(PARALLEL, false), passive.address());
    let file = device.open().unwrap();
    let pending = send(&file, 1);
    let request = device.next(device.default_queue());
    let forwarded = device.rig.try_wdf_at(Irql::DISPATCH, "WdfRequestForwardToIoQueue", &[request, queue]);
    assert_eq!(forwarded.unwrap(), 0);
    device.rig.machine.workers().wait_until_idle();
    assert!(pending.outcome().is_some());
    file.close().unwrap();
}

#[test]
fn a_queue_has_one_of_three_sizes() {
    let device = Device::new(MANUAL);
    let config = queue_config(PARALLEL, false);
    for (size, status) in [(80u32, 0), (88, 0), (96, 0), (104, 0xC000_0004), (40, 0xC000_0004)] {
        config.set(0, size);
        assert_eq!(device.try_queue(&config, 0).0, status, "{size}");
    }
}

#[test]
fn a_queue_is_configured_without_contradictions() {
    let device = Device::new(MANUAL);
    let status = |dispatch, change: fn(&crate::computer::lent_memory::LentMemory)| {
        let config = queue_config(dispatch, false);
        change(&config);
        device.try_queue(&config, 0).0
    };
    let handler = |config: &crate::computer::lent_memory::LentMemory| config.set(40, evt_control as *const () as u64);
    assert_eq!(status(4, |_| ()), INVALID_PARAMETER);
    assert_eq!(status(PARALLEL, |config| config.set(40, 0u64)), 0xC020_020B);
    assert_eq!(status(MANUAL, handler), INVALID_PARAMETER);
    assert_eq!(status(SEQUENTIAL, |config| config.set(80, 1u32)), INVALID_PARAMETER);
    assert_eq!(status(SEQUENTIAL, |_| ()), 0);
}

#[test]
fn a_queue_that_is_no_default_one_needs_a_place_for_its_handle() {
    let device = Device::new(MANUAL);
    let config = queue_config(PARALLEL, false);
    let arguments = [device.handle, config.address(), 0, 0];
    assert_eq!(device.rig.wdf("WdfIoQueueCreate", &arguments), 0xC000_00F2);
}

#[test]
fn there_is_one_default_queue_and_it_is_made_before_the_device_is_ready() {
    let device = Device::new(MANUAL);
    assert_eq!(device.try_queue(&queue_config(PARALLEL, true), 0).0, 0xC000_0001);
    device.rig.wdf("WdfControlFinishInitializing", &[device.handle]);
    assert_eq!(device.try_queue(&queue_config(PARALLEL, true), 0).0, 0xC000_0184);
}

#[test]
fn a_default_queue_is_the_frameworks_to_delete() {
    let device = Device::new(MANUAL);
    let deleted = device.rig.try_wdf("WdfObjectDelete", &[device.default_queue()]);
    assert_eq!(violation(deleted), (0x1E, 0x8000_0003));
}

#[test]
fn a_queue_belongs_below_its_device() {
    let device = Device::new(MANUAL);
    let driver = device.rig.wdf("WdfDeviceGetDriver", &[device.handle]);
    let config = queue_config(PARALLEL, false);
    assert_eq!(device.try_queue(&config, described(driver, 0, 0).address()).0, 0xC000_0010);
    let item = device.work_item(device.handle, 0, 0);
    assert_eq!(device.try_queue(&config, described(item, 0, 0).address()).0, 0);
}

#[test]
fn a_parallel_queue_is_not_fetched_from() {
    let device = Device::ready(PARALLEL);
    let mut request = 1u64;
    let arguments = [device.default_queue(), &raw mut request as u64];
    assert_eq!(device.rig.wdf("WdfIoQueueRetrieveNextRequest", &arguments), 0xC000_0184);
    assert_eq!(request, 0);
}

#[test]
fn a_sequential_queue_is_fetched_from_only_while_the_driver_has_a_request() {
    let device = Device::ready(SEQUENTIAL);
    let mut request = 0u64;
    let arguments = [device.default_queue(), &raw mut request as u64];
    let fetched = device.rig.try_wdf("WdfIoQueueRetrieveNextRequest", &arguments);
    assert_eq!(violation(fetched), (0x1E, 0x8000_0003));
}

#[test]
fn a_request_is_not_forwarded_to_the_queue_that_it_is_from() {
    let device = Device::ready(PARALLEL);
    KEEPS.store(true, Ordering::Relaxed);
    let file = device.open().unwrap();
    let pending = send(&file, 1);
    let arguments = [told_of("request")[0], device.default_queue()];
    assert_eq!(violation(device.rig.try_wdf("WdfRequestForwardToIoQueue", &arguments)), (0x1E, 0x8000_0003));
    drop((pending, file));
}

#[test]
fn a_queue_with_a_synchronization_scope_stops_the_machine_by_name() {
    let device = Device::new(MANUAL);
    let scope = attributes();
    scope.set(28, 3u32);
    let mut queue = 0u64;
    let config = queue_config(PARALLEL, false);
    let arguments = [device.handle, config.address(), scope.address(), &raw mut queue as u64];
    let stopped = device.rig.try_wdf("WdfIoQueueCreate", &arguments).unwrap_err();
    assert!(stopped.reason().contains("does not model synchronization scopes"), "{stopped}");
}
