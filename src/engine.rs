//! The filter engine: our provider, sublayer, callouts and filters, which one transaction adds and one deletes.
//!
//! They are static objects. Those of a dynamic session would go when it ends; but when its end fails, no other dynamic session
//! may delete them (SDK, `FwpmFilterDeleteByKey0`: `FWP_E_WRONG_SESSION`), nobody says that a static one may, and they would keep
//! every later start out. Static objects any static session may delete, by keys that are ours and fixed, and they go at the
//! latest when the engine stops (Win32, "Object Management").
use core::{
    ptr,
    sync::atomic::{AtomicBool, Ordering},
};

use wdk_sys::{
    NTSTATUS, STATUS_FWP_ALREADY_EXISTS, STATUS_FWP_CALLOUT_NOT_FOUND, STATUS_FWP_FILTER_NOT_FOUND, STATUS_FWP_IN_USE,
    STATUS_FWP_PROVIDER_NOT_FOUND, STATUS_FWP_SUBLAYER_NOT_FOUND, STATUS_UNSUCCESSFUL,
};

use crate::{
    callouts::{CALLOUTS, Callout},
    failure::{Failure, check},
    life, print,
    wait::Wait,
    wfp::ffi::{
        FWP_ACTION_CALLOUT_INSPECTION, FWP_BYTE_BLOB, FWP_VALUE0, FWPM_ACTION0, FWPM_CALLOUT0, FWPM_DISPLAY_DATA0,
        FWPM_FILTER0, FWPM_PROVIDER0, FWPM_SESSION0, FWPM_SUBLAYER0, FwpmCalloutAdd0, FwpmCalloutDeleteByKey0,
        FwpmEngineClose0, FwpmEngineOpen0, FwpmFilterAdd0, FwpmFilterDeleteByKey0, FwpmProviderAdd0,
        FwpmProviderDeleteByKey0, FwpmSubLayerAdd0, FwpmSubLayerDeleteByKey0, FwpmTransactionAbort0,
        FwpmTransactionBegin0, FwpmTransactionCommit0, GUID, HANDLE, RPC_C_AUTHN_WINNT,
    },
    wide::wide,
};

/// Whose everything else is, for who looks at the filter engine's state (Win32, "Best Practices" of the WFP guide: all objects
/// belong to a provider).
static PROVIDER: GUID = GUID::new(0xcd81_96fb, 0x72fc, 0x438c, 0x8271_3803_f3a5_05e8);

/// A sublayer of our own, so that no filter of others can hide traffic from ours within it (Win32, "Filter Arbitration").
static SUBLAYER: GUID = GUID::new(0xf591_52a0, 0xa16a, 0x45b6, 0xad79_d2b7_3a6c_3d3b);

/// For so long deleting is tried again, in milliseconds.
const PATIENCE: u64 = 5_000;

/// Whether objects of this life may be in the engine.
static ADDED: AtomicBool = AtomicBool::new(false);

/// Adds the filters. From the commit on the callouts are called, also when the commit says that it failed: it may have
/// failed after it took effect (a guess: nothing says that it cannot).
///
/// Done once more, what is there already this life has added since the engine was started: one transaction adds all of it.
///
/// IRQL: `PASSIVE_LEVEL`, one at a time
pub fn join() -> Result<(), Failure> {
    let session = Session::open()?;
    if !ADDED.swap(true, Ordering::Relaxed) {
        return session.in_transaction(add_anew);
    }
    match session.in_transaction(add_objects) {
        Err(Failure { status: STATUS_FWP_ALREADY_EXISTS, .. }) => Ok(()),
        outcome => outcome,
    }
}

/// Deletes what was added, if anything was. What cannot be deleted does no harm, since filters that inspect are ignored without
/// their callouts, and the next start deletes it.
///
/// A failure is tried again for a while.
///
/// IRQL: `PASSIVE_LEVEL`, when nobody joins any more
pub fn leave() {
    if !ADDED.swap(false, Ordering::Relaxed) {
        return;
    }
    let mut wait = Wait::begin();
    loop {
        let deleted = Session::open().and_then(|session| session.in_transaction(delete_objects));
        let Err(Failure { step, status }) = deleted else { return };
        if wait.milliseconds() >= PATIENCE {
            print::failed(step, status, |line| life::not_closed(line, step, status));
            return;
        }
        if wait.report_is_due() {
            print::retrying(step, status, |line| life::closing(line, wait.milliseconds(), step, status));
        }
        wait.sleep();
    }
}

/// A session with the engine, for one transaction. None stays open: static objects outlive the session that adds them (Win32,
/// "Object Management"), and one that is over, since the engine was stopped meanwhile, would have to be told from one that is not.
struct Session(HANDLE);

impl Session {
    fn open() -> Result<Self, Failure> {
        let session = FWPM_SESSION0 {
            sessionKey: GUID::ZERO,
            displayData: display(wide!("flowtag")),
            flags: 0,
            txnWaitTimeoutInMSec: 0,
            processId: 0,
            sid: ptr::null_mut(),
            username: ptr::null_mut(),
            kernelMode: 0,
        };
        let mut engine = ptr::null_mut();
        // SAFETY: the session is described and the handle stored in locals.
        let status = unsafe {
            FwpmEngineOpen0(ptr::null(), RPC_C_AUTHN_WINNT, ptr::null(), &raw const session, &raw mut engine)
        };
        check("FwpmEngineOpen0", status)?;
        if engine.is_null() {
            return Err(Failure { step: "FwpmEngineOpen0", status: STATUS_UNSUCCESSFUL });
        }
        Ok(Self(engine))
    }

    fn in_transaction(&self, change: fn(HANDLE) -> Result<(), Failure>) -> Result<(), Failure> {
        let engine = self.0;
        // SAFETY: the session is open.
        let begun = check("FwpmTransactionBegin0", unsafe { FwpmTransactionBegin0(engine, 0) });
        let outcome = begun.and_then(|()| change(engine)).and_then(|()| {
            // SAFETY: as above.
            check("FwpmTransactionCommit0", unsafe { FwpmTransactionCommit0(engine) })
        });
        if outcome.is_err() {
            // Whatever has failed, also an abort before: none is left open.
            // SAFETY: as above.
            unsafe { FwpmTransactionAbort0(engine) };
        }
        outcome
    }
}

impl Drop for Session {
    /// Closes it once, whatever comes of it, also when the engine has ended it (Win32, "WFP Error Codes",
    /// `FWP_E_SESSION_ABORTED`). Nothing says what becomes of the handle when that fails; a session that stays open holds nothing
    /// any more, since its transaction has ended.
    fn drop(&mut self) {
        // SAFETY: the session is open, and nobody else knows it.
        let status = unsafe { FwpmEngineClose0(self.0) };
        if let Err(Failure { step, status }) = check("FwpmEngineClose0", status) {
            print::failed(step, status, |line| life::not_closed(line, step, status));
        }
    }
}

/// Adds everything. What is there already an earlier life could not delete: our callouts are registered by now, and
/// `FwpsCalloutRegister2` takes no key twice, so no other copy of the driver runs. A call that fails leaves the transaction as it
/// was (Win32, "Object Management").
fn add_anew(engine: HANDLE) -> Result<(), Failure> {
    match add_objects(engine) {
        Err(Failure { status: STATUS_FWP_ALREADY_EXISTS, .. }) => {
            print::life(life::leftovers);
            delete_objects(engine)?;
            add_objects(engine)
        }
        outcome => outcome,
    }
}

fn add_objects(engine: HANDLE) -> Result<(), Failure> {
    add_provider(engine)?;
    add_sublayer(engine)?;
    for callout in &CALLOUTS {
        add_callout(engine, callout)?;
    }
    for callout in &CALLOUTS {
        add_filter(engine, callout)?;
    }
    Ok(())
}

/// Deletes everything, what refers to something first (Win32, "Object Management").
fn delete_objects(engine: HANDLE) -> Result<(), Failure> {
    for callout in &CALLOUTS {
        // SAFETY: the session is open, and the key is read only.
        gone("FwpmFilterDeleteByKey0", unsafe { FwpmFilterDeleteByKey0(engine, &raw const callout.filter) })?;
    }
    for callout in &CALLOUTS {
        // SAFETY: as above.
        gone("FwpmCalloutDeleteByKey0", unsafe { FwpmCalloutDeleteByKey0(engine, &raw const callout.key) })?;
    }
    // SAFETY: as above.
    gone("FwpmSubLayerDeleteByKey0", unsafe { FwpmSubLayerDeleteByKey0(engine, &raw const SUBLAYER) })?;
    // SAFETY: as above.
    gone("FwpmProviderDeleteByKey0", unsafe { FwpmProviderDeleteByKey0(engine, &raw const PROVIDER) })
}

/// Makes a failure of what `check` does, but for an object that is not there, and one that an object of somebody else refers to:
/// that one stays, and our filters go all the same.
fn gone(step: &'static str, status: NTSTATUS) -> Result<(), Failure> {
    match status {
        STATUS_FWP_FILTER_NOT_FOUND
        | STATUS_FWP_CALLOUT_NOT_FOUND
        | STATUS_FWP_SUBLAYER_NOT_FOUND
        | STATUS_FWP_PROVIDER_NOT_FOUND
        | STATUS_FWP_IN_USE => Ok(()),
        status => check(step, status),
    }
}

fn add_provider(engine: HANDLE) -> Result<(), Failure> {
    let provider = FWPM_PROVIDER0 {
        providerKey: PROVIDER,
        displayData: display(wide!("flowtag")),
        flags: 0,
        providerData: FWP_BYTE_BLOB::EMPTY,
        serviceName: ptr::null(), // for persistent objects only (Win32, "Object Management"), of which there are none
    };
    // SAFETY: the session is open, and the provider is copied.
    check("FwpmProviderAdd0", unsafe { FwpmProviderAdd0(engine, &raw const provider, ptr::null()) })
}

fn add_sublayer(engine: HANDLE) -> Result<(), Failure> {
    let sublayer = FWPM_SUBLAYER0 {
        subLayerKey: SUBLAYER,
        displayData: display(wide!("flowtag")),
        flags: 0,
        providerKey: &raw const PROVIDER,
        providerData: FWP_BYTE_BLOB::EMPTY,
        weight: 0, // the lowest (FWPM_SUBLAYER0): everybody who decides comes first
    };
    // SAFETY: the session is open, and the sublayer is copied.
    check("FwpmSubLayerAdd0", unsafe { FwpmSubLayerAdd0(engine, &raw const sublayer, ptr::null()) })
}

fn add_callout(engine: HANDLE, callout: &Callout) -> Result<(), Failure> {
    let callout = FWPM_CALLOUT0 {
        calloutKey: callout.key,
        displayData: display(callout.name),
        flags: 0,
        providerKey: &raw const PROVIDER,
        providerData: FWP_BYTE_BLOB::EMPTY,
        applicableLayer: callout.layer,
        calloutId: 0,
    };
    // SAFETY: the session is open, and the callout is copied.
    check("FwpmCalloutAdd0", unsafe { FwpmCalloutAdd0(engine, &raw const callout, ptr::null(), ptr::null_mut()) })
}

/// Adds a filter without conditions, which matches everything at its layer. The flag that permits what an unregistered
/// callout cannot answer is left out: an inspection filter without its callout is ignored, and permitting is a decision.
fn add_filter(engine: HANDLE, callout: &Callout) -> Result<(), Failure> {
    let filter = FWPM_FILTER0 {
        filterKey: callout.filter,
        displayData: display(callout.name),
        flags: 0,
        providerKey: &raw const PROVIDER,
        providerData: FWP_BYTE_BLOB::EMPTY,
        layerKey: callout.layer,
        subLayerKey: SUBLAYER,
        weight: FWP_VALUE0::EMPTY, // the filter engine's choice
        numFilterConditions: 0,
        filterCondition: ptr::null(),
        action: FWPM_ACTION0 { r#type: FWP_ACTION_CALLOUT_INSPECTION, calloutKey: callout.key },
        rawContext: [0; 2],
        reserved: ptr::null_mut(),
        filterId: 0,
        effectiveWeight: FWP_VALUE0::EMPTY,
    };
    // SAFETY: the session is open, and the filter is copied.
    check("FwpmFilterAdd0", unsafe { FwpmFilterAdd0(engine, &raw const filter, ptr::null(), ptr::null_mut()) })
}

const fn display(name: &'static [u16]) -> FWPM_DISPLAY_DATA0 {
    FWPM_DISPLAY_DATA0 { name: name.as_ptr(), description: ptr::null() }
}
