//! Event tracing, with nobody who listens: providers come and go, and no enable callback is called.
use core::{
    ffi::c_void,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::nt::{self, Status};

/// The one handle that there is, while a provider is registered.
const HANDLE: u64 = 0xE7E7;
/// `EventProviderSetTraits`.
const SET_TRAITS: u32 = 2;

static REGISTERED: AtomicBool = AtomicBool::new(false);

/// `EtwRegister`.
pub(crate) unsafe extern "C" fn register(
    _provider: *const c_void,
    _callback: *const c_void,
    _context: *mut c_void,
    handle: &mut u64,
) -> Status {
    if REGISTERED.swap(true, Ordering::SeqCst) {
        crate::complain!("a second provider is not modelled");
    }
    *handle = HANDLE;
    nt::SUCCESS
}

/// `EtwSetInformation`.
pub(crate) unsafe extern "C" fn set_information(
    handle: u64,
    class: u32,
    _information: *const c_void,
    _length: u32,
) -> Status {
    check("EtwSetInformation", handle);
    if class != SET_TRAITS {
        crate::complain!("EtwSetInformation with class {class} is not modelled");
    }
    nt::SUCCESS
}

/// `EtwUnregister`.
pub(crate) unsafe extern "C" fn unregister(handle: u64) -> Status {
    check("EtwUnregister", handle);
    REGISTERED.store(false, Ordering::SeqCst);
    nt::SUCCESS
}

/// `EtwWriteTransfer`: it succeeds, and nothing is logged (DDI `EtwWrite`).
pub(crate) unsafe extern "C" fn write(
    handle: u64,
    _event: *const c_void,
    _activity: *const c_void,
    _related: *const c_void,
    _count: u32,
    _data: *const c_void,
) -> Status {
    check("EtwWriteTransfer", handle);
    nt::SUCCESS
}

/// DDI `EtwRegister`: no call falls outside the code between it and `EtwUnregister`.
fn check(function: &str, handle: u64) {
    if handle != HANDLE || !REGISTERED.load(Ordering::SeqCst) {
        crate::complain!("{function} with the handle {handle:#x}, while no provider has it");
    }
}
