//! WDFLDR.SYS.
#![no_std]

use core::ffi::{CStr, c_char, c_void};

use flowtag_wine_stand_ins::{
    kmdf::{self, BindInfo},
    nt::{DriverObject, SUCCESS, Status, UnicodeString},
};

#[link(name = "fwpkclnt.sys", kind = "raw-dylib", modifiers = "+verbatim")]
unsafe extern "C" {
    safe fn StandInLeft();
    fn StandInProcesses(import: *const c_char) -> *const c_void;
}

/// Nothing: Wine does not call the entry point of a module that another one imports.
#[unsafe(export_name = "DriverEntry")]
pub extern "C" fn driver_entry() -> Status {
    SUCCESS
}

/// # Safety
/// As KMDF's loader asks.
#[unsafe(export_name = "WdfVersionBind")]
pub unsafe extern "C" fn version_bind(
    driver: *mut DriverObject,
    _registry_path: *const UnicodeString,
    info: *mut BindInfo,
    globals: *mut *mut c_void,
) -> Status {
    // SAFETY: the caller's promise.
    unsafe { kmdf::bind(driver, info, globals, processes) }
}

fn processes(import: &CStr) -> Option<*const ()> {
    // SAFETY: the name ends with NUL.
    let function = unsafe { StandInProcesses(import.as_ptr()) };
    (!function.is_null()).then_some(function.cast())
}

/// `WdfVersionUnbind`.
#[unsafe(export_name = "WdfVersionUnbind")]
pub extern "C" fn version_unbind(
    _registry_path: *const UnicodeString,
    _info: *mut BindInfo,
    globals: *const c_void,
) -> Status {
    StandInLeft();
    kmdf::unbind(globals)
}
