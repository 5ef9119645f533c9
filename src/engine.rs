//! The filter engine: our provider, sublayer, callouts and filters, in one transaction of a dynamic session.
use core::{
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

use wdk_sys::STATUS_UNSUCCESSFUL;

use crate::{
    callouts::{CALLOUTS, Callout},
    failure::{Failure, check},
    life, print,
    wfp::ffi::{
        FWP_ACTION_CALLOUT_INSPECTION, FWP_BYTE_BLOB, FWP_VALUE0, FWPM_ACTION0, FWPM_CALLOUT0, FWPM_DISPLAY_DATA0,
        FWPM_FILTER0, FWPM_PROVIDER0, FWPM_SESSION_FLAG_DYNAMIC, FWPM_SESSION0, FWPM_SUBLAYER0, FwpmCalloutAdd0,
        FwpmEngineClose0, FwpmEngineOpen0, FwpmFilterAdd0, FwpmProviderAdd0, FwpmSubLayerAdd0, FwpmTransactionAbort0,
        FwpmTransactionBegin0, FwpmTransactionCommit0, GUID, HANDLE, RPC_C_AUTHN_WINNT,
    },
    wide::wide,
};

/// Whose everything else is, for who looks at the filter engine's state (Win32, "Best Practices" of the WFP guide: all objects
/// belong to a provider).
static PROVIDER: GUID = GUID::new(0xcd81_96fb, 0x72fc, 0x438c, 0x8271_3803_f3a5_05e8);

/// A sublayer of our own, so that no filter of others can hide traffic from ours within it (Win32, "Filter arbitration").
const SUBLAYER: GUID = GUID::new(0xf591_52a0, 0xa16a, 0x45b6, 0xad79_d2b7_3a6c_3d3b);

/// The open session, or NULL.
static ENGINE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Adds the filters. From the commit on the callouts are called, also when the commit says that it failed: it may have
/// failed after it took effect (a guess: nothing says that it cannot).
///
/// IRQL: `PASSIVE_LEVEL`
pub fn start() -> Result<(), Failure> {
    let engine = open()?;
    ENGINE.store(engine, Ordering::Relaxed);
    // SAFETY: the session is open.
    check("FwpmTransactionBegin0", unsafe { FwpmTransactionBegin0(engine, 0) })?;
    if let Err(failure) = add_objects(engine) {
        // SAFETY: as above. Closing the session would abort the transaction too.
        unsafe { FwpmTransactionAbort0(engine) };
        return Err(failure);
    }
    // SAFETY: as above.
    check("FwpmTransactionCommit0", unsafe { FwpmTransactionCommit0(engine) })
}

/// Ends the session, if it is open, and everything that was added in it with it.
///
/// IRQL: `PASSIVE_LEVEL`
pub fn close() {
    let engine = ENGINE.swap(ptr::null_mut(), Ordering::Relaxed);
    if engine.is_null() {
        return;
    }
    // SAFETY: the session is open, and no longer known to anybody else.
    let status = unsafe { FwpmEngineClose0(engine) };
    if !wdk::nt_success(status) {
        // The filter engine's service may have stopped, and the session with it.
        print::life(|line| life::not_closed(line, status));
    }
}

fn open() -> Result<HANDLE, Failure> {
    let session = FWPM_SESSION0 {
        sessionKey: GUID::ZERO,
        displayData: display(wide!("flowtag")),
        // Should the driver die, the filter engine removes what it added.
        flags: FWPM_SESSION_FLAG_DYNAMIC,
        txnWaitTimeoutInMSec: 0,
        processId: 0,
        sid: ptr::null_mut(),
        username: ptr::null_mut(),
        kernelMode: 0,
    };
    let mut engine = ptr::null_mut();
    // SAFETY: the session is described and the handle stored in locals.
    let status =
        unsafe { FwpmEngineOpen0(ptr::null(), RPC_C_AUTHN_WINNT, ptr::null(), &raw const session, &raw mut engine) };
    check("FwpmEngineOpen0", status)?;
    if engine.is_null() {
        return Err(Failure { step: "FwpmEngineOpen0", status: STATUS_UNSUCCESSFUL });
    }
    Ok(engine)
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

fn add_provider(engine: HANDLE) -> Result<(), Failure> {
    let provider = FWPM_PROVIDER0 {
        providerKey: PROVIDER,
        displayData: display(wide!("flowtag")),
        flags: 0,
        providerData: FWP_BYTE_BLOB::EMPTY,
        serviceName: ptr::null(), // is asked for persistent objects only, of which there are none
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
        filterKey: GUID::ZERO,
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
