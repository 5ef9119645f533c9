//! Sends lines to the kernel debugger.
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use wdk_sys::{_DPFLTR_TYPE::DPFLTR_IHVNETWORK_ID, DPFLTR_ERROR_LEVEL, DPFLTR_INFO_LEVEL, NTSTATUS, ntddk::DbgPrintEx};

use crate::{life, line::Line, settings::TRACE_LEVEL, totals::Total};

static LEVEL: AtomicU32 = AtomicU32::new(TRACE_LEVEL.default);
static QUIET: AtomicBool = AtomicBool::new(false);

/// How much is traced.
///
/// IRQL: any
pub fn level() -> u32 {
    LEVEL.load(Ordering::Relaxed)
}

/// Sets how much is traced. Done before any flow can be seen.
///
/// IRQL: any
pub fn set_level(level: u32) {
    LEVEL.store(level, Ordering::Relaxed);
}

/// Ends the lines about flows, for an unload that has taken long enough.
///
/// IRQL: any
pub fn quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Prints a line about a flow, if as much is traced.
///
/// IRQL: <= `DISPATCH_LEVEL`
pub fn flow(least_level: u32, write: impl FnOnce(&mut Line)) {
    if level() >= least_level && !QUIET.load(Ordering::Relaxed) {
        print(DPFLTR_INFO_LEVEL, write);
    }
}

/// Prints a line about the driver.
///
/// IRQL: <= `DISPATCH_LEVEL`
pub fn life(write: impl FnOnce(&mut Line)) {
    print(DPFLTR_ERROR_LEVEL, write);
}

/// Counts a loss, and prints a line for the first of its kind.
///
/// IRQL: <= `DISPATCH_LEVEL`, without the ring's lock
pub fn lost(total: &Total, kind: &str, status: Option<NTSTATUS>) {
    if total.count() {
        life(|line| life::lost(line, kind, status));
    }
}

/// A leaf of its own: the buffer must not lie on the stack while Windows calls back into the driver. The line goes
/// out through a constant format, since it contains what others chose.
///
/// IRQL: <= `DISPATCH_LEVEL`
#[inline(never)]
fn print(level: u32, write: impl FnOnce(&mut Line)) {
    let mut line = Line::empty();
    write(&mut line);
    // SAFETY: both strings end with NUL, and the format asks for the one that is passed.
    unsafe { DbgPrintEx(DPFLTR_IHVNETWORK_ID.cast_unsigned(), level, c"%s".as_ptr(), line.as_c_str().as_ptr()) };
}
