//! Files, requests, queues, work items, contexts and references, by a native driver with a named device.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use super::{
    completion::Outcome,
    tests::{Rig, unicode, violation},
};
use crate::{
    computer::{Cpu, Irql, lent_memory::LentMemory, memory},
    io::{File, OpenError},
};

const SOON: Duration = Duration::from_secs(30);
const PARALLEL: u32 = 2;
const MANUAL: u32 = 3;
const STATUS_CANCELLED: u32 = 0xC000_0120;

/// What callbacks were told, of the test that holds it.
static TOLD: Mutex<Vec<(&str, u64)>> = Mutex::new(Vec::new());
/// Tests take turns: callbacks are functions without a test of their own.
static TURN: Mutex<()> = Mutex::new(());
/// The globals and the status that callbacks complete with.
static GLOBALS: AtomicU64 = AtomicU64::new(0);
static STATUS: AtomicU64 = AtomicU64::new(0);

fn tell(what: &'static str, value: u64) {
    TOLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((what, value));
}

fn told() -> Vec<&'static str> {
    TOLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter().map(|(what, _)| *what).collect()
}

fn told_of(what: &str) -> Vec<u64> {
    let told = TOLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    told.iter().filter(|(told, _)| *told == what).map(|(_, value)| *value).collect()
}

/// Calls a framework function from driver code.
fn wdf(name: &str, arguments: [u64; 3]) -> u64 {
    let slot = (0..458).find(|&slot| super::table::functions()[slot] == name).unwrap();
    // SAFETY: what the table holds are win64 functions; they ignore arguments that they do not have.
    let function: extern "win64" fn(u64, u64, u64, u64) -> u64 =
        unsafe { std::mem::transmute(crate::windows::imports().function_table(super::WDF)[slot]) };
    let [a, b, c] = arguments;
    function(GLOBALS.load(Ordering::Relaxed), a, b, c)
}

extern "win64" fn evt_create(_device: u64, request: u64, file: u64) {
    tell("create", file);
    wdf("WdfRequestComplete", [request, STATUS.load(Ordering::Relaxed), 0]);
}

extern "win64" fn evt_cleanup_file(file: u64) {
    tell("file cleanup", file);
}

extern "win64" fn evt_close(file: u64) {
    tell("close", file);
}

extern "win64" fn evt_control(_queue: u64, request: u64, output: u64, input: u64, code: u64) {
    tell("control", output << 32 | input << 16 | code);
    let (mut address, mut length) = (0u64, 0u64);
    let (address_at, length_at) = (&raw mut address as u64, &raw mut length as u64);
    let slot = (0..458).find(|&slot| super::table::functions()[slot] == "WdfRequestRetrieveOutputBuffer").unwrap();
    // SAFETY: as in `wdf`.
    let retrieve: extern "win64" fn(u64, u64, u64, u64, u64) -> u64 =
        unsafe { std::mem::transmute(crate::windows::imports().function_table(super::WDF)[slot]) };
    let status = retrieve(GLOBALS.load(Ordering::Relaxed), request, 4, address_at, length_at);
    if status == 0 {
        memory::write(address, 0x5EED_u32).expect("the request's buffer");
    }
    wdf("WdfRequestCompleteWithInformation", [request, status, length]);
}

extern "win64" fn evt_object_cleanup(object: u64) {
    tell("cleanup", object);
}

extern "win64" fn evt_destroy(object: u64) {
    tell("destroy", Cpu::with_current(|cpu| cpu.expect("a CPU").irql().0).into());
    tell("destroyed", object);
}

extern "win64" fn evt_work(item: u64) {
    tell("work", item);
    let in_worker = thread::current().name() == Some("worker");
    tell("in worker", in_worker.into());
}

const NAME: &str = r"\Device\test";

struct Device {
    rig: Rig,
    handle: u64,
    #[expect(dead_code, reason = "held for the length of the test")]
    turn: std::sync::MutexGuard<'static, ()>,
}

fn attributes(parent: u64, destroy: u64, passive: bool, context_type: u64) -> LentMemory {
    let attributes = LentMemory::zeroed(56);
    attributes.set(0, 56u32);
    attributes.set(8, evt_object_cleanup as *const () as u64);
    attributes.set(16, destroy);
    attributes.set(24, if passive { 2u32 } else { 1 });
    attributes.set(32, parent);
    attributes.set(48, context_type);
    attributes
}

fn context_type(size: u64) -> LentMemory {
    let kind = LentMemory::zeroed(40);
    kind.set(0, 40u32);
    kind.set(16, size);
    kind
}

impl Device {
    fn new(dispatch: u32) -> Self {
        let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        TOLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
        STATUS.store(0, Ordering::Relaxed);
        let rig = Rig::bound();
        let driver = rig.driver();
        let (mut init, mut device) = (rig.device_init(driver), 0u64);
        let name = LentMemory::utf16(NAME);
        rig.wdf("WdfDeviceInitAssignName", &[init, unicode(&name, 2 * NAME.len()).address()]);
        let files = LentMemory::zeroed(40);
        files.set(0, 40u32);
        files.set(8, evt_create as *const () as u64);
        files.set(16, evt_close as *const () as u64);
        files.set(24, evt_cleanup_file as *const () as u64);
        rig.wdf("WdfDeviceInitSetFileObjectConfig", &[init, files.address(), 0]);
        rig.wdf("WdfDeviceCreate", &[&raw mut init as u64, 0, &raw mut device as u64]);
        let made = Self { rig, handle: device, turn };
        made.queue(dispatch, true);
        GLOBALS.store(made.globals(), Ordering::Relaxed);
        made
    }

    /// The same, ready for files.
    fn ready(dispatch: u32) -> Self {
        let device = Self::new(dispatch);
        device.rig.wdf("WdfControlFinishInitializing", &[device.handle]);
        device
    }

    fn globals(&self) -> u64 {
        self.rig.machine.kmdf().with(|state| state.client.as_ref().map_or(0, |client| client.globals.address()))
    }

    fn queue(&self, dispatch: u32, default: bool) -> u64 {
        let (config, mut queue) = (LentMemory::zeroed(96), 0u64);
        config.set(0, 96u32);
        config.set(4, dispatch);
        config.set(13, u8::from(default));
        config.set(40, evt_control as *const () as u64);
        let arguments = [self.handle, config.address(), 0, &raw mut queue as u64];
        assert_eq!(self.rig.wdf("WdfIoQueueCreate", &arguments), 0);
        queue
    }

    fn work_item(&self, parent: u64, destroy: u64, passive: bool, context_type: u64) -> u64 {
        let (config, mut item) = (LentMemory::zeroed(24), 0u64);
        config.set(0, 24u32);
        config.set(8, evt_work as *const () as u64);
        let attributes = attributes(parent, destroy, passive, context_type);
        let arguments = [config.address(), attributes.address(), &raw mut item as u64];
        assert_eq!(self.rig.wdf("WdfWorkItemCreate", &arguments), 0);
        item
    }

    fn open(&self) -> Result<File, OpenError> {
        self.rig.machine.open_file(NAME, 77)
    }

    fn control(&self, file: &File, output: &[u8]) -> Option<Outcome> {
        let pending = file.control(0x22_0004, &[1, 2, 3], output).unwrap();
        self.rig.machine.workers().wait_until_idle();
        pending.outcome()
    }
}

fn refused(opened: Result<File, OpenError>) -> u32 {
    match opened {
        Err(OpenError::Refused(status)) => status,
        other => panic!("{:?}", other.map(drop)),
    }
}

#[test]
fn a_device_is_found_by_its_name_and_its_link() {
    let device = Device::ready(PARALLEL);
    let link = LentMemory::utf16(r"\??\test");
    device.rig.wdf("WdfDeviceCreateSymbolicLink", &[device.handle, unicode(&link, 16).address()]);
    device.rig.machine.open_file(r"\\.\TEST", 77).unwrap().close().unwrap();
    device.open().unwrap().close().unwrap();
    assert_eq!(refused(device.rig.machine.open_file(r"\\.\other", 77)), 0xC000_0034);
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
fn a_manual_queue_keeps_requests_until_they_are_fetched() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    let pending = file.control(1, &[], &[]).unwrap();
    assert_eq!(pending.outcome(), None);
    let default = device.rig.machine.kmdf().with(|state| state.device_called(NAME).unwrap().1.default_queue.unwrap());
    let (mut request, mut none) = (0u64, 1u64);
    assert_eq!(device.rig.wdf("WdfIoQueueRetrieveNextRequest", &[default, &raw mut request as u64]), 0);
    assert_eq!(device.rig.wdf("WdfIoQueueRetrieveNextRequest", &[default, &raw mut none as u64]), 0x8000_001A);
    assert_eq!(pending.outcome(), None);
    assert!(!pending.cancel().unwrap(), "the driver has it in hand");
    device.rig.wdf("WdfRequestComplete", &[request, 0]);
    file.close().unwrap();
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
fn purging_a_queue_cancels_what_waits_and_refuses_what_comes() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    let pending = file.control(1, &[], &[]).unwrap();
    let default = device.rig.machine.kmdf().with(|state| state.device_called(NAME).unwrap().1.default_queue.unwrap());
    device.rig.wdf("WdfIoQueuePurge", &[default, 0, 0]);
    assert_eq!(pending.outcome().map(|outcome| outcome.status), Some(STATUS_CANCELLED));
    assert_eq!(device.control(&file, &[]).map(|outcome| outcome.status), Some(0xC000_0010));
    file.close().unwrap();
}

#[test]
fn a_request_is_completed_once() {
    let device = Device::ready(MANUAL);
    let file = device.open().unwrap();
    let pending = file.control(1, &[], &[]).unwrap();
    let default = device.rig.machine.kmdf().with(|state| state.device_called(NAME).unwrap().1.default_queue.unwrap());
    let mut request = 0u64;
    device.rig.wdf("WdfIoQueueRetrieveNextRequest", &[default, &raw mut request as u64]);
    device.rig.wdf("WdfRequestComplete", &[request, 0]);
    assert_eq!(pending.wait(SOON).map(|outcome| outcome.status), Some(0));
    assert_eq!(violation(device.rig.try_wdf("WdfRequestComplete", &[request, 0])), (0x10D, 5));
}

#[test]
fn a_context_is_zeroed_and_found_by_its_type() {
    let device = Device::ready(PARALLEL);
    let (kind, other) = (context_type(24), context_type(8));
    let item = device.work_item(device.handle, 0, false, kind.address());
    let context = device.rig.wdf("WdfObjectGetTypedContextWorker", &[item, kind.address()]);
    assert_eq!(memory::read::<[u64; 3]>(context), Ok([0; 3]));
    assert_eq!(device.rig.wdf("WdfObjectGetTypedContextWorker", &[item, other.address()]), 0);
    let (wanted, mut second) = (attributes(0, 0, false, kind.address()), 0u64);
    let arguments = [item, wanted.address(), &raw mut second as u64];
    assert_eq!((device.rig.wdf("WdfObjectAllocateContext", &arguments), second), (0x4000_0000, context));
}

#[test]
fn a_deleted_object_lives_until_its_last_reference_goes() {
    let device = Device::ready(PARALLEL);
    let kind = context_type(8);
    let item = device.work_item(device.handle, evt_destroy as *const () as u64, false, kind.address());
    device.rig.wdf("WdfObjectReferenceActual", &[item, 0, 0, 0]);
    device.rig.wdf("WdfObjectDelete", &[item]);
    assert_eq!(told(), ["cleanup"]);
    assert_ne!(device.rig.wdf("WdfObjectGetTypedContextWorker", &[item, kind.address()]), 0);
    device.rig.wdf("WdfObjectDereferenceActual", &[item, 0, 0, 0]);
    assert_eq!(told(), ["cleanup", "destroy", "destroyed"]);
    assert_eq!(violation(device.rig.try_wdf("WdfObjectReferenceActual", &[item, 0, 0, 0])), (0x10D, 5));
}

#[test]
fn a_reference_that_was_not_taken_cannot_be_given_back() {
    let device = Device::ready(PARALLEL);
    let item = device.work_item(device.handle, 0, false, 0);
    assert_eq!(violation(device.rig.try_wdf("WdfObjectDereferenceActual", &[item, 0, 0, 0])), (0x10D, 7));
}

#[test]
fn an_object_that_wants_passive_level_is_destroyed_there() {
    let device = Device::ready(PARALLEL);
    let item = device.work_item(device.handle, evt_destroy as *const () as u64, true, 0);
    device.rig.wdf("WdfObjectReferenceActual", &[item, 0, 0, 0]);
    device.rig.wdf("WdfObjectDelete", &[item]);
    let dereference = crate::windows::imports().function_table(super::WDF)[206];
    let arguments = [device.globals(), item, 0, 0, 0];
    let dropped =
        device.rig.machine.run(|cpu| cpu.at_irql(Irql::DISPATCH, || cpu.call(dereference, "drop", &arguments)));
    dropped.unwrap();
    device.rig.machine.workers().wait_until_idle();
    assert_eq!(told_of("destroy"), [0]);
}

#[test]
fn children_go_before_their_parent() {
    let device = Device::ready(PARALLEL);
    let parent = device.work_item(device.handle, evt_destroy as *const () as u64, false, 0);
    let child = device.work_item(parent, evt_destroy as *const () as u64, false, 0);
    device.rig.wdf("WdfObjectDelete", &[parent]);
    assert_eq!(told_of("cleanup"), [child, parent]);
    assert_eq!(told_of("destroyed"), [child, parent]);
}

#[test]
fn a_work_item_runs_on_a_worker_thread_and_can_be_waited_for() {
    let device = Device::ready(PARALLEL);
    let item = device.work_item(device.handle, 0, false, 0);
    device.rig.wdf("WdfWorkItemEnqueue", &[item]);
    device.rig.wdf("WdfWorkItemFlush", &[item]);
    assert_eq!((told_of("work"), told_of("in worker")), (vec![item], vec![1]));
    assert_eq!(device.rig.wdf("WdfWorkItemGetParentObject", &[item]), device.handle);
}

#[test]
fn references_that_are_left_at_unload_are_a_leak() {
    let device = Device::ready(PARALLEL);
    let item = device.work_item(device.handle, 0, false, 0);
    device.rig.wdf("WdfObjectReferenceActual", &[item, 0, 0, 0]);
    let leak = device.rig.unbind().unwrap_err();
    assert!(leak.code() == 0xC4 && leak.reason().contains("WDFWORKITEM"), "{leak}");
}
