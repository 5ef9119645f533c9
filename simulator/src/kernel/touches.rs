//! Which calls of the kernel touch what threads share, for the interleavings.

use crate::{
    computer::Call,
    interleave::{Part, Touches},
};

/// Rundown protection; its word lies in the driver's memory.
pub const RUNDOWN: Touches = Touches::writing(Part::numbered(1)).and_driver_memory();

/// A device object is referenced, or a reference released.
pub const DEVICES: Touches = Touches::reading(DEVICE_OBJECTS);
/// That none is left is seen.
pub(super) const DEVICES_GONE: Touches = Touches::writing(DEVICE_OBJECTS);
/// References to device objects: adding to them commutes.
const DEVICE_OBJECTS: Part = Part::numbered(7);

/// Who runs, who is told of it, and what keeps those that have exited.
pub(super) const PROCESSES: Touches = Touches::writing(Part::numbered(12));

pub(super) fn of(call: &Call<'_>) -> Option<Touches> {
    Some(match call.name() {
        // A process keeps its key, its time and its name; a fresh block is nobody else's, IRQL and stack are the thread's own, and trace lines and the time are not
        // what the driver's threads do depends on. Points of their own have the waits.
        "KfRaiseIrql"
        | "KeLowerIrql"
        | "KeQueryUnbiasedInterruptTime"
        | "DbgPrintEx"
        | "DbgQueryDebugFilterState"
        | "ExAllocatePool2"
        | "KeDelayExecutionThread"
        | "PsGetProcessStartKey"
        | "PsGetProcessCreateTimeQuadPart"
        | "SeLocateProcessImageName"
        | "RtlDowncaseUnicodeString"
        | "ExWaitForRundownProtectionRelease" => return None,
        "ExFreePoolWithTag" | "ExFreePool" => Touches::DRIVER_MEMORY,
        _ if call.may_be_made_to_fail() => Touches::EVERYTHING,
        "PsLookupProcessByProcessId"
        | "PsGetProcessExitStatus"
        | "ObfDereferenceObject"
        | "ObOpenObjectByPointer"
        | "ZwClose"
        | "ZwQueryInformationProcess"
        | "ZwQuerySystemInformation" => PROCESSES,
        "PsSetCreateProcessNotifyRoutineEx2" => PROCESSES.and_driver_memory(),
        "ExAcquireRundownProtection" | "ExReleaseRundownProtection" => RUNDOWN,
        _ => Touches::EVERYTHING,
    })
}
