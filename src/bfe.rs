//! The filter engine's service, BFE, comes and goes. When it stops it takes our filters along (Win32, "Object Management"), and
//! until it runs none can be added (DDI `FwpmBfeStateGet0`): so they are added whenever it begins to run.
//!
//! What it does with callouts and contexts nobody documents. Where it keeps them, adding the filters is all; where it ends the
//! contexts, their flows are tagged when they are authorized again; where it ends the callouts, too, they are registered anew.
use core::{
    ffi::c_void,
    mem, ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

use wdk_sys::{NTSTATUS, STATUS_SUCCESS};

use crate::{
    callouts, engine,
    failure::Failure,
    life, print,
    sync::{DispatchMutex, Rundown},
    wait::Wait,
    wfp::ffi::{
        FWPM_SERVICE_RUNNING, FwpmBfeStateGet0, FwpmBfeStateSubscribeChanges0, FwpmBfeStateUnsubscribeChanges0, HANDLE,
    },
};

/// Entered by each call that tells of a change. Nothing says that unsubscribing waits for those that run.
pub static CHANGES: Rundown = Rundown::new();

/// The subscription, or NULL.
static SUBSCRIPTION: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

static KNOWN: DispatchMutex<Known> = DispatchMutex::new(Known::AT_START);

struct Known {
    work: Work,
    missing: Missing,
    /// It was said that the engine does not have the filters.
    waiting: bool,
}

/// Whether somebody looks at the engine. Who finds that has the other one look again, and goes: nobody waits, and no two threads
/// add filters at once.
enum Work {
    Idle,
    Busy,
    Again,
}

/// What the engine lacks, as far as is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Missing {
    Nothing,
    Filters,
    /// The filters, and perhaps the callouts.
    Everything,
}

impl Known {
    const AT_START: Self = Self { work: Work::Idle, missing: Missing::Filters, waiting: false };

    /// Whether the caller is the one to look.
    const fn begin(&mut self) -> bool {
        let idle = matches!(self.work, Work::Idle);
        self.work = if idle { Work::Busy } else { Work::Again };
        idle
    }

    /// Whether nobody has asked meanwhile.
    const fn end(&mut self) -> bool {
        let done = matches!(self.work, Work::Busy);
        self.work = if done { Work::Idle } else { Work::Busy };
        done
    }
}

/// Has the filters added, now or when the engine runs. The callouts are registered.
///
/// The subscription comes first: without one the state may not be asked for (DDI `FwpmBfeStateGet0`), a change between both would
/// be missed, and after the filters nothing may fail. A driver that cannot subscribe works for as long as the engine runs.
///
/// IRQL: `PASSIVE_LEVEL`
pub fn follow(device: *mut c_void) -> Result<(), Failure> {
    // Wine keeps an image whose start has failed, with all that it knew.
    *KNOWN.lock() = Known::AT_START;
    match subscribe(device) {
        STATUS_SUCCESS => look(device),
        status => {
            print::failed("FwpmBfeStateSubscribeChanges0", status, |line| life::not_subscribed(line, status));
            engine::join()
        }
    }
}

fn subscribe(device: *mut c_void) -> NTSTATUS {
    let mut subscription = ptr::null_mut();
    // SAFETY: the device object is ours and lives longer than the subscription; the handle is stored in a local.
    let status = unsafe { FwpmBfeStateSubscribeChanges0(device, changed, device, &raw mut subscription) };
    SUBSCRIPTION.store(subscription, Ordering::Relaxed);
    status
}

/// Has nobody add filters any more, and ends the subscription, for as long as it takes: to return while Windows can still call the
/// driver is worse than to wait. Says whether the engine may have the filters: when it stopped it took them along.
///
/// IRQL: `PASSIVE_LEVEL`, never from [`changed`]: that may deadlock (DDI `FwpmBfeStateUnsubscribeChanges0`)
pub fn unsubscribe() -> bool {
    // First: who has entered may ask for the state, which takes a subscription. Who is called from now on goes at once.
    CHANGES.wait();
    let subscription: HANDLE = SUBSCRIPTION.swap(ptr::null_mut(), Ordering::Relaxed);
    if subscription.is_null() {
        return true;
    }
    let running = state() == FWPM_SERVICE_RUNNING;
    let mut wait = Wait::begin();
    loop {
        // SAFETY: it came from the subscription, and has not been ended.
        let status = unsafe { FwpmBfeStateUnsubscribeChanges0(subscription) };
        if status == STATUS_SUCCESS {
            return running;
        }
        if wait.report_is_due() {
            print::retrying("FwpmBfeStateUnsubscribeChanges0", status, |line| {
                life::unsubscribing(line, wait.milliseconds(), status);
            });
        }
        wait.sleep();
    }
}

/// Called when the engine's state has changed; the context is the device object.
///
/// IRQL: `PASSIVE_LEVEL` (microsoft/Windows-driver-samples, `WFPSampler`, `SubscriptionFunctions_BFEState.cpp`, which opens its
/// session here, too)
///
/// # Safety
/// Called by the filter engine only.
unsafe extern "C" fn changed(context: *mut c_void, state: u32) {
    let Some(_in) = CHANGES.enter() else { return };
    if state != FWPM_SERVICE_RUNNING {
        KNOWN.lock().missing = Missing::Everything;
    }
    if let Err(Failure { step, status }) = look(context) {
        print::failed(step, status, |line| life::not_joined(line, step, status));
    }
}

/// Looks at the engine, or has the thread that does so look once more.
///
/// IRQL: `PASSIVE_LEVEL`
fn look(device: *mut c_void) -> Result<(), Failure> {
    if !KNOWN.lock().begin() {
        return Ok(());
    }
    loop {
        let outcome = add_what_is_missing(device);
        if KNOWN.lock().end() {
            return outcome;
        }
    }
}

/// One look. An engine that does not run is waited for, also when it stops in the middle.
///
/// IRQL: `PASSIVE_LEVEL`
fn add_what_is_missing(device: *mut c_void) -> Result<(), Failure> {
    // Before the state is read: whoever tells of a stop after that writes to it once more.
    let missing = mem::replace(&mut KNOWN.lock().missing, Missing::Nothing);
    if missing == Missing::Nothing {
        return Ok(());
    }
    let added = if state() == FWPM_SERVICE_RUNNING { add(device, missing).map(|()| true) } else { Ok(false) };
    if let Ok(true) = added {
        if mem::take(&mut KNOWN.lock().waiting) {
            print::life(life::joined);
        }
        return Ok(());
    }
    let state = state();
    let said = {
        let mut known = KNOWN.lock();
        known.missing = known.missing.max(missing);
        mem::replace(&mut known.waiting, true)
    };
    match added {
        Err(failure) if state == FWPM_SERVICE_RUNNING => return Err(failure),
        _ if said => {}
        _ => print::life(|line| life::waiting(line, state)),
    }
    Ok(())
}

fn add(device: *mut c_void, missing: Missing) -> Result<(), Failure> {
    if missing == Missing::Everything {
        callouts::register(device)?;
    }
    engine::join()
}

/// The state of the engine.
///
/// IRQL: <= `DISPATCH_LEVEL`, with a subscription
fn state() -> u32 {
    // SAFETY: there is a subscription, and nothing else to promise.
    unsafe { FwpmBfeStateGet0() }
}
