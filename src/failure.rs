//! A step of loading that failed.
use wdk_sys::NTSTATUS;

/// Which step, and the status that `DriverEntry` returns.
pub struct Failure {
    /// The function that failed.
    pub step: &'static str,
    /// Its status.
    pub status: NTSTATUS,
}

/// Makes a failure of a status that is one.
pub fn check(step: &'static str, status: NTSTATUS) -> Result<(), Failure> {
    if wdk::nt_success(status) { Ok(()) } else { Err(Failure { step, status }) }
}
