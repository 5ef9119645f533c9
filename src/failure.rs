//! A step of loading that failed.
use wdk_sys::{NTSTATUS, STATUS_SUCCESS, STATUS_UNSUCCESSFUL};

/// Which step, and the status that `DriverEntry` returns.
pub struct Failure {
    /// The function that failed.
    pub step: &'static str,
    /// Its status.
    pub status: NTSTATUS,
}

/// Makes a failure of every status but `STATUS_SUCCESS`. Others pass `NT_SUCCESS` too, but none of the functions that are
/// called here documents one, so none of them promises that anything was done. `DriverEntry` must not return such a one:
/// Windows would take a driver that has undone everything for loaded.
pub fn check(step: &'static str, status: NTSTATUS) -> Result<(), Failure> {
    if status == STATUS_SUCCESS {
        return Ok(());
    }
    Err(Failure { step, status: if wdk::nt_success(status) { STATUS_UNSUCCESSFUL } else { status } })
}
