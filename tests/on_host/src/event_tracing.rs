//! A stand-in for ETW: one session, which a test enables, disables and lets ask for the captured state, and which reads each byte
//! that it is given.

use std::{
    ffi::c_void,
    hint::black_box,
    ptr, slice,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{NTSTATUS, STATUS_SUCCESS, wfp::ffi::GUID};

type Callback = unsafe extern "C" fn(*const GUID, u32, u8, u64, u64, *const c_void, *mut c_void);

const HANDLE: u64 = 0x0e7e;

static CALLBACK: Mutex<Option<Callback>> = Mutex::new(None);
static EVENTS: AtomicUsize = AtomicUsize::new(0);

/// Events that have been written.
pub fn events() -> usize {
    EVENTS.load(Ordering::Relaxed)
}

/// Whether a provider is registered.
pub fn is_registered() -> bool {
    CALLBACK.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

fn tell(code: u32) {
    let callback = *CALLBACK.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(callback) = callback {
        // SAFETY: the driver has registered it. A callback that still runs when the provider goes is its matter.
        unsafe { callback(ptr::null(), code, 0, u64::MAX, 0, ptr::null(), ptr::null_mut()) };
    }
}

/// The session wants everything.
pub fn enable() {
    tell(1);
}

/// The session wants nothing any more.
pub fn disable() {
    tell(0);
}

/// The session asks for the live flows.
pub fn capture() {
    tell(2);
}

#[unsafe(no_mangle)]
extern "C" fn EtwRegister(_id: *const GUID, callback: Callback, _context: *mut c_void, handle: *mut u64) -> NTSTATUS {
    // SAFETY: the driver passes room for it.
    unsafe { handle.write(HANDLE) };
    *CALLBACK.lock().unwrap_or_else(PoisonError::into_inner) = Some(callback);
    STATUS_SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn EtwUnregister(handle: u64) -> NTSTATUS {
    assert_eq!(handle, HANDLE);
    *CALLBACK.lock().unwrap_or_else(PoisonError::into_inner) = None;
    STATUS_SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn EtwSetInformation(handle: u64, _class: u32, information: *const u8, length: u32) -> NTSTATUS {
    assert_eq!(handle, HANDLE);
    // SAFETY: the driver says how long it is.
    black_box(unsafe { slice::from_raw_parts(information, length as usize) }.to_vec());
    STATUS_SUCCESS
}

#[repr(C)]
struct Part {
    address: u64,
    size: u32,
    kind: u32,
}

#[unsafe(no_mangle)]
extern "C" fn EtwWriteTransfer(
    handle: u64,
    _event: *const c_void,
    _activity: *const GUID,
    _related: *const GUID,
    count: u32,
    parts: *const Part,
) -> NTSTATUS {
    assert_eq!(handle, HANDLE);
    // SAFETY: the driver says how many they are.
    for part in unsafe { slice::from_raw_parts(parts, count as usize) } {
        let address = ptr::with_exposed_provenance::<u8>(usize::try_from(part.address).expect("an address"));
        // SAFETY: the driver says how long it is.
        black_box(unsafe { slice::from_raw_parts(address, part.size as usize) }.to_vec());
    }
    EVENTS.fetch_add(1, Ordering::Relaxed);
    STATUS_SUCCESS
}
