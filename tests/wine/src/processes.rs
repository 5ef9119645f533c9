//! Processes, as a script has them begin and exit: Wine's own are those of its programs, have no start keys, and nobody is told of
//! them (DDI `PsSetCreateProcessNotifyRoutineEx2`, `PCREATE_PROCESS_NOTIFY_ROUTINE_EX`, `PsLookupProcessByProcessId`,
//! `SeLocateProcessImageName`, `ObOpenObjectByPointer`; Win32 `ZwQuerySystemInformation`, `ZwQueryInformationProcess`). One routine,
//! one handle at a time. `RtlDowncaseUnicodeString` and `ExFreePool` are Wine's.
use core::{
    ffi::{CStr, c_void},
    ptr,
};

use crate::{
    complain,
    list::List,
    lock::Lock,
    nt::{self, INFO_LENGTH_MISMATCH, INVALID_PARAMETER, NOT_FOUND, NOT_SUPPORTED, SUCCESS, Status, UnicodeString},
    text::Text,
};

/// `STATUS_INVALID_CID`.
const INVALID_CID: Status = 0xC000_000B;
/// `STATUS_PENDING`: what a process that runs has as its exit status.
const RUNNING: Status = 0x103;

/// Opaque: nothing is there. A process has this and its number.
const FIRST: usize = 0x0E10_0000_0000;
const HANDLE: usize = 0x6000;
/// What all processes have as their beginning: 29 November 2026, 07:00:00 UTC.
const CREATED: i64 = 134_404_092_000_000_000;
const BOOT: u64 = 1 << 48;
/// The System process, and the idle one, which is listed and never found.
const SYSTEM: u64 = 4;

/// Told of each process; without information it exits.
type Routine = unsafe extern "C" fn(process: usize, pid: u64, info: *const CreateInfo);

/// `PS_CREATE_NOTIFY_INFO` (ntddk.h).
#[repr(C)]
struct CreateInfo {
    size: usize,
    flags: u32,
    parent: u64,
    creator: [u64; 2],
    file: *const c_void,
    image: *const UnicodeString,
    command_line: *const UnicodeString,
    status: Status,
}

const _: () = assert!(size_of::<CreateInfo>() == 72);

#[derive(Clone, Copy)]
struct Process {
    number: u64,
    pid: u64,
    parent: u64,
    path: Text<300>,
}

struct State {
    all: List<Process, 16>,
    made: u64,
    routine: Option<Routine>,
    references: u32,
    /// Whose handle is open.
    opened: Option<Process>,
}

static STATE: Lock<State> = Lock::new(State { all: List::EMPTY, made: 1, routine: None, references: 0, opened: None });

impl State {
    /// The one at an address. Nothing that the driver may do leads to another address.
    fn at(&self, address: usize) -> Option<Process> {
        let number = address.wrapping_sub(FIRST) as u64;
        if number == 1 {
            return Some(Process { number, pid: SYSTEM, parent: 0, path: Text::of("") });
        }
        let found = self.all.iter().find(|process| process.number == number).copied();
        if found.is_none() {
            complain!("{address:#x} is no process");
        }
        found
    }

    fn with_id(&self, pid: u64) -> Option<u64> {
        if pid == SYSTEM {
            Some(1)
        } else {
            self.all.iter().find(|process| process.pid == pid).map(|found| found.number)
        }
    }
}

/// What to put in the place of an import.
#[must_use]
pub fn stand_in(import: &CStr) -> Option<*const ()> {
    Some(match import.to_bytes() {
        b"PsSetCreateProcessNotifyRoutineEx2" => set_routine as *const (),
        b"PsLookupProcessByProcessId" => look_up as *const (),
        b"PsGetProcessStartKey" => start_key as *const (),
        b"PsGetProcessCreateTimeQuadPart" => create_time as *const (),
        b"PsGetProcessExitStatus" => exit_status as *const (),
        b"SeLocateProcessImageName" => image_name as *const (),
        b"ObOpenObjectByPointer" => open as *const (),
        b"ObfDereferenceObject" => dereference as *const (),
        b"ZwClose" => close as *const (),
        b"ZwQueryInformationProcess" => query as *const (),
        b"ZwQuerySystemInformation" => list as *const (),
        _ => return None,
    })
}

/// Where drivers believe the process of this number to be.
#[expect(clippy::cast_possible_truncation, reason = "this is 64-bit Windows")]
const fn object(number: u64) -> usize {
    FIRST + number as usize
}

/// A process begins. [`None`] if its id is taken.
pub fn begin(pid: u64, parent: u64, path: &str) -> Option<()> {
    let (process, routine) = STATE.with(|state| {
        if state.with_id(pid).is_some() {
            return None;
        }
        state.made += 1;
        let process = Process { number: state.made, pid, parent, path: Text::of(path) };
        state.all.push(process);
        Some((process, state.routine))
    })?;
    let info = CreateInfo {
        size: size_of::<CreateInfo>(),
        flags: 0,
        parent,
        creator: [parent, 0],
        file: ptr::null(),
        image: ptr::null(),
        command_line: ptr::null(),
        status: SUCCESS,
    };
    if let Some(routine) = routine {
        // SAFETY: the driver has registered it, and is still there.
        unsafe { routine(object(process.number), pid, &raw const info) };
    }
    Some(())
}

/// A process exits. [`None`] if none has this id.
pub fn exit(pid: u64) -> Option<()> {
    let (number, routine) = STATE.with(|state| Some((state.with_id(pid)?, state.routine)))?;
    if let Some(routine) = routine {
        // SAFETY: as in `begin`.
        unsafe { routine(object(number), pid, ptr::null()) };
    }
    STATE.with(|state| state.all.take(|process| process.number == number).map(drop))
}

/// The driver has left: complains of what it has left behind.
pub fn left() {
    STATE.with(|state| {
        if state.routine.take().is_some() {
            complain!("the process notify routine is left");
        }
        if state.references != 0 || state.opened.is_some() {
            complain!("{} references to processes are left, or a handle", state.references);
        }
        state.references = 0;
        state.opened = None;
    });
}

unsafe extern "C" fn set_routine(kind: u32, routine: Routine, remove: u8) -> Status {
    STATE.with(|state| {
        let registered = state.routine.is_some_and(|known| ptr::fn_addr_eq(known, routine));
        match (kind, remove, registered) {
            (0, 0, false) if state.routine.is_none() => state.routine = Some(routine),
            (0, 1, true) => state.routine = None,
            _ => return INVALID_PARAMETER,
        }
        SUCCESS
    })
}

unsafe extern "C" fn look_up(pid: u64, process: *mut usize) -> Status {
    let found = STATE.with(|state| {
        let found = state.with_id(pid)?;
        state.references += 1;
        Some(found)
    });
    let Some(number) = found else { return INVALID_CID };
    // SAFETY: the caller's promise.
    unsafe { process.write(object(number)) };
    SUCCESS
}

unsafe extern "C" fn dereference(process: usize) -> isize {
    STATE.with(|state| {
        if state.at(process).is_none() || state.references == 0 {
            complain!("ObfDereferenceObject of what is not referenced");
        } else {
            state.references -= 1;
        }
    });
    0
}

unsafe extern "C" fn start_key(process: usize) -> u64 {
    STATE.with(|state| state.at(process).map_or(0, |process| BOOT | process.number))
}

unsafe extern "C" fn create_time(process: usize) -> i64 {
    STATE.with(|state| state.at(process).map_or(0, |_| CREATED))
}

unsafe extern "C" fn exit_status(process: usize) -> Status {
    STATE.with(|state| state.at(process).map_or(0, |_| RUNNING))
}

#[expect(clippy::cast_ptr_alignment, reason = "a block of pool begins at a multiple of 16")]
unsafe extern "C" fn image_name(process: usize, name: *mut *mut UnicodeString) -> Status {
    /// `PagedPool`, and a tag.
    const KIND: u32 = 1;
    const TAG: u32 = u32::from_le_bytes(*b"SeIn");
    let Some(found) = STATE.with(|state| state.at(process)) else { return INVALID_PARAMETER };
    let path = found.path.as_str();
    if path.is_empty() {
        return NOT_FOUND;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a path is shorter than the text of a script can be")]
    let bytes = 2 * path.encode_utf16().count() as u16;
    // SAFETY: any size and tag will do.
    let block = unsafe { nt::ExAllocatePoolWithTag(KIND, size_of::<UnicodeString>() + usize::from(bytes), TAG) };
    let text = block.wrapping_add(size_of::<UnicodeString>()).cast::<u16>();
    for (index, unit) in path.encode_utf16().enumerate() {
        // SAFETY: the block has room for so many.
        unsafe { text.wrapping_add(index).write(unit) };
    }
    let string = UnicodeString { length: bytes, maximum_length: bytes, buffer: text };
    // SAFETY: the block begins with room for it.
    unsafe { block.cast::<UnicodeString>().write(string) };
    // SAFETY: the caller's promise.
    unsafe { name.write(block.cast()) };
    SUCCESS
}

unsafe extern "C" fn open(
    process: usize,
    attributes: u32,
    state: *const c_void,
    access: u32,
    kind: *const c_void,
    mode: u8,
    handle: *mut usize,
) -> Status {
    /// `OBJ_KERNEL_HANDLE`, `PROCESS_QUERY_LIMITED_INFORMATION`.
    const EXPECTED: (u32, u32, u8) = (0x200, 0x1000, 0);
    if (attributes, access, mode) != EXPECTED || !state.is_null() || !kind.is_null() {
        complain!("ObOpenObjectByPointer with these arguments is not modelled");
        return NOT_SUPPORTED;
    }
    let opened = STATE.with(|state| {
        let found = state.at(process)?;
        state.opened.replace(found).is_none().then_some(())
    });
    if opened.is_none() {
        complain!("a second handle is not modelled");
        return NOT_SUPPORTED;
    }
    // SAFETY: the caller's promise.
    unsafe { handle.write(HANDLE) };
    SUCCESS
}

unsafe extern "C" fn close(handle: usize) -> Status {
    if handle != HANDLE || STATE.with(|state| state.opened.take()).is_none() {
        complain!("ZwClose of {handle:#x}, which is no handle");
    }
    SUCCESS
}

unsafe extern "C" fn query(handle: usize, class: u32, basic: *mut [u64; 6], bytes: u32, needed: *mut u32) -> Status {
    let opened = STATE.with(|state| state.opened);
    let Some(process) = opened.filter(|_| handle == HANDLE && class == 0 && bytes == 48 && needed.is_null()) else {
        complain!("ZwQueryInformationProcess with these arguments is not modelled");
        return NOT_SUPPORTED;
    };
    // SAFETY: the caller's promise.
    unsafe { basic.write([RUNNING.into(), 0, 1, 8, process.pid, process.parent]) };
    SUCCESS
}

unsafe extern "C" fn list(class: u32, buffer: *mut u8, bytes: u32, needed: *mut u32) -> Status {
    /// `SYSTEM_PROCESS_INFORMATION`, of a process without threads.
    const ENTRY: u32 = 256;
    const SIZE: usize = ENTRY as usize;
    const PID: usize = 80;
    if class != 5 {
        complain!("ZwQuerySystemInformation of class {class} is not modelled");
        return NOT_SUPPORTED;
    }
    STATE.with(|state| {
        let ids = || [0, SYSTEM].into_iter().chain(state.all.iter().map(|process| process.pid));
        let count = ids().map(|_| 1).sum::<u32>();
        if !needed.is_null() {
            // SAFETY: the caller's promise; so below.
            unsafe { needed.write(count * ENTRY) };
        }
        if count * ENTRY > bytes {
            return INFO_LENGTH_MISMATCH;
        }
        let mut entry = buffer;
        for (number, pid) in (1..).zip(ids()) {
            // SAFETY: as above.
            unsafe { entry.write_bytes(0xA5, SIZE) };
            let next = if number == count { 0 } else { ENTRY };
            // SAFETY: as above.
            unsafe { entry.cast::<u32>().write_unaligned(next) };
            // SAFETY: as above.
            unsafe { entry.wrapping_add(PID).cast::<u64>().write_unaligned(pid) };
            entry = entry.wrapping_add(SIZE);
        }
        SUCCESS
    })
}
