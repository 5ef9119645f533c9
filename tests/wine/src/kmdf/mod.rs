//! A stand-in for WDFLDR.SYS and the framework behind it: one driver without Plug and Play, its control device, and its
//! settings.
mod bind;
mod device;
mod driver;
mod registry;
mod table;

use core::{cell::UnsafeCell, ffi::c_void, ptr};

pub use bind::{BindInfo, bind, unbind};
use device::{Device, DeviceInit};

use crate::{complain, lock::Lock, nt::DriverObject};

/// `WDF_DRIVER_GLOBALS` (KMDF, publicinc/wdf/kmdf/1.31/wdfglobals.h).
#[repr(C)]
struct Globals {
    driver: usize,
    flags: u32,
    tag: u32,
    name: [u8; 32],
    displace_unload: u8,
}

/// The globals, which driver and framework share.
struct SharedGlobals(UnsafeCell<Globals>);

// SAFETY: written while the driver is loaded or unloaded, by one thread.
unsafe impl Sync for SharedGlobals {}

static GLOBALS: SharedGlobals =
    SharedGlobals(UnsafeCell::new(Globals { driver: 0, flags: 0, tag: 0, name: [0; 32], displace_unload: 0 }));

/// Handles, which are no addresses: there is one object of each kind.
const DRIVER: usize = 0x1000;
const INIT: usize = 0x2000;
const DEVICE: usize = 0x3000;
/// A key's handle is this and the kernel's handle of the key.
const KEY: usize = 0x4000_0000;

/// What the framework knows of its driver.
struct Framework {
    bound: bool,
    object: *mut DriverObject,
    /// `EvtDriverUnload`; [`None`] before `WdfDriverCreate`.
    unload: Option<unsafe extern "C" fn(usize)>,
    init: Option<DeviceInit>,
    device: Option<Device>,
    /// Keys that are open.
    keys: u32,
}

// SAFETY: the pointers are the kernel's, which takes them from any thread.
unsafe impl Send for Framework {}

static FRAMEWORK: Lock<Framework> =
    Lock::new(Framework { bound: false, object: ptr::null_mut(), unload: None, init: None, device: None, keys: 0 });

/// The address of the globals, as the driver got it.
fn globals() -> *mut Globals {
    GLOBALS.0.get()
}

/// Complains of a call with globals or handle that are not ours: KMDF stops the machine (0x10D).
fn check(function: &str, driver_globals: *const c_void, handle: usize, expected: usize) -> bool {
    if driver_globals != globals().cast() {
        complain!("{function} with other globals than those of WdfVersionBind");
        return false;
    }
    if handle != expected {
        complain!("{function} with handle {handle:#x}, which is not {expected:#x}");
        return false;
    }
    true
}
