//! Which process exactly: a table of processes, kept by a routine that Windows calls for each that begins or exits, and read
//! where a flow is authorized, where nothing may be looked up.
pub mod ffi;
mod look;
mod running;
mod stored;
pub mod table;

use core::{
    ffi::c_void,
    mem::{self, MaybeUninit},
    num::NonZeroU64,
    ptr::NonNull,
    slice,
    sync::atomic::{AtomicBool, Ordering},
};

use wdk_sys::{
    _PSCREATEPROCESSNOTIFYTYPE::PsCreateProcessNotifySubsystems, BOOLEAN, HANDLE, NTSTATUS, PEPROCESS,
    STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS, ntddk::PsSetCreateProcessNotifyRoutineEx2,
};

use self::{
    ffi::PS_CREATE_NOTIFY_INFO,
    stored::StoredPath,
    table::{Inserted, SYSTEM, Slot, Table},
};
use crate::{
    failure::Failure,
    identity::Identity,
    life, pool, print,
    sync::{AtDispatch, DispatchMutex},
    totals::TOTALS,
    wait::Wait,
};

/// How many processes are known at once: those that run, and as many as there is room for of those that have exited. The
/// largest machines run a few thousand.
const CAPACITY: usize = 4_096;

/// The processes that flows may belong to. The lock is never held across a call, and no path is freed under it.
static PROCESSES: DispatchMutex<Table<'static, StoredPath>> = DispatchMutex::new(Table::empty());

/// The step that registers the routine and takes it away.
const REGISTER: &str = "PsSetCreateProcessNotifyRoutineEx2";

/// The routine is registered.
static WATCHING: AtomicBool = AtomicBool::new(false);

/// Begins to know processes. Without, flows have no keys, and nothing else is missing.
///
/// The routine is registered first: whatever begins after the list was made is told of.
///
/// IRQL: `PASSIVE_LEVEL`
pub fn watch() {
    if let Err(Failure { step, status }) = allocate().and_then(|()| register()) {
        free();
        print::failed(step, status, |line| life::no_keys(line, step, status));
        return;
    }
    if let Err(Failure { step, status }) = running::fill() {
        print::failed(step, status, |line| life::older_unknown(line, step, status));
    }
}

/// Has nobody tell of processes any more, for as long as it takes: to return while Windows can still call the driver is worse than to
/// wait. Those calls that run are over then (DDI `PsSetCreateProcessNotifyRoutineEx2`).
///
/// IRQL: `PASSIVE_LEVEL`
pub fn stop_watching() {
    if !WATCHING.swap(false, Ordering::Relaxed) {
        return;
    }
    let mut wait = Wait::begin();
    loop {
        let status = set_routine(true);
        if status == STATUS_SUCCESS {
            return;
        }
        if wait.report_is_due() {
            print::retrying(REGISTER, status, |line| life::unwatching(line, wait.milliseconds(), status));
        }
        wait.sleep();
    }
}

/// Which process a flow belongs to, whose owner has this id and this path.
///
/// IRQL: `DISPATCH_LEVEL`
pub fn identify(irql: &AtDispatch, pid: u64, path: &[u8]) -> Option<Identity> {
    // Nobody else is known without a path: not worth the lock.
    if path.is_empty() && pid != SYSTEM {
        return None;
    }
    PROCESSES.lock_raised(irql).identify(pid, path)
}

fn allocate() -> Result<(), Failure> {
    const BYTES: usize = CAPACITY.wrapping_mul(size_of::<Slot<StoredPath>>().wrapping_add(size_of::<u32>()));
    const ZEROED: MaybeUninit<Slot<StoredPath>> = MaybeUninit::zeroed();
    const { assert!(size_of::<Slot<StoredPath>>() == 56 && align_of::<Slot<StoredPath>>() <= pool::ALIGNMENT) };
    // How nobody is written in a slot is the compiler's choice. SAFETY: every field may be zero.
    const { assert!(unsafe { ZEROED.assume_init_ref() }.is_free()) };
    let short = Failure { step: "ExAllocatePool2", status: STATUS_INSUFFICIENT_RESOURCES };
    let first = pool::allocate(BYTES, pool::PROCESS).ok_or(short)?.cast::<Slot<StoredPath>>();
    // SAFETY: as large and aligned as this; and zeros are free slots.
    let slots = unsafe { slice::from_raw_parts_mut(first.as_ptr(), CAPACITY) };
    // SAFETY: the block goes on behind the slots.
    let behind = unsafe { first.add(CAPACITY) };
    // SAFETY: for as many links, which need less alignment; and zeros lead nowhere.
    let chains = unsafe { slice::from_raw_parts_mut(behind.cast().as_ptr(), CAPACITY) };
    *PROCESSES.lock() = Table::new(slots, chains);
    Ok(())
}

/// Frees the table, if there is one.
///
/// IRQL: <= `DISPATCH_LEVEL`, when nobody tells of processes any more
pub fn free() {
    let (slots, _) = mem::replace(&mut *PROCESSES.lock(), Table::empty()).into_memory();
    for slot in &mut *slots {
        drop(slot.take());
    }
    if !slots.is_empty() {
        // SAFETY: allocated with this tag, and no longer the table's.
        unsafe { pool::free(NonNull::from(slots).cast(), pool::PROCESS) };
    }
}

fn register() -> Result<(), Failure> {
    let status = set_routine(false);
    if status != STATUS_SUCCESS {
        return Err(Failure { step: REGISTER, status });
    }
    WATCHING.store(true, Ordering::Relaxed);
    Ok(())
}

fn set_routine(remove: bool) -> NTSTATUS {
    let routine: unsafe extern "C" fn(PEPROCESS, HANDLE, *const PS_CREATE_NOTIFY_INFO) = changed;
    // SAFETY: the routine has the type that this kind of notification asks for, and is removed before the driver leaves.
    unsafe {
        PsSetCreateProcessNotifyRoutineEx2(
            PsCreateProcessNotifySubsystems,
            routine as *mut c_void,
            BOOLEAN::from(remove),
        )
    }
}

/// A process has begun, or, without information, exits. Of one that exits and is not known, nobody has told that it began: it may
/// never have had a thread (DDI `PsSetCreateProcessNotifyRoutineEx2`), or it began before the driver did.
///
/// IRQL: `PASSIVE_LEVEL`, in a critical region
///
/// # Safety
/// Called by Windows only.
unsafe extern "C" fn changed(process: PEPROCESS, pid: HANDLE, created: *const PS_CREATE_NOTIFY_INFO) {
    let pid = pid.expose_provenance() as u64;
    // SAFETY: Windows keeps it during this call.
    let Some(key) = (unsafe { look::key_of(process) }) else { return };
    // SAFETY: from Windows, for the time of this call.
    let created = unsafe { created.as_ref() };
    if created.is_none() && PROCESSES.lock().exit(pid, key) {
        return;
    }
    let parent = created.and_then(|created| NonZeroU64::new(created.ParentProcessId.expose_provenance() as u64));
    // SAFETY: as above.
    let process = unsafe { look::at(process, pid, key, parent) };
    let outcome = PROCESSES.lock().insert(process, created.is_none());
    count(&outcome);
}

/// Counts a process that found no room, and says so once. Neither this nor the drop of the outcome may happen under the lock.
fn count(outcome: &Inserted<StoredPath>) {
    if matches!(outcome, Inserted::Full(_)) {
        print::lost(&TOTALS.unlisted, "unlisted", None);
    }
}
