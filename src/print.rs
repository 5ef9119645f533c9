//! Sends lines to the kernel debugger.
use core::sync::atomic::{AtomicU32, Ordering};

use wdk_sys::{
    _DPFLTR_TYPE::DPFLTR_IHVNETWORK_ID,
    DPFLTR_ERROR_LEVEL, DPFLTR_INFO_LEVEL, NTSTATUS,
    ntddk::{DbgPrintEx, DbgQueryDebugFilterState},
};

use crate::{
    etw::{self, Id, fields},
    life,
    line::Line,
    settings::TRACE_LEVEL,
    totals::Total,
};

const COMPONENT: u32 = DPFLTR_IHVNETWORK_ID.cast_unsigned();

static LEVEL: AtomicU32 = AtomicU32::new(TRACE_LEVEL.default);

/// How much is traced.
///
/// IRQL: any
pub fn level() -> u32 {
    LEVEL.load(Ordering::Relaxed)
}

/// Sets how much is traced.
///
/// IRQL: any
pub fn set_level(level: u32) {
    LEVEL.store(level, Ordering::Relaxed);
}

/// Ends the lines about flows, for an unload that has taken long enough.
///
/// IRQL: any
pub fn quiet() {
    set_level(0);
}

/// Prints a line about a flow, if as much is traced and anybody sees it.
///
/// IRQL: <= `DISPATCH_LEVEL`
pub fn flow(least_level: u32, write: impl FnOnce(&mut Line)) {
    if is_flow_seen(least_level) {
        print(DPFLTR_INFO_LEVEL, write);
    }
}

/// Whether as much about flows is traced, and anybody sees it.
///
/// IRQL: any
pub fn is_flow_seen(least_level: u32) -> bool {
    level() >= least_level && is_seen()
}

/// Whether lines about flows are seen: else all the work for one would be for nothing. Neither a debugger nor a callback for debug
/// output gets what the filter does not let pass.
///
/// wdm.h declares the function, and no page has it. That it answers 1 or 0, and may be called wherever `DbgPrintEx` may, is
/// taken from disassemblies of three builds: it only calls `NtQueryDebugFilterState`, a leaf that reads the masks, and
/// with which `DbgPrintEx` begins before it formats anything; and it lies among functions that run at `DISPATCH_LEVEL`.
///
/// IRQL: any
fn is_seen() -> bool {
    // SAFETY: there is nothing to get wrong.
    let state = unsafe { DbgQueryDebugFilterState(COMPONENT, DPFLTR_INFO_LEVEL) };
    // A failure is not known to happen; then the line is printed, and Windows decides.
    state != 0
}

/// Prints a line about the driver.
///
/// IRQL: <= `DISPATCH_LEVEL`
pub fn life(write: impl FnOnce(&mut Line)) {
    print(DPFLTR_ERROR_LEVEL, write);
}

/// Says in a line and an event that a step failed, and that the driver goes on without what it was for.
///
/// IRQL: <= `DISPATCH_LEVEL`
pub fn failed(step: &str, status: NTSTATUS, write: impl FnOnce(&mut Line)) {
    life(write);
    etw::write(Id::Failed, |payload| fields::step(payload, step, status));
}

/// Says in a line and an event that a step failed, and is tried again.
///
/// IRQL: <= `DISPATCH_LEVEL`
pub fn retrying(step: &str, status: NTSTATUS, write: impl FnOnce(&mut Line)) {
    life(write);
    etw::write(Id::Retrying, |payload| fields::step(payload, step, status));
}

/// Counts a loss, and prints a line for the first of its kind.
///
/// IRQL: <= `DISPATCH_LEVEL`, without the ring's lock
pub fn lost(total: &Total, kind: &str, status: Option<NTSTATUS>) {
    if total.count() {
        life(|line| life::lost(line, kind, status));
        etw::write(Id::Lost, |payload| fields::step(payload, kind, status.unwrap_or_default()));
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
    unsafe { DbgPrintEx(COMPONENT, level, c"%s".as_ptr(), line.as_ptr()) };
}
