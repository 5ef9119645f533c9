//! The kernel's clock, whose unit is 100 ns.
use wdk_sys::{
    _MODE::KernelMode,
    BOOLEAN, KPROCESSOR_MODE, LARGE_INTEGER,
    ntddk::{KeDelayExecutionThread, KeQueryUnbiasedInterruptTime},
};

/// How many of them a millisecond has.
pub const UNITS_PER_MILLISECOND: u64 = 10_000;

/// The time on a clock that stands still while the machine sleeps.
///
/// IRQL: any
pub fn units() -> u64 {
    // SAFETY: there is nothing to get wrong.
    unsafe { KeQueryUnbiasedInterruptTime() }
}

/// Milliseconds on the same clock.
///
/// IRQL: any
pub fn milliseconds() -> u64 {
    units() / UNITS_PER_MILLISECOND
}

/// Puts the thread to sleep.
///
/// IRQL: <= `APC_LEVEL`
pub fn sleep(milliseconds: u64) {
    #[expect(clippy::cast_possible_truncation, reason = "it is 0")]
    const KERNEL_MODE: KPROCESSOR_MODE = KernelMode as KPROCESSOR_MODE;
    // Negative is relative.
    let units = milliseconds.wrapping_mul(UNITS_PER_MILLISECOND).cast_signed().wrapping_neg();
    let mut interval = LARGE_INTEGER { QuadPart: units };
    // SAFETY: the interval outlives the call.
    let _ = unsafe { KeDelayExecutionThread(KERNEL_MODE, BOOLEAN::from(false), &raw mut interval) };
}
