//! script.sys: a driver whose start acts out some lines of the script, in the same process as the driver under test.
#![no_std]

use flowtag_wine_stand_ins::nt::{DriverObject, SUCCESS, Status};

#[link(name = "fwpkclnt.sys", kind = "raw-dylib", modifiers = "+verbatim")]
unsafe extern "C" {
    safe fn StandInAct();
}

unsafe extern "C" fn unload(_object: *mut DriverObject) {}

/// # Safety
/// Called by the kernel only.
#[unsafe(export_name = "DriverEntry")]
pub unsafe extern "C" fn driver_entry(object: *mut DriverObject) -> Status {
    // SAFETY: from the kernel.
    unsafe { (*object).unload = Some(unload) };
    StandInAct();
    SUCCESS
}
