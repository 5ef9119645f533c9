//! The driver's settings, in Wine's registry.
use core::{ffi::c_void, ptr};

use super::{DRIVER, FRAMEWORK, KEY, check};
use crate::{
    complain,
    lock::Lock,
    nt::{
        self, BUFFER_OVERFLOW, INVALID_PARAMETER, NOT_SUPPORTED, OBJECT_TYPE_MISMATCH, ObjectAttributes, Status,
        UnicodeString,
    },
    utf16,
};

/// `KEY_READ`.
const READ: u32 = 0x2_0019;
/// `KEY_WRITE`.
const WRITE: u32 = 0x2_0006;
const REG_DWORD: u32 = 4;

/// The key of the driver's service, by its path.
struct ServiceKey {
    text: [u16; 320],
    bytes: u16,
}

static SERVICE: Lock<ServiceKey> = Lock::new(ServiceKey { text: [0; 320], bytes: 0 });

/// `FX_DRIVER_GLOBALS::RegisterClientVersion` (KMDF, shared/object/km/globalskm.cpp), which `WdfDriverCreate` calls: the
/// keys `Parameters` and `Parameters\Wdf` are made, with the version that the driver is bound to.
pub fn register_version(service: &UnicodeString) {
    remember(service);
    let Some(key) = open_service(READ | WRITE) else {
        complain!("the service's key cannot be opened");
        return;
    };
    let parameters = create_below(key, utf16!("Parameters"));
    let wdf = create_below(parameters, utf16!("Wdf"));
    for (name, number) in [(utf16!("WdfMajorVersion"), 1_u32), (utf16!("WdfMinorVersion"), 31)] {
        let data = (&raw const number).cast();
        // SAFETY: a key of ours, and locals.
        let status = unsafe { nt::ZwSetValueKey(wdf, &raw const name, 0, REG_DWORD, data, 4) };
        if !nt::is_success(status) {
            complain!("a value below Parameters\\Wdf cannot be set: {status:#010x}");
        }
    }
    for key in [wdf, parameters, key] {
        // SAFETY: opened above; Wine refuses one that was not.
        unsafe { nt::ZwClose(key) };
    }
}

fn remember(service: &UnicodeString) {
    SERVICE.with(|kept| {
        kept.bytes = service.length;
        for (index, unit) in kept.text.iter_mut().enumerate().take(usize::from(service.length / 2)) {
            // SAFETY: within the string's length.
            *unit = unsafe { service.buffer.wrapping_add(index).read() };
        }
    });
}

fn open_service(access: u32) -> Option<*mut c_void> {
    SERVICE.with(|service| {
        let name =
            UnicodeString { length: service.bytes, maximum_length: service.bytes, buffer: service.text.as_ptr() };
        open(ptr::null_mut(), name, access).ok()
    })
}

fn open(root: *mut c_void, name: UnicodeString, access: u32) -> Result<*mut c_void, Status> {
    let attributes = ObjectAttributes::new(root, &raw const name);
    let mut key = ptr::null_mut();
    // SAFETY: locals.
    let status = unsafe { nt::ZwOpenKey(&raw mut key, access, &raw const attributes) };
    if nt::is_success(status) { Ok(key) } else { Err(status) }
}

fn create_below(root: *mut c_void, name: UnicodeString) -> *mut c_void {
    let attributes = ObjectAttributes::new(root, &raw const name);
    let mut key = ptr::null_mut();
    // SAFETY: locals.
    let status = unsafe {
        nt::ZwCreateKey(&raw mut key, READ | WRITE, &raw const attributes, 0, ptr::null(), 0, ptr::null_mut())
    };
    if !nt::is_success(status) {
        complain!("a key below the service's cannot be made: {status:#010x}");
    }
    key
}

/// KMDF, shared/core/km/fxdriverapikm.cpp: for reading, the key is opened and never made.
pub unsafe extern "C" fn open_parameters(
    driver_globals: *mut c_void,
    driver: usize,
    access: u32,
    attributes: *const c_void,
    out: *mut usize,
) -> Status {
    if !check("WdfDriverOpenParametersRegistryKey", driver_globals, driver, DRIVER) {
        return INVALID_PARAMETER;
    }
    // SAFETY: from the driver, as its headers ask; so below.
    unsafe { out.write(0) };
    if access & !READ != 0 || !attributes.is_null() {
        complain!("WdfDriverOpenParametersRegistryKey for writing, or with attributes, is not modelled");
        return NOT_SUPPORTED;
    }
    let Some(service) = open_service(READ) else { return nt::UNSUCCESSFUL };
    let key = open(service, utf16!("Parameters"), access);
    // SAFETY: opened above.
    unsafe { nt::ZwClose(service) };
    match key {
        Ok(key) => {
            // SAFETY: as above.
            unsafe { out.write(KEY + key.addr()) };
            FRAMEWORK.with(|framework| framework.keys += 1);
            nt::SUCCESS
        }
        Err(status) => status,
    }
}

/// The kernel's handle of a key.
fn handle_of(function: &str, driver_globals: *const c_void, key: usize) -> Option<*mut c_void> {
    let Some(handle) = key.checked_sub(KEY) else {
        complain!("{function} with {key:#x}, which is no key");
        return None;
    };
    check(function, driver_globals, key, key).then_some(ptr::without_provenance_mut(handle))
}

/// KMDF, shared/support/fxregistryapi.cpp, and `FxRegKey::_QueryULong` of shared/support/km/fxregkeykm.cpp.
pub unsafe extern "C" fn query_u32(
    driver_globals: *mut c_void,
    key: usize,
    name: *const UnicodeString,
    out: *mut u32,
) -> Status {
    /// `KeyValuePartialInformation`.
    const PARTIAL: u32 = 2;
    let Some(key) = handle_of("WdfRegistryQueryULong", driver_globals, key) else { return INVALID_PARAMETER };
    // SAFETY: from the driver, as its headers ask; so below.
    if !unsafe { &*name }.is_valid() {
        return INVALID_PARAMETER;
    }
    // Title, type, length, data.
    let mut value = [0_u32; 4];
    let mut needed = 0;
    // SAFETY: locals, and the key is the driver's.
    let status = unsafe { nt::ZwQueryValueKey(key, name, PARTIAL, value.as_mut_ptr().cast(), 16, &raw mut needed) };
    if (nt::is_success(status) || status == BUFFER_OVERFLOW) && value[1] != REG_DWORD {
        return OBJECT_TYPE_MISMATCH;
    }
    if nt::is_success(status) {
        // SAFETY: as above.
        unsafe { out.write(value[3]) };
    }
    status
}

/// `WdfRegistryClose`.
pub unsafe extern "C" fn close(driver_globals: *mut c_void, key: usize) {
    let Some(key) = handle_of("WdfRegistryClose", driver_globals, key) else { return };
    FRAMEWORK.with(|framework| framework.keys -= 1);
    // SAFETY: opened for the driver, which gives it back.
    unsafe { nt::ZwClose(key) };
}
