//! The filter engine's service, BFE, comes and goes. When it stops it takes our filters along (Win32, "Object Management"), and
//! until it runs none can be added (DDI `FwpmBfeStateGet0`): so they are added whenever it begins to run.
//!
//! What it does with callouts and contexts nobody documents. Where it keeps them, adding the filters is all; where it ends the
//! contexts, their flows are tagged when they are authorized again; where it ends the callouts, too, they are registered anew.
use core::{
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering},
};

use wdk_sys::{NTSTATUS, STATUS_SUCCESS};

use crate::{
    callouts, engine,
    failure::Failure,
    life, print,
    sync::Rundown,
    wait::Wait,
    wfp::ffi::{
        FWPM_SERVICE_RUNNING, FwpmBfeStateGet0, FwpmBfeStateSubscribeChanges0, FwpmBfeStateUnsubscribeChanges0, HANDLE,
    },
};

/// Entered by each call that tells of a change. Nothing says that unsubscribing waits for those that run.
pub static CHANGES: Rundown = Rundown::new();

/// The subscription, or NULL.
static SUBSCRIPTION: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// How many have asked for a look at the engine and have not been answered. Whoever finds none looks, and goes on until there is
/// none again: nobody waits, and no two threads add filters at once.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// What is missing in the engine, as far as is known: one of those below.
static MISSING: AtomicU32 = AtomicU32::new(FILTERS);
const NOTHING: u32 = 0;
const FILTERS: u32 = 1;
/// The filters, and perhaps the callouts.
const EVERYTHING: u32 = 2;

/// Whether it was said that the engine does not have the filters. Used by the one who looks.
static WAITING: AtomicBool = AtomicBool::new(false);

/// Has the filters added, now or when the engine runs. The callouts are registered.
///
/// The subscription comes first: without one the state may not be asked for (DDI `FwpmBfeStateGet0`), a change between both would
/// be missed, and after the filters nothing may fail. A driver that cannot subscribe works for as long as the engine runs.
///
/// IRQL: `PASSIVE_LEVEL`
pub fn follow(device: *mut c_void) -> Result<(), Failure> {
    match subscribe(device) {
        STATUS_SUCCESS => look(device),
        status => {
            print::life(|line| life::not_subscribed(line, status));
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

/// Ends the subscription, for as long as it takes: to return while Windows can still call the driver is worse than to wait.
/// Afterwards nobody adds filters.
///
/// IRQL: `PASSIVE_LEVEL`, never from [`changed`]: that may deadlock (DDI `FwpmBfeStateUnsubscribeChanges0`)
pub fn unsubscribe() {
    let subscription: HANDLE = SUBSCRIPTION.swap(ptr::null_mut(), Ordering::Relaxed);
    if !subscription.is_null() {
        let mut wait = Wait::begin();
        loop {
            // SAFETY: it came from the subscription, and has not been ended.
            let status = unsafe { FwpmBfeStateUnsubscribeChanges0(subscription) };
            if status == STATUS_SUCCESS {
                break;
            }
            if wait.report_is_due() {
                print::life(|line| life::unsubscribing(line, wait.milliseconds(), status));
            }
            wait.sleep();
        }
    }
    CHANGES.wait();
}

/// Called when the engine's state has changed; the context is the device object.
///
/// IRQL: `PASSIVE_LEVEL` (microsoft/Windows-driver-samples, WFPSampler, SubscriptionFunctions_BFEState.cpp, which opens its session
/// here, too)
///
/// # Safety
/// Called by the filter engine only.
unsafe extern "C" fn changed(context: *mut c_void, state: u32) {
    let Some(_in) = CHANGES.enter() else { return };
    if state != FWPM_SERVICE_RUNNING {
        MISSING.store(EVERYTHING, Ordering::SeqCst);
    }
    if let Err(Failure { step, status }) = look(context) {
        print::life(|line| life::not_joined(line, step, status));
    }
}

/// Looks at the engine, or has the thread that does so look once more.
///
/// IRQL: `PASSIVE_LEVEL`
fn look(device: *mut c_void) -> Result<(), Failure> {
    if ASKED.fetch_add(1, Ordering::SeqCst) != 0 {
        return Ok(());
    }
    let mut answered = 1;
    loop {
        let outcome = add_what_is_missing(device);
        match ASKED.compare_exchange(answered, 0, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => return outcome,
            Err(asked) => answered = asked,
        }
    }
}

/// One look. An engine that does not run is waited for, also when it stops in the middle.
///
/// IRQL: `PASSIVE_LEVEL`
fn add_what_is_missing(device: *mut c_void) -> Result<(), Failure> {
    // Before the state is read: whoever tells of a stop after that writes to it once more.
    let missing = MISSING.swap(NOTHING, Ordering::SeqCst);
    if missing == NOTHING {
        return Ok(());
    }
    let mut failed = None;
    if state() == FWPM_SERVICE_RUNNING {
        match add(device, missing) {
            Ok(()) => {
                if WAITING.swap(false, Ordering::Relaxed) {
                    print::life(life::joined);
                }
                return Ok(());
            }
            Err(failure) => failed = Some(failure),
        }
    }
    MISSING.fetch_max(missing, Ordering::SeqCst);
    let said = WAITING.swap(true, Ordering::Relaxed);
    let state = state();
    if let Some(failure) = failed
        && state == FWPM_SERVICE_RUNNING
    {
        return Err(failure);
    }
    if !said {
        print::life(|line| life::waiting(line, state));
    }
    Ok(())
}

fn add(device: *mut c_void, missing: u32) -> Result<(), Failure> {
    if missing == EVERYTHING {
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
