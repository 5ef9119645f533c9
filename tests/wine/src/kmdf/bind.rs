//! `WdfVersionBind` and `WdfVersionUnbind` (KMDF, kmdf/src/librarycommon/fxlibrarycommon.cpp,
//! `FxLibraryCommonRegisterClient`).
use core::{
    ffi::{CStr, c_void},
    ptr,
};

use super::{FRAMEWORK, Globals, globals, table};
use crate::{
    complain,
    fault::{self, Fault},
    image, missing,
    nt::{DriverObject, INVALID_PARAMETER, SUCCESS, Status},
};

/// `WDF_BIND_INFO` (KMDF, shared/inc/private/common/fxldr.h).
#[repr(C)]
pub struct BindInfo {
    size: u32,
    component: *const u16,
    /// Major, minor, build.
    version: [u32; 3],
    function_count: u32,
    function_table: *mut *const usize,
    module: *mut c_void,
}

const _: () = assert!(size_of::<BindInfo>() == 48);

/// The functions of KMDF 1.31 (KMDF, publicinc/wdf/kmdf/1.31/wdffuncenum.h, `WdfFunctionTableNumEntries`).
pub const FUNCTION_COUNT: usize = 458;

/// What stands in for an import, by somebody else.
pub type StandIns = fn(&CStr) -> Option<*const ()>;

/// Binds a driver. As it is the first thing that an image does, this is also the place to complete its import table.
///
/// # Safety
/// The arguments are those of `WdfVersionBind`.
pub unsafe fn bind(object: *mut DriverObject, info: *mut BindInfo, out: *mut *mut c_void, others: StandIns) -> Status {
    // SAFETY: the caller's promise.
    let info = unsafe { &*info };
    let [major, minor, _] = info.version;
    let exact = info.function_count as usize == FUNCTION_COUNT && size_of::<BindInfo>() == info.size as usize;
    if (major, minor) != (1, 31) || !exact || info.function_table.is_null() {
        complain!("a driver for KMDF {major}.{minor} with {} functions is not modelled", info.function_count);
        return INVALID_PARAMETER;
    }
    if FRAMEWORK.with(|framework| core::mem::replace(&mut framework.bound, true)) {
        complain!("a second driver, or the last one has not unbound");
        return INVALID_PARAMETER;
    }
    FRAMEWORK.with(|framework| framework.object = object);
    let fresh = Globals { driver: 0, flags: 0, tag: 0, name: [0; 32], displace_unload: 0 };
    // SAFETY: no driver is bound, so nobody else reads them.
    unsafe { globals().write(fresh) };
    // More than 438 functions: not copied, the driver's pointer is led to our table.
    // SAFETY: the caller's promise.
    unsafe { info.function_table.write(table::fill()) };
    // SAFETY: as above.
    unsafe { out.write(globals().cast()) };
    // SAFETY: as above.
    let base = unsafe { (*object).start };
    // SAFETY: the driver's image is loaded: it has called.
    unsafe { complete_imports(base, others) };
    SUCCESS
}

/// Puts in what Wine's kernel lacks, and the failing call that a script wants.
///
/// # Safety
/// As for [`image::each_import`].
unsafe fn complete_imports(base: *mut c_void, others: StandIns) {
    let fault = Fault::wanted();
    let mut armed = false;
    let visit = |name: &CStr, slot: *mut usize| {
        if let Some(function) = missing::stand_in(name).or_else(|| others(name)) {
            // SAFETY: an import's slot, of a driver that is just starting.
            unsafe { image::replace(slot, function as usize) };
        }
        if let Some(fault) = &fault
            && name.to_bytes() == fault.import().as_bytes()
        {
            // SAFETY: as above.
            unsafe { fault.arm(slot) };
            armed = true;
        }
    };
    // SAFETY: the caller's promise.
    unsafe { image::each_import(base, visit) };
    if let Some(fault) = &fault
        && !armed
    {
        match table::slot(fault.import()) {
            // SAFETY: a slot of our own table, which the driver does not read yet.
            Some(slot) => unsafe { fault.arm(slot) },
            None => complain!("the driver does not import {}", fault.import()),
        }
    }
}

/// Lets a driver go, and complains of what it has left.
pub fn unbind(driver_globals: *const c_void) -> Status {
    if driver_globals != globals().cast() {
        complain!("WdfVersionUnbind with other globals than those of WdfVersionBind");
    }
    fault::disarm();
    FRAMEWORK.with(|framework| {
        if !framework.bound {
            complain!("WdfVersionUnbind without WdfVersionBind");
        }
        if framework.init.is_some() {
            complain!("a WDFDEVICE_INIT is left: neither WdfDeviceCreate nor WdfDeviceInitFree took it");
        }
        if framework.device.is_some() {
            complain!("the control device is left");
        }
        if framework.keys != 0 {
            complain!("{} keys are left open", framework.keys);
        }
        framework.bound = false;
        framework.object = ptr::null_mut();
        framework.unload = None;
    });
    SUCCESS
}
