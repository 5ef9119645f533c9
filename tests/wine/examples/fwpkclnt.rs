//! fwpkclnt.sys. Started as a service of its own, it stays loaded, and its flows with it, from one life of the driver under
//! test to the next.
#![no_std]

use core::{
    ffi::{CStr, c_char, c_void},
    ptr,
};

use flowtag_wine_stand_ins::{
    nt::{SUCCESS, Status},
    processes,
    wfp::{self, Callout, ChangeFn, Guid, NewCallout, NewFilter, NewProvider, NewSublayer, Session},
};

/// Loads, and cannot be unloaded.
#[unsafe(export_name = "DriverEntry")]
pub extern "C" fn driver_entry() -> Status {
    SUCCESS
}

/// For script.sys: acts out the lines that are wanted.
#[unsafe(export_name = "StandInAct")]
pub extern "C" fn act() {
    wfp::act();
}

/// For WDFLDR.SYS: the driver under test has left.
#[unsafe(export_name = "StandInLeft")]
pub extern "C" fn left() {
    wfp::left();
    processes::left();
}

/// For WDFLDR.SYS: what stands in for an import that is about processes, which begin and exit here; NULL for another one.
///
/// # Safety
/// The name ends with NUL.
#[unsafe(export_name = "StandInProcesses")]
pub unsafe extern "C" fn processes(import: *const c_char) -> *const c_void {
    // SAFETY: the caller's promise.
    let import = unsafe { CStr::from_ptr(import) };
    processes::stand_in(import).map_or(ptr::null(), <*const ()>::cast)
}

/// # Safety
/// As DDI asks; so below.
#[unsafe(export_name = "FwpsCalloutRegister2")]
pub unsafe extern "C" fn callout_register(device: *const c_void, callout: *const Callout, id: *mut u32) -> Status {
    // SAFETY: the caller's promise; so below.
    match wfp::register(device, unsafe { &*callout }) {
        Ok(number) => {
            if !id.is_null() {
                // SAFETY: as above.
                unsafe { id.write(number) };
            }
            SUCCESS
        }
        Err(status) => status,
    }
}

/// `FwpsCalloutUnregisterById0`.
#[unsafe(export_name = "FwpsCalloutUnregisterById0")]
pub extern "C" fn callout_unregister(id: u32) -> Status {
    wfp::unregister(id)
}

/// `FwpsFlowAssociateContext0`.
#[unsafe(export_name = "FwpsFlowAssociateContext0")]
pub extern "C" fn associate(flow: u64, layer: u16, callout: u32, context: u64) -> Status {
    wfp::associate(flow, layer, callout, context)
}

/// `FwpsFlowRemoveContext0`.
#[unsafe(export_name = "FwpsFlowRemoveContext0")]
pub extern "C" fn remove(flow: u64, layer: u16, callout: u32) -> Status {
    wfp::remove(flow, layer, callout)
}

/// # Safety
/// As DDI asks.
#[unsafe(export_name = "FwpmBfeStateSubscribeChanges0")]
pub unsafe extern "C" fn subscribe(
    device: *const c_void,
    callback: Option<ChangeFn>,
    context: *mut c_void,
    subscription: *mut usize,
) -> Status {
    match wfp::subscribe(device, callback, context) {
        Ok(handle) => {
            // SAFETY: the caller's promise.
            unsafe { subscription.write(handle) };
            SUCCESS
        }
        Err(status) => status,
    }
}

/// `FwpmBfeStateGet0`.
#[unsafe(export_name = "FwpmBfeStateGet0")]
pub extern "C" fn state() -> u32 {
    wfp::state()
}

/// `FwpmBfeStateUnsubscribeChanges0`.
#[unsafe(export_name = "FwpmBfeStateUnsubscribeChanges0")]
pub extern "C" fn unsubscribe(subscription: usize) -> Status {
    wfp::unsubscribe(subscription)
}

/// # Safety
/// As DDI asks.
#[unsafe(export_name = "FwpmEngineOpen0")]
pub unsafe extern "C" fn engine_open(
    server: *const u16,
    _authentication: u32,
    _identity: *const c_void,
    session: *const Session,
    engine: *mut usize,
) -> Status {
    // SAFETY: the caller's promise.
    match wfp::open(!server.is_null(), unsafe { session.as_ref() }) {
        Ok(handle) => {
            // SAFETY: as above.
            unsafe { engine.write(handle) };
            SUCCESS
        }
        Err(status) => status,
    }
}

/// `FwpmEngineClose0`.
#[unsafe(export_name = "FwpmEngineClose0")]
pub extern "C" fn engine_close(engine: usize) -> Status {
    wfp::close(engine)
}

/// `FwpmTransactionBegin0`.
#[unsafe(export_name = "FwpmTransactionBegin0")]
pub extern "C" fn begin(engine: usize, _flags: u32) -> Status {
    wfp::begin(engine)
}

/// `FwpmTransactionCommit0`.
#[unsafe(export_name = "FwpmTransactionCommit0")]
pub extern "C" fn commit(engine: usize) -> Status {
    wfp::commit(engine)
}

/// `FwpmTransactionAbort0`.
#[unsafe(export_name = "FwpmTransactionAbort0")]
pub extern "C" fn abort(engine: usize) -> Status {
    wfp::abort(engine)
}

/// # Safety
/// As DDI asks.
#[unsafe(export_name = "FwpmProviderAdd0")]
pub unsafe extern "C" fn add_provider(engine: usize, provider: *const NewProvider, _security: *const c_void) -> Status {
    // SAFETY: the caller's promise.
    wfp::add_provider(engine, unsafe { &*provider })
}

/// # Safety
/// As DDI asks.
#[unsafe(export_name = "FwpmSubLayerAdd0")]
pub unsafe extern "C" fn add_sublayer(engine: usize, sublayer: *const NewSublayer, _security: *const c_void) -> Status {
    // SAFETY: the caller's promise.
    wfp::add_sublayer(engine, unsafe { &*sublayer })
}

/// # Safety
/// As DDI asks. The id is not given: a caller that wants it is not modelled.
#[unsafe(export_name = "FwpmCalloutAdd0")]
pub unsafe extern "C" fn add_callout(
    engine: usize,
    callout: *const NewCallout,
    _security: *const c_void,
    _id: *mut u32,
) -> Status {
    // SAFETY: the caller's promise.
    wfp::add_callout(engine, unsafe { &*callout })
}

/// # Safety
/// As for [`add_callout`].
#[unsafe(export_name = "FwpmFilterAdd0")]
pub unsafe extern "C" fn add_filter(
    engine: usize,
    filter: *const NewFilter,
    _security: *const c_void,
    _id: *mut u64,
) -> Status {
    // SAFETY: the caller's promise.
    wfp::add_filter(engine, unsafe { &*filter })
}

/// # Safety
/// As DDI asks.
#[unsafe(export_name = "FwpmFilterDeleteByKey0")]
pub unsafe extern "C" fn delete_filter(engine: usize, key: *const Guid) -> Status {
    // SAFETY: the caller's promise.
    wfp::delete_filter(engine, unsafe { *key })
}

/// # Safety
/// As DDI asks.
#[unsafe(export_name = "FwpmCalloutDeleteByKey0")]
pub unsafe extern "C" fn delete_callout(engine: usize, key: *const Guid) -> Status {
    // SAFETY: the caller's promise.
    wfp::delete_callout(engine, unsafe { *key })
}

/// # Safety
/// As DDI asks.
#[unsafe(export_name = "FwpmSubLayerDeleteByKey0")]
pub unsafe extern "C" fn delete_sublayer(engine: usize, key: *const Guid) -> Status {
    // SAFETY: the caller's promise.
    wfp::delete_sublayer(engine, unsafe { *key })
}

/// # Safety
/// As DDI asks.
#[unsafe(export_name = "FwpmProviderDeleteByKey0")]
pub unsafe extern "C" fn delete_provider(engine: usize, key: *const Guid) -> Status {
    // SAFETY: the caller's promise.
    wfp::delete_provider(engine, unsafe { *key })
}
