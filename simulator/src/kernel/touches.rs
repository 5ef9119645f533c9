//! Which calls of the kernel touch what threads share, for the interleavings.

use crate::{
    computer::Call,
    interleave::{Part, Touches},
};

/// Rundown protection; its word lies in the driver's memory.
pub const RUNDOWN: Touches = Touches::writing(Part::numbered(1)).and_driver_memory();

pub(super) fn of(call: &Call<'_>) -> Option<Touches> {
    Some(match call.name() {
        // A fresh block is nobody else's, IRQL and stack are the thread's own, and trace lines and the time are not
        // what the driver's threads do depends on. Points of their own have the waits.
        "KfRaiseIrql"
        | "KeLowerIrql"
        | "KeQueryUnbiasedInterruptTime"
        | "DbgPrintEx"
        | "ExAllocatePool2"
        | "KeDelayExecutionThread"
        | "ExWaitForRundownProtectionRelease" => return None,
        "ExFreePoolWithTag" | "ExFreePool" => Touches::DRIVER_MEMORY,
        "ExAcquireRundownProtection" | "ExReleaseRundownProtection" => RUNDOWN,
        _ => Touches::EVERYTHING,
    })
}
