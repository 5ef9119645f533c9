//! Windows' functions where there are none, for tests: a machine of which a test says what it has and what fails, and which notes what
//! it is asked. Each has the name that the linker looks for.
//!
//! It knows what the pages say: a session has a name and runs until it is stopped, its events are for whoever has opened it, and
//! `ProcessTrace` of a session returns when that has been stopped.

use std::{
    cell::Cell,
    ffi::c_void,
    mem::take,
    ptr,
    sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use windows_sys::{
    Win32::{
        Foundation::{
            ERROR_ALREADY_EXISTS, ERROR_BAD_LENGTH, ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SUCCESS, ERROR_TIMEOUT,
            ERROR_WMI_INSTANCE_NOT_FOUND,
        },
        System::{
            Console::PHANDLER_ROUTINE,
            Diagnostics::Etw::{
                CONTROLTRACE_HANDLE, EVENT_CONTROL_CODE_CAPTURE_STATE, EVENT_HEADER_EXT_TYPE_EVENT_SCHEMA_TL,
                EVENT_HEADER_EXTENDED_DATA_ITEM, EVENT_RECORD, EVENT_TRACE_LOGFILEW, EVENT_TRACE_PROPERTIES,
                PEVENT_RECORD_CALLBACK, PROCESSTRACE_HANDLE,
            },
            Services::{SERVICE_RUNNING, SERVICE_STATUS},
        },
    },
    core::GUID,
};

use super::record::PROVIDER;

/// An event that somebody has written.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) provider: u128,
    pub(super) schema: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

/// What the machine has.
#[derive(Default)]
pub(super) struct World {
    /// What was asked of it, in order.
    pub(super) asked: Vec<String>,
    /// What a function answers in place of what it should do.
    pub(super) failing: Vec<(&'static str, u32)>,
    /// The sessions that run.
    pub(super) sessions: Vec<String>,
    /// The mutexes that there are: those of this process have numbers, which are their handles.
    pub(super) mutexes: Vec<(String, usize)>,
    /// The state of the service; `None` if there is none.
    pub(super) service: Option<u32>,
    /// Events that nobody has read.
    pub(super) events: Vec<Written>,
    /// Those that the driver writes when it is asked for its state.
    pub(super) state: Vec<Written>,
    /// Events and buffers for which there was no room.
    pub(super) lost: (u32, u32),
    /// Which of the machines it is: a thread of an earlier test may still run.
    number: u64,
    started: Vec<String>,
    opened: Vec<Opened>,
    next_mutex: usize,
}

/// What `OpenTrace` has opened.
#[derive(Clone)]
struct Opened {
    /// `None` for a file.
    session: Option<String>,
    callback: PEVENT_RECORD_CALLBACK,
    /// Its address.
    context: usize,
}

/// One test at a time has the machine.
pub(super) struct Turn {
    world: &'static Mutex<Option<World>>,
    handler: &'static OnceLock<PHANDLER_ROUTINE>,
    _held: MutexGuard<'static, ()>,
}

/// How long something may take. Then a test is wrong, and shall not wait for ever.
const LONGEST: Duration = Duration::from_secs(30);

static TURN: Mutex<()> = Mutex::new(());
static WORLD: Mutex<Option<World>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();
/// It stays for as long as the process.
static HANDLER: OnceLock<PHANDLER_ROUTINE> = OnceLock::new();
thread_local! {
    static LAST_ERROR: Cell<u32> = const { Cell::new(0) };
}

/// A machine with the driver running.
pub(super) fn machine() -> Turn {
    let held = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut world = lock();
    let number = world.as_ref().map_or(0, |world| world.number) + 1;
    *world = Some(World { service: Some(SERVICE_RUNNING), number, ..World::default() });
    drop(world);
    CHANGED.notify_all();
    Turn { world: &WORLD, handler: &HANDLER, _held: held }
}

impl World {
    /// What was opened as this, if it was here.
    fn opened(&self, handle: PROCESSTRACE_HANDLE) -> Option<&Opened> {
        let at = usize::try_from(handle.Value & u64::from(u32::MAX)).ok()?;
        self.opened.get(at).filter(|_| handle.Value >> 32 == self.number)
    }
}

impl Turn {
    /// What it has.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        with_that(self.world, act)
    }

    /// The user types Ctrl-C: whether the handler has dealt with it.
    pub(super) fn control_c(&self) -> bool {
        let handler = self.handler.get().copied().flatten().expect("a handler");
        // SAFETY: it is the program's, and may be called at any time.
        unsafe { handler(0) != 0 }
    }
}

fn lock() -> MutexGuard<'static, Option<World>> {
    WORLD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<T>(act: impl FnOnce(&mut World) -> T) -> T {
    with_that(&WORLD, act)
}

fn with_that<T>(world: &Mutex<Option<World>>, act: impl FnOnce(&mut World) -> T) -> T {
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    let result = act(world.as_mut().expect("a test has the machine"));
    drop(world);
    CHANGED.notify_all();
    result
}

/// What the function answers if it is to fail.
fn failure(world: &World, function: &str) -> Option<u32> {
    world.failing.iter().find(|(name, _)| *name == function).map(|(_, code)| *code)
}

pub(super) fn fail<T>(code: u32, answer: T) -> T {
    LAST_ERROR.set(code);
    answer
}

/// # Safety
/// It ends with a NUL.
unsafe fn text(wide: *const u16) -> String {
    // SAFETY: the caller's promise.
    let mut units = Vec::new();
    let mut next = wide;
    loop {
        // SAFETY: the caller's promise: the NUL is still to come.
        match unsafe { next.read() } {
            0 => return String::from_utf16(&units).expect("UTF-16"),
            unit => units.push(unit),
        }
        // SAFETY: as above.
        next = unsafe { next.add(1) };
    }
}

/// Writes a name where the properties have room for it.
///
/// # Safety
/// The properties are as large as they say.
unsafe fn write_name(properties: *mut EVENT_TRACE_PROPERTIES, offset: u32, name: &str) -> u32 {
    // SAFETY: the caller's promise.
    let size = unsafe { (*properties).Wnode.BufferSize } as usize;
    let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    let offset = offset as usize;
    if offset < size_of::<EVENT_TRACE_PROPERTIES>() || offset + 2 * name.len() > size {
        return ERROR_BAD_LENGTH;
    }
    // SAFETY: there is room.
    let place = unsafe { properties.cast::<u8>().add(offset) };
    // SAFETY: as above.
    unsafe { ptr::copy_nonoverlapping(name.as_ptr().cast::<u8>(), place, 2 * name.len()) };
    ERROR_SUCCESS
}

#[unsafe(no_mangle)]
extern "system" fn GetLastError() -> u32 {
    LAST_ERROR.get()
}

#[unsafe(no_mangle)]
unsafe extern "system" fn CreateMutexW(_attributes: *const c_void, _owned: i32, name: *const u16) -> *mut c_void {
    // SAFETY: the caller's promise.
    let name = unsafe { text(name) };
    with(|world| {
        if let Some(code) = failure(world, "CreateMutexW") {
            return fail(code, ptr::null_mut());
        }
        let exists = world.mutexes.iter().any(|(mutex, _)| *mutex == name);
        world.next_mutex += 1;
        world.mutexes.push((name, world.next_mutex));
        fail(if exists { ERROR_ALREADY_EXISTS } else { ERROR_SUCCESS }, ptr::without_provenance_mut(world.next_mutex))
    })
}

#[unsafe(no_mangle)]
extern "system" fn CloseHandle(handle: *mut c_void) -> i32 {
    with(|world| world.mutexes.retain(|(_, number)| *number != handle.addr()));
    1
}

#[unsafe(no_mangle)]
unsafe extern "system" fn StartTraceW(
    handle: *mut CONTROLTRACE_HANDLE,
    name: *const u16,
    properties: *mut EVENT_TRACE_PROPERTIES,
) -> u32 {
    // SAFETY: the caller's promise.
    let name = unsafe { text(name) };
    // SAFETY: the caller's promise.
    let EVENT_TRACE_PROPERTIES { LogFileMode: mode, LogFileNameOffset: file, LoggerNameOffset: offset, Wnode, .. } =
        unsafe { *properties };
    let started = with(|world| {
        world.asked.push(format!("start {name} mode={mode:#x} clock={} file={file}", Wnode.ClientContext));
        if let Some(code) = failure(world, "StartTraceW") {
            return Err(code);
        }
        if world.sessions.contains(&name) {
            return Err(ERROR_ALREADY_EXISTS);
        }
        world.sessions.push(name.clone());
        world.started.push(name.clone());
        Ok(world.started.len() as u64)
    });
    match started {
        // SAFETY: the caller's promise.
        Ok(number) => unsafe { (*handle).Value = number },
        Err(code) => return code,
    }
    // SAFETY: the caller's promise.
    unsafe { write_name(properties, offset, &name) }
}

#[unsafe(no_mangle)]
unsafe extern "system" fn ControlTraceW(
    _handle: CONTROLTRACE_HANDLE,
    name: *const u16,
    properties: *mut EVENT_TRACE_PROPERTIES,
    _code: u32,
) -> u32 {
    // SAFETY: the caller's promise.
    let name = unsafe { text(name) };
    let stopped = with(|world| {
        let ran = world.sessions.contains(&name);
        world.sessions.retain(|session| *session != name);
        ran.then(|| {
            world.asked.push(format!("stop {name}"));
            world.lost
        })
    });
    let Some((events, buffers)) = stopped else { return ERROR_WMI_INSTANCE_NOT_FOUND };
    // SAFETY: the caller's promise.
    let mut told = unsafe { *properties };
    (told.EventsLost, told.RealTimeBuffersLost) = (events, buffers);
    // SAFETY: the caller's promise.
    unsafe { *properties = told };
    // SAFETY: the caller's promise; so below.
    let written = unsafe { write_name(properties, told.LoggerNameOffset, &name) };
    // SAFETY: as above.
    written.max(unsafe { write_name(properties, told.LogFileNameOffset, "") })
}

#[unsafe(no_mangle)]
unsafe extern "system" fn EnableTraceEx2(
    handle: CONTROLTRACE_HANDLE,
    provider: *const GUID,
    code: u32,
    level: u8,
    any: u64,
    all: u64,
    _timeout: u32,
    _parameters: *const c_void,
) -> u32 {
    // SAFETY: the caller's promise.
    let GUID { data1, data2, data3, data4 } = unsafe { *provider };
    let id = u64::from_be_bytes(data4);
    assert_eq!(format!("{data1:08x}{data2:04x}{data3:04x}{id:016x}"), format!("{PROVIDER:032x}"));
    with(|world| {
        let session = &world.started[usize::try_from(handle.Value).expect("a number") - 1];
        let is_capture = code == EVENT_CONTROL_CODE_CAPTURE_STATE;
        let what = if is_capture { "capture" } else { "enable" };
        world.asked.push(format!("{what} {session} level={level} any={any:#x} all={all:#x}"));
        if is_capture {
            world.events.append(&mut world.state);
        }
        failure(world, what).unwrap_or(ERROR_SUCCESS)
    })
}

#[unsafe(no_mangle)]
unsafe extern "system" fn OpenTraceW(logfile: *mut EVENT_TRACE_LOGFILEW) -> PROCESSTRACE_HANDLE {
    // SAFETY: the caller's promise.
    let mut told = unsafe { *logfile };
    // SAFETY: a plain number.
    let mode = unsafe { told.Anonymous1.ProcessTraceMode };
    // SAFETY: the mode says that it is this one.
    let callback = unsafe { told.Anonymous2.EventRecordCallback };
    let name = if told.LoggerName.is_null() { told.LogFileName } else { told.LoggerName };
    // SAFETY: the caller's promise.
    let name = unsafe { text(name) };
    let session = (!told.LoggerName.is_null()).then(|| name.clone());
    let value = with(|world| {
        world.asked.push(format!("open {name} mode={mode:#x}"));
        if let Some(code) = failure(world, "OpenTraceW") {
            return fail(code, u64::MAX);
        }
        told.LogfileHeader.Anonymous2.Anonymous.EventsLost = world.lost.0;
        told.LogfileHeader.BuffersLost = world.lost.1;
        world.opened.push(Opened { session, callback, context: told.Context.expose_provenance() });
        world.number << 32 | (world.opened.len() as u64 - 1)
    });
    // SAFETY: the caller's promise.
    unsafe { *logfile = told };
    PROCESSTRACE_HANDLE { Value: value }
}

#[unsafe(no_mangle)]
unsafe extern "system" fn ProcessTrace(
    handles: *const PROCESSTRACE_HANDLE,
    count: u32,
    _from: *const c_void,
    _to: *const c_void,
) -> u32 {
    assert_eq!(count, 1);
    // SAFETY: the caller's promise.
    let handle = unsafe { *handles };
    loop {
        let mut world = lock();
        let has = world.as_mut().expect("a test has the machine");
        let Some(of) = has.opened(handle).cloned() else { return ERROR_SUCCESS };
        let runs = of.session.as_ref().is_some_and(|session| has.sessions.contains(session));
        let events = take(&mut has.events);
        if events.is_empty() && runs {
            let (world, waited) = CHANGED.wait_timeout(world, LONGEST).unwrap_or_else(PoisonError::into_inner);
            drop(world);
            if waited.timed_out() {
                return ERROR_TIMEOUT;
            }
            continue;
        }
        let code = failure(has, "ProcessTrace");
        drop(world);
        for event in &events {
            deliver(event, &of);
        }
        if !runs {
            return code.unwrap_or(ERROR_SUCCESS);
        }
    }
}

fn deliver(event: &Written, of: &Opened) {
    let mut item = EVENT_HEADER_EXTENDED_DATA_ITEM {
        ExtType: u16::try_from(EVENT_HEADER_EXT_TYPE_EVENT_SCHEMA_TL).expect("two bytes"),
        DataSize: u16::try_from(event.schema.len()).expect("two bytes"),
        DataPtr: event.schema.as_ptr().expose_provenance() as u64,
        ..EVENT_HEADER_EXTENDED_DATA_ITEM::default()
    };
    let mut record = EVENT_RECORD {
        ExtendedDataCount: 1,
        UserDataLength: u16::try_from(event.payload.len()).expect("two bytes"),
        ExtendedData: &raw mut item,
        UserData: event.payload.as_ptr().cast_mut().cast(),
        UserContext: ptr::with_exposed_provenance_mut(of.context),
        ..EVENT_RECORD::default()
    };
    record.EventHeader.ProviderId = GUID::from_u128(event.provider);
    record.EventHeader.TimeStamp = 134_404_292_967_890_000;
    // SAFETY: the record is as ETW would make it.
    unsafe { of.callback.expect("a callback")(&raw mut record) };
}

#[unsafe(no_mangle)]
extern "system" fn CloseTrace(_handle: PROCESSTRACE_HANDLE) -> u32 {
    ERROR_SUCCESS
}

#[unsafe(no_mangle)]
extern "system" fn SetConsoleCtrlHandler(handler: PHANDLER_ROUTINE, _add: i32) -> i32 {
    HANDLER.set(handler).is_ok().into()
}

/// The handle of the manager of services, and of the one service.
const SERVICES: usize = 1;

#[unsafe(no_mangle)]
extern "system" fn OpenSCManagerW(_machine: *const u16, _database: *const u16, _access: u32) -> *mut c_void {
    ptr::without_provenance_mut(SERVICES)
}

#[unsafe(no_mangle)]
unsafe extern "system" fn OpenServiceW(_manager: *mut c_void, name: *const u16, _access: u32) -> *mut c_void {
    // SAFETY: the caller's promise.
    assert_eq!(unsafe { text(name) }, "flowtag");
    if with(|world| world.service.is_none()) {
        return fail(ERROR_SERVICE_DOES_NOT_EXIST, ptr::null_mut());
    }
    ptr::without_provenance_mut(SERVICES)
}

#[unsafe(no_mangle)]
unsafe extern "system" fn QueryServiceStatus(_service: *mut c_void, status: *mut SERVICE_STATUS) -> i32 {
    let state = with(|world| world.service.unwrap_or_default());
    // SAFETY: the caller's promise.
    unsafe { *status = SERVICE_STATUS { dwCurrentState: state, ..SERVICE_STATUS::default() } };
    1
}

#[unsafe(no_mangle)]
extern "system" fn CloseServiceHandle(_service: *mut c_void) -> i32 {
    1
}
