//! That what a driver passes to the framework makes a difference, where no other test shows it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{
    io_rig::{Device, MANUAL, NAME, PARALLEL, described, evt_control, queue_config, wdf},
    rig::violation,
};
use crate::computer::{lent_memory::LentMemory, memory};

#[test]
fn a_work_item_configuration_of_another_size_is_refused() {
    let device = Device::new(PARALLEL);
    let (config, attributes, mut item) = (LentMemory::zeroed(24), described(device.handle, 0, 0), 0u64);
    config.set(8, evt_control as *const () as u64);
    for (size, status) in [(16u32, 0xC000_0004), (24, 0)] {
        config.set(0, size);
        let arguments = [config.address(), attributes.address(), &raw mut item as u64];
        assert_eq!(device.rig.wdf("WdfWorkItemCreate", &arguments), status, "{size}");
    }
}

#[test]
fn a_handle_of_another_kind_is_a_violation() {
    for name in ["WdfDriverWdmGetDriverObject", "WdfDeviceWdmGetDeviceObject", "WdfIoQueuePurge", "WdfWorkItemFlush"] {
        let device = Device::new(MANUAL);
        let item = device.work_item(device.handle, 0, 0);
        let handle = if name == "WdfWorkItemFlush" { device.handle } else { item };
        assert_eq!(violation(device.rig.try_wdf(name, &[handle, 0, 0])), (0x10D, 5), "{name}");
    }
}

#[test]
fn a_handler_of_any_kind_will_do() {
    let device = Device::new(MANUAL);
    // EvtIoRead, EvtIoWrite, EvtIoInternalDeviceControl; and none.
    for (handler, status) in [(24, 0), (32, 0), (48, 0), (56, 0xC020_020B)] {
        let config = queue_config(PARALLEL, false);
        config.set(40, 0u64);
        config.set(handler, evt_control as *const () as u64);
        assert_eq!(device.try_queue(&config, 0).0, status, "{handler}");
    }
}

#[test]
fn the_driver_that_a_queue_is_made_for_is_one() {
    let device = Device::new(MANUAL);
    let config = queue_config(PARALLEL, false);
    config.set(88, device.handle);
    let mut queue = 0u64;
    let arguments = [device.handle, config.address(), 0, &raw mut queue as u64];
    assert_eq!(violation(device.rig.try_wdf("WdfIoQueueCreate", &arguments)), (0x10D, 5));
}

#[test]
fn a_request_ends_with_the_status_and_the_information_given() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    for (status, information) in [(0u32, 5u64), (0xC000_0001, 6)] {
        let pending = file.control(1, &[], &[0; 8]).unwrap();
        let request = device.next(device.default_queue());
        device.rig.wdf("WdfRequestCompleteWithInformation", &[request, status.into(), information]);
        let outcome = pending.outcome().expect("it has been completed");
        assert_eq!((outcome.status, outcome.information), (status, information));
    }
    let pending = file.control(1, &[], &[]).unwrap();
    device.rig.wdf("WdfRequestComplete", &[device.next(device.default_queue()), 0xC000_0022]);
    assert_eq!(pending.outcome().map(|outcome| outcome.status), Some(0xC000_0022));
    file.close().unwrap();
}

/// The request that the callback was told of.
static FIRST: AtomicU64 = AtomicU64::new(0);

extern "win64" fn in_caller_context(device: u64, request: u64) {
    FIRST.store(request, Ordering::Relaxed);
    wdf("WdfDeviceEnqueueRequest", [device, request, 0]);
}

#[test]
fn a_control_request_is_told_to_the_caller_context_callback_first() {
    let device = Device::told_first(MANUAL, in_caller_context as *const () as u64);
    device.rig.wdf("WdfControlFinishInitializing", &[device.handle]);
    let file = device.open().unwrap();
    let pending = file.control(1, &[], &[]).unwrap();
    let request = device.next(device.default_queue());
    assert_eq!(FIRST.load(Ordering::Relaxed), request);
    device.rig.wdf("WdfRequestComplete", &[request, 0]);
    assert!(pending.outcome().is_some());
    file.close().unwrap();
}

#[test]
fn memory_of_the_program_is_locked_where_and_as_far_as_it_says() {
    const LOCK: &str = "WdfRequestProbeAndLockUserBufferForRead";
    let device = Device::ready(MANUAL);
    // The program is the process that calls of this test come from.
    let file = device.rig.machine.open_file(NAME, 4).unwrap();
    let _pending = file.control(1, &[], &[]).unwrap();
    let request = device.next(device.default_queue());
    let (place, mut handle, mut length) = (0u64, 0u64, 0u64);
    let (address, handle_at) = (&raw const place as u64, &raw mut handle as u64);
    assert_eq!(device.rig.wdf(LOCK, &[request, address, 0, handle_at]), 0xC000_00E8);
    assert_eq!(device.rig.wdf(LOCK, &[request, 16, 8, handle_at]), 0xC000_0005);
    assert_eq!(device.rig.wdf(LOCK, &[request, address, 8, handle_at]), 0);
    assert_eq!(device.rig.wdf("WdfMemoryGetBuffer", &[handle, &raw mut length as u64]), address);
    assert_eq!(length, 8);
    assert_eq!(memory::read::<u64>(address), Ok(place));
    device.rig.wdf("WdfRequestComplete", &[request, 0]);
    file.close().unwrap();
}
