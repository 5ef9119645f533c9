//! Files, and the requests that programs send, by a native driver with a named device.

use std::{sync::atomic::Ordering, time::Duration};

use super::{
    io_rig::{Device, KEEPS, MANUAL, NAME, PARALLEL, STATUS, told, told_of},
    rig::{unicode, violation},
};
use crate::{
    computer::{lent_memory::LentMemory, memory},
    io::{File, OpenError},
};

const SOON: Duration = Duration::from_secs(30);
const STATUS_CANCELLED: u32 = 0xC000_0120;
const OUTPUT_NEITHER: u32 = 0x22_0007;

fn refused(opened: Result<File, OpenError>) -> u32 {
    match opened {
        Err(OpenError::Refused(status)) => status,
        other => panic!("{:?}", other.map(drop)),
    }
}

fn link(device: &Device, name: &str) -> u32 {
    let text = LentMemory::utf16(name);
    let link = unicode(&text, 2 * name.len());
    device.rig.wdf("WdfDeviceCreateSymbolicLink", &[device.handle, link.address()]) as u32
}

#[test]
fn a_device_is_found_by_its_name_and_its_link() {
    let device = Device::ready(PARALLEL);
    assert_eq!(link(&device, r"\??\test"), 0);
    device.rig.machine.open_file(r"\\.\TEST", 77).unwrap().close().unwrap();
    device.open().unwrap().close().unwrap();
    assert_eq!(refused(device.rig.machine.open_file(r"\\.\other", 77)), 0xC000_0034);
}

#[test]
fn a_link_below_dosdevices_is_found_as_a_program_writes_it() {
    for name in [r"\DosDevices\x", r"\DosDevices\Global\x", r"\??\Global\x"] {
        let device = Device::ready(PARALLEL);
        assert_eq!(link(&device, name), 0);
        for program in [r"\\.\x", r"\\?\x", r"\\.\Global\x"] {
            device.rig.machine.open_file(program, 77).expect(name).close().unwrap();
        }
    }
}

#[test]
fn a_device_has_one_link_and_it_is_not_empty() {
    let device = Device::ready(PARALLEL);
    assert_eq!(link(&device, ""), 0xC000_0010);
    assert_eq!(link(&device, r"\??\test"), 0);
    assert_eq!(link(&device, r"\??\other"), 0xC000_0010);
}

#[test]
fn a_link_whose_name_is_taken_collides() {
    let device = Device::ready(PARALLEL);
    assert_eq!(link(&device, NAME), 0xC000_0035);
}

#[test]
fn a_deleted_device_stays_for_its_files_and_is_not_opened_again() {
    let device = Device::ready(PARALLEL);
    let file = device.open().unwrap();
    device.rig.wdf("WdfObjectDelete", &[device.handle]);
    assert_ne!(device.rig.wdf("WdfDeviceWdmGetDeviceObject", &[device.handle]), 0);
    assert_eq!(refused(device.open()), 0xC000_0034);
    file.close().unwrap();
    assert_eq!(told(), ["create", "file cleanup", "close"]);
    assert_eq!(violation(device.rig.try_wdf("WdfDeviceWdmGetDeviceObject", &[device.handle])), (0x10D, 5));
}

#[test]
fn a_device_that_is_being_initialized_cannot_be_opened() {
    assert_eq!(refused(Device::new(PARALLEL).open()), 0xC000_000E);
}

#[test]
fn a_file_is_created_cleaned_up_and_closed() {
    let device = Device::ready(PARALLEL);
    let file = device.open().unwrap();
    assert_eq!(device.rig.machine.kmdf().open_files(), 1);
    file.close().unwrap();
    assert_eq!((told(), device.rig.machine.kmdf().open_files()), (vec!["create", "file cleanup", "close"], 0));
}

#[test]
fn a_file_that_the_driver_refuses_is_neither_cleaned_up_nor_closed() {
    let device = Device::ready(PARALLEL);
    STATUS.store(0xC000_0022, Ordering::Relaxed);
    assert_eq!(refused(device.open()), 0xC000_0022);
    assert_eq!((told(), device.rig.machine.kmdf().open_files()), (vec!["create"], 0));
}

#[test]
fn a_file_is_the_frameworks_to_delete() {
    let device = Device::ready(PARALLEL);
    let file = device.open().unwrap();
    let handle = told_of("create")[0];
    assert_eq!(violation(device.rig.try_wdf("WdfObjectDelete", &[handle])), (0x1E, 0x8000_0003));
    drop(file);
}

#[test]
fn a_control_request_goes_through_the_default_queue_and_back() {
    let device = Device::ready(PARALLEL);
    let file = device.open().unwrap();
    let outcome = device.control(&file, &[0; 8]).expect("served at once");
    assert_eq!(told_of("control"), [8 << 32 | 3 << 16 | 0x22_0004]);
    assert_eq!((outcome.status, outcome.information, outcome.output[..4].to_vec()), (0, 8, vec![0xED, 0x5E, 0, 0]));
    file.close().unwrap();
}

#[test]
fn a_buffer_that_is_too_small_is_refused() {
    let device = Device::ready(PARALLEL);
    let file = device.open().unwrap();
    assert_eq!(device.control(&file, &[0; 3]).map(|outcome| outcome.status), Some(0xC000_0023));
    file.close().unwrap();
}

#[test]
fn a_buffer_that_the_program_only_points_at_cannot_be_retrieved() {
    let device = Device::ready(PARALLEL);
    let file = device.open().unwrap();
    let pending = file.control(OUTPUT_NEITHER, &[1, 2, 3], &[0; 8]).unwrap();
    assert_eq!(pending.outcome().map(|outcome| outcome.status), Some(0xC000_0010));
    file.close().unwrap();
}

#[test]
fn a_failed_retrieval_leaves_null_and_no_length() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    let pending = file.control(0x22_0004, &[1, 2, 3], &[0; 3]).unwrap();
    let request = device.next(device.default_queue());
    let (mut address, mut length) = (1u64, 1u64);
    let arguments = [request, 4, &raw mut address as u64, &raw mut length as u64];
    assert_eq!(device.rig.wdf("WdfRequestRetrieveInputBuffer", &arguments), 0xC000_0023);
    assert_eq!((address, length), (0, 0));
    device.rig.wdf("WdfRequestComplete", &[request, 0]);
    drop(pending);
    file.close().unwrap();
}

#[test]
fn the_parameters_of_a_request_need_a_structure_of_their_size() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    let pending = file.control(0x22_0004, &[1, 2, 3], &[0; 8]).unwrap();
    let request = device.next(device.default_queue());
    let parameters = LentMemory::zeroed(48);
    parameters.set(0, 40u16);
    parameters.set(32, u64::MAX);
    device.rig.wdf("WdfRequestGetParameters", &[request, parameters.address()]);
    assert_eq!(parameters.get::<[u64; 4]>(8), [8, 3, 0x22_0004, 0]);
    parameters.set(0, 48u16);
    let wrong = device.rig.try_wdf("WdfRequestGetParameters", &[request, parameters.address()]);
    assert_eq!(violation(wrong), (0x1E, 0x8000_0003));
    drop((pending, file));
}

#[test]
fn more_information_than_the_output_buffer_holds_is_a_fatal_error() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    let pending = file.control(0x22_0004, &[], &[0; 8]).unwrap();
    let request = device.next(device.default_queue());
    let completed = device.rig.try_wdf("WdfRequestCompleteWithInformation", &[request, 0, 9]);
    let bug_check = completed.unwrap_err();
    assert_eq!((bug_check.code(), bug_check.parameters()[..2].to_vec()), (0x10D, vec![6, 4]));
    drop((pending, file));
}

#[test]
fn a_status_of_the_frameworks_own_is_translated_for_the_program() {
    let translated = |status: u64| {
        let device = Device::ready(MANUAL);
        let file = device.open().unwrap();
        let pending = file.control(0x22_0004, &[], &[]).unwrap();
        let request = device.next(device.default_queue());
        device.rig.wdf("WdfRequestComplete", &[request, status]);
        file.close().unwrap();
        pending.outcome().expect("completed").status
    };
    assert_eq!([translated(0xC020_0204), translated(0xC020_0201)], [0x8000_0011, 0xC000_00E5]);
    assert_eq!([translated(0xC020_0209), translated(0xC000_00BB)], [0xC000_0010, 0xC000_00BB]);
}

#[test]
fn a_request_is_completed_once() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    let pending = file.control(1, &[], &[]).unwrap();
    let request = device.next(device.default_queue());
    device.rig.wdf("WdfRequestComplete", &[request, 0]);
    assert_eq!(pending.wait(SOON).map(|outcome| outcome.status), Some(0));
    assert_eq!(violation(device.rig.try_wdf("WdfRequestComplete", &[request, 0])), (0x10D, 5));
}

#[test]
fn a_request_that_waits_in_a_queue_is_not_the_drivers_to_complete() {
    let device = Device::ready(PARALLEL);
    KEEPS.store(true, Ordering::Relaxed);
    let manual = device.queue(MANUAL, false);
    let file = device.open().unwrap();
    let pending = file.control(0x22_0004, &[], &[]).unwrap();
    let request = told_of("request")[0];
    assert_eq!(device.rig.wdf("WdfRequestForwardToIoQueue", &[request, manual]), 0);
    let completed = device.rig.try_wdf("WdfRequestComplete", &[request, 0]);
    assert_eq!(violation(completed), (0x1E, 0x8000_0003));
    drop((pending, file));
}

#[test]
fn a_completed_request_that_is_referenced_does_not_keep_its_file() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    let pending = file.control(0x22_0004, &[], &[]).unwrap();
    let request = device.next(device.default_queue());
    device.rig.wdf("WdfObjectReferenceActual", &[request, 0, 0, 0]);
    device.rig.wdf("WdfRequestComplete", &[request, 0]);
    file.close().unwrap();
    assert_eq!(pending.outcome().map(|outcome| outcome.status), Some(0));
    device.rig.wdf("WdfObjectDereferenceActual", &[request, 0, 0, 0]);
}

#[test]
fn closing_a_file_cancels_its_requests_that_wait() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    let pending = file.control(1, &[], &[]).unwrap();
    file.close().unwrap();
    assert_eq!(pending.outcome().map(|outcome| outcome.status), Some(STATUS_CANCELLED));
}

#[test]
fn the_device_object_says_how_reads_and_writes_get_their_buffers() {
    let device = Device::ready(PARALLEL);
    let object = device.rig.wdf("WdfDeviceWdmGetDeviceObject", &[device.handle]);
    // DO_BUFFERED_IO and DO_DEVICE_HAS_NAME.
    assert_eq!(memory::read::<u32>(object + 48), Ok(0x44));
}
