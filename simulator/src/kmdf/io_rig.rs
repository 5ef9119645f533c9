//! A small native driver with a named device: its callbacks, and what they were told.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use super::{
    completion::Outcome,
    objects::{Object, State},
    rig::{Rig, attributes, unicode},
};
use crate::{
    computer::{Cpu, lent_memory::LentMemory, memory},
    io::{File, OpenError},
};

pub(super) const SEQUENTIAL: u32 = 1;
pub(super) const PARALLEL: u32 = 2;
pub(super) const MANUAL: u32 = 3;

/// What callbacks were told, of the test that holds it.
static TOLD: Mutex<Vec<(&str, u64)>> = Mutex::new(Vec::new());
/// Tests take turns: callbacks are functions without a test of their own.
static TURN: Mutex<()> = Mutex::new(());
/// The globals and the status that callbacks complete with.
static GLOBALS: AtomicU64 = AtomicU64::new(0);
pub(super) static STATUS: AtomicU64 = AtomicU64::new(0);
/// `EvtIoDeviceControl` keeps its requests.
pub(super) static KEEPS: AtomicBool = AtomicBool::new(false);

pub(super) fn tell(what: &'static str, value: u64) {
    TOLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((what, value));
}

pub(super) fn told() -> Vec<&'static str> {
    TOLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter().map(|(what, _)| *what).collect()
}

pub(super) fn told_of(what: &str) -> Vec<u64> {
    let told = TOLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    told.iter().filter(|(told, _)| *told == what).map(|(_, value)| *value).collect()
}

/// Calls a framework function from driver code.
pub(super) fn wdf(name: &str, arguments: [u64; 3]) -> u64 {
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

pub(super) extern "win64" fn evt_control(_queue: u64, request: u64, output: u64, input: u64, code: u64) {
    tell("control", output << 32 | input << 16 | code);
    tell("request", request);
    if KEEPS.load(Ordering::Relaxed) {
        return;
    }
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

pub(super) extern "win64" fn evt_object_cleanup(object: u64) {
    tell("cleanup", object);
    tell("cleanup at", Cpu::with_current(|cpu| cpu.expect("a CPU").irql().0).into());
}

pub(super) extern "win64" fn evt_destroy(object: u64) {
    tell("destroy", Cpu::with_current(|cpu| cpu.expect("a CPU").irql().0).into());
    tell("destroyed", object);
}

/// `EvtIoDefault` and `EvtIoCanceledOnQueue`.
pub(super) extern "win64" fn evt_default(_queue: u64, request: u64) {
    tell("default", request);
}

pub(super) extern "win64" fn evt_canceled_on_queue(_queue: u64, request: u64) {
    tell("canceled", request);
}

/// `PurgeComplete`.
pub(super) extern "win64" fn evt_purged(_queue: u64, context: u64) {
    tell("purged", context);
}

extern "win64" fn evt_work(item: u64) {
    tell("work", item);
    let in_worker = thread::current().name() == Some("worker");
    tell("in worker", in_worker.into());
}

pub(super) const NAME: &str = r"\Device\test";

pub(super) struct Device {
    pub(super) rig: Rig,
    pub(super) handle: u64,
    #[expect(dead_code, reason = "held for the length of the test")]
    turn: std::sync::MutexGuard<'static, ()>,
}

/// Attributes with the callbacks of this file.
pub(super) fn described(parent: u64, destroy: u64, context_type: u64) -> LentMemory {
    let attributes = attributes();
    attributes.set(8, evt_object_cleanup as *const () as u64);
    attributes.set(16, destroy);
    attributes.set(32, parent);
    attributes.set(48, context_type);
    attributes
}

/// `WDF_IO_QUEUE_CONFIG` as `WDF_IO_QUEUE_CONFIG_INIT` leaves it, with a handler unless it is manual.
pub(super) fn queue_config(dispatch: u32, default: bool) -> LentMemory {
    let config = LentMemory::zeroed(96);
    config.set(0, [96u32, dispatch, 2]);
    config.set(13, u8::from(default));
    if dispatch != MANUAL {
        config.set(40, evt_control as *const () as u64);
    }
    if dispatch == PARALLEL {
        config.set(80, u32::MAX);
    }
    config
}

impl Device {
    pub(super) fn new(dispatch: u32) -> Self {
        Self::told_first(dispatch, 0)
    }

    /// The same, with an `EvtIoInCallerContext` unless it is 0.
    pub(super) fn told_first(dispatch: u32, in_caller_context: u64) -> Self {
        let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        TOLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
        STATUS.store(0, Ordering::Relaxed);
        KEEPS.store(false, Ordering::Relaxed);
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
        // WdfUseDefault, and the class that the initializer of the structure says.
        files.set(32, [2u32, 4]);
        rig.wdf("WdfDeviceInitSetFileObjectConfig", &[init, files.address(), 0]);
        if in_caller_context != 0 {
            rig.wdf("WdfDeviceInitSetIoInCallerContextCallback", &[init, in_caller_context]);
        }
        rig.wdf("WdfDeviceCreate", &[&raw mut init as u64, 0, &raw mut device as u64]);
        let made = Self { rig, handle: device, turn };
        made.queue(dispatch, true);
        GLOBALS.store(made.globals(), Ordering::Relaxed);
        made
    }

    /// The same, ready for files.
    pub(super) fn ready(dispatch: u32) -> Self {
        let device = Self::new(dispatch);
        device.rig.wdf("WdfControlFinishInitializing", &[device.handle]);
        device
    }

    pub(super) fn globals(&self) -> u64 {
        self.rig.machine.kmdf().with(|state| state.client.as_ref().map_or(0, |client| client.globals.address()))
    }

    pub(super) fn queue(&self, dispatch: u32, default: bool) -> u64 {
        let (status, queue) = self.try_queue(&queue_config(dispatch, default), 0);
        assert_eq!(status, 0);
        queue
    }

    pub(super) fn try_queue(&self, config: &LentMemory, attributes: u64) -> (u32, u64) {
        let mut queue = 0u64;
        let arguments = [self.handle, config.address(), attributes, &raw mut queue as u64];
        (self.rig.wdf("WdfIoQueueCreate", &arguments) as u32, queue)
    }

    pub(super) fn default_queue(&self) -> u64 {
        let queue = |state: &mut State| match state.object(self.handle) {
            Some(Object::Device(device)) => device.default_queue,
            _ => None,
        };
        self.rig.machine.kmdf().with(queue).expect("a default queue")
    }

    /// The next request of a queue.
    pub(super) fn next(&self, queue: u64) -> u64 {
        let mut request = 0u64;
        assert_eq!(self.rig.wdf("WdfIoQueueRetrieveNextRequest", &[queue, &raw mut request as u64]), 0);
        request
    }

    pub(super) fn work_item(&self, parent: u64, destroy: u64, context_type: u64) -> u64 {
        let (status, item) = self.try_work_item(&described(parent, destroy, context_type));
        assert_eq!(status, 0);
        item
    }

    pub(super) fn try_work_item(&self, attributes: &LentMemory) -> (u32, u64) {
        let (config, mut item) = (LentMemory::zeroed(24), 0u64);
        config.set(0, 24u32);
        config.set(8, evt_work as *const () as u64);
        let arguments = [config.address(), attributes.address(), &raw mut item as u64];
        (self.rig.wdf("WdfWorkItemCreate", &arguments) as u32, item)
    }

    pub(super) fn open(&self) -> Result<File, OpenError> {
        self.rig.machine.open_file(NAME, 77)
    }

    pub(super) fn control(&self, file: &File, output: &[u8]) -> Option<Outcome> {
        let pending = file.control(0x22_0004, &[1, 2, 3], output).unwrap();
        self.rig.machine.workers().wait_until_idle();
        pending.outcome()
    }
}
