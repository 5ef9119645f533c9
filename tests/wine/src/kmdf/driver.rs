//! `WdfDriverCreate`, and the unload routine that it gives a driver.
use core::ffi::c_void;

use super::{DRIVER, FRAMEWORK, globals, registry};
use crate::{
    complain,
    nt::{
        DRIVER_INTERNAL_ERROR, DriverObject, INFO_LENGTH_MISMATCH, INVALID_PARAMETER, NOT_SUPPORTED, SUCCESS, Status,
        UnicodeString,
    },
};

/// `WDF_DRIVER_CONFIG` (KMDF, publicinc/wdf/kmdf/1.31/wdfdriver.h).
#[repr(C)]
pub struct Config {
    size: u32,
    device_add: *const c_void,
    unload: Option<unsafe extern "C" fn(usize)>,
    flags: u32,
    pool_tag: u32,
}

const _: () = assert!(size_of::<Config>() == 32);

/// `WdfDriverInitNonPnpDriver`.
const NON_PNP: u32 = 1;
/// The flags that there are: without Plug and Play, without dispatch override, companion (wdfdriver.h).
const VALID_FLAGS: u32 = 0x13;

/// KMDF, shared/core/fxdriverapi.cpp.
pub unsafe extern "C" fn create(
    driver_globals: *mut c_void,
    object: *mut DriverObject,
    registry_path: *const UnicodeString,
    attributes: *const c_void,
    config: *const Config,
    out: *mut usize,
) -> Status {
    if !super::check("WdfDriverCreate", driver_globals, 0, 0) {
        return INVALID_PARAMETER;
    }
    // SAFETY: from the driver, as its headers ask; so below.
    let config = unsafe { &*config };
    // SAFETY: as above.
    let registry_path = unsafe { &*registry_path };
    if config.size as usize != size_of::<Config>() {
        return INFO_LENGTH_MISMATCH;
    }
    if config.flags & !VALID_FLAGS != 0 || !registry_path.is_valid() {
        return INVALID_PARAMETER;
    }
    if FRAMEWORK.with(|framework| framework.unload.is_some()) {
        return DRIVER_INTERNAL_ERROR;
    }
    if !out.is_null() {
        // SAFETY: as above.
        unsafe { out.write(0) };
    }
    if config.flags == NON_PNP && !config.device_add.is_null() {
        return INVALID_PARAMETER;
    }
    let Some(evt_unload) = config.unload.filter(|_| config.flags == NON_PNP && attributes.is_null()) else {
        complain!("WdfDriverCreate for a driver of another kind, or with attributes, is not modelled");
        return NOT_SUPPORTED;
    };
    registry::register_version(registry_path);
    FRAMEWORK.with(|framework| framework.unload = Some(evt_unload));
    // SAFETY: the driver's own object (KMDF, shared/core/fxdriver.cpp: such a driver gets this, and no AddDevice).
    unsafe { (*object).unload = Some(unload) };
    // SAFETY: this thread loads the driver.
    let shared = unsafe { &mut *globals() };
    shared.driver = DRIVER;
    shared.flags |= config.flags;
    // The driver's entry code then unbinds behind the unload routine.
    shared.displace_unload = 1;
    if !out.is_null() {
        // SAFETY: as above.
        unsafe { out.write(DRIVER) };
    }
    SUCCESS
}

/// `FxDriver::Unload` (KMDF, shared/core/fxdriver.cpp).
unsafe extern "C" fn unload(object: *mut DriverObject) {
    let evt_unload = FRAMEWORK.with(|framework| {
        if framework.object != object {
            complain!("another driver is unloaded");
        }
        framework.unload
    });
    if let Some(evt_unload) = evt_unload {
        // SAFETY: the driver's own, for which it is called now.
        unsafe { evt_unload(DRIVER) };
    }
}
