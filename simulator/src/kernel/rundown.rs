//! Rundown protection: `ExAcquireRundownProtection` and its family, on the driver's own `EX_RUNDOWN_REF`.
//!
//! As in the kernel, bit 0 says that rundown has begun and the count is kept above it. (The kernel keeps a pointer to a
//! wait block there during the wait; the type is opaque, so no driver may look.) The uppermost bits say that it was initialized,
//! which comes before everything else (DDI `ExInitializeRundownProtection`): the kernel takes zeros as they are, and a driver
//! that rests on that is found here.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::RUNDOWN;
use crate::{
    computer::{Call, Export, Fails, Input, Irql, argument, memory},
    interleave::{self, Touches},
};

/// The wait has begun: no reference is given out any more.
const ACTIVE: u64 = 1;
/// One reference.
const REFERENCE: u64 = 2;
/// Initialized, in the bits of [`MARK`]: nothing that memory holds by chance.
const INITIALIZED: u64 = 0x5255 << 48;
const MARK: u64 = 0xffff << 48;

/// A wait that lasts longer is one that never ends.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the waiter looks.
const GLANCE: Duration = Duration::from_micros(50);

const REFERENCE_BY_POINTER: u32 = 0x18;
const MANUALLY_INITIATED_CRASH: u32 = 0xE2;

/// The exports of rundown protection.
pub const EXPORTS: &[Export] = &[
    row("ExInitializeRundownProtection", Irql::DISPATCH, Fails::Never, initialize),
    row("ExAcquireRundownProtection", Irql::DISPATCH, Fails::False, acquire),
    row("ExReleaseRundownProtection", Irql::DISPATCH, Fails::Never, release),
    row("ExWaitForRundownProtectionRelease", Irql::APC, Fails::Never, wait),
];

/// The functions have the same one argument; its contents are the kernel's own.
const RUN_REF: &[Input] = &[argument(0, "RunRef").used("kernel::tests::each_rundown_reference_is_counted_for_itself")];

const fn row(name: &'static str, max_irql: Irql, fails: Fails, run: fn(&Call<'_>) -> u64) -> Export {
    Export { module: "ntoskrnl.exe", name, max_irql, fails, run, inputs: RUN_REF }
}

/// What is in use is not initialized anew: whoever is in would not be waited for.
fn initialize(call: &Call<'_>) -> u64 {
    let rundown = accessible(call);
    let value = rundown.load(Ordering::Acquire);
    if value & MARK == INITIALIZED && references(value) != 0 {
        let reason = "ExInitializeRundownProtection while references are held";
        call.bug_check(REFERENCE_BY_POINTER, [0, call.arg(0), references(value), 0], reason);
    }
    rundown.store(INITIALIZED, Ordering::Release);
    0
}

fn acquire(call: &Call<'_>) -> u64 {
    u64::from(try_acquire(reference(call)))
}

fn release(call: &Call<'_>) -> u64 {
    if !try_release(reference(call)) {
        call.bug_check(
            REFERENCE_BY_POINTER,
            [0, call.arg(0), 0, 0],
            "ExReleaseRundownProtection without an ExAcquireRundownProtection that succeeded",
        );
    }
    0
}

/// Blocks until the last reference is released; from the start no new one is given out.
fn wait(call: &Call<'_>) -> u64 {
    let rundown = reference(call);
    interleave::point("ExWaitForRundownProtectionRelease: begins", RUNDOWN);
    rundown.fetch_or(ACTIVE, Ordering::AcqRel);
    let address = call.arg(0);
    let released = move || memory::read::<u64>(address).is_ok_and(|value| references(value) == 0);
    interleave::wait_until("ExWaitForRundownProtectionRelease: ends", RUNDOWN, released);
    interleave::point("ExWaitForRundownProtectionRelease: over", Touches::DRIVER_CODE);
    let started = Instant::now();
    loop {
        let left = references(rundown.load(Ordering::Acquire));
        if left == 0 {
            return 0;
        }
        if started.elapsed() > PATIENCE {
            call.bug_check(
                MANUALLY_INITIATED_CRASH,
                [0, call.arg(0), left, 0],
                format!("ExWaitForRundownProtectionRelease never returns: {left} references are not released"),
            );
        }
        thread::sleep(GLANCE);
        call.cpu.check_alive();
    }
}

/// One that has been initialized.
fn reference<'a>(call: &'a Call<'_>) -> &'a AtomicU64 {
    let rundown = accessible(call);
    if rundown.load(Ordering::Acquire) & MARK != INITIALIZED {
        let reason = "rundown protection that ExInitializeRundownProtection has not initialized";
        call.bug_check(REFERENCE_BY_POINTER, [0, call.arg(0), 0, 0], reason);
    }
    rundown
}

const fn references(value: u64) -> u64 {
    (value & !MARK) / REFERENCE
}

fn accessible<'a>(call: &'a Call<'_>) -> &'a AtomicU64 {
    let address = call.arg(0);
    call.accessible(memory::read::<u64>(address));
    // SAFETY: accessible (just read), 8-aligned by the type's definition, and used atomically by everyone: the driver
    // knows it only through these four functions.
    unsafe { AtomicU64::from_ptr(address as *mut u64) }
}

fn try_acquire(rundown: &AtomicU64) -> bool {
    let step = |value| (value & ACTIVE == 0).then_some(value + REFERENCE);
    rundown.fetch_update(Ordering::AcqRel, Ordering::Acquire, step).is_ok()
}

fn try_release(rundown: &AtomicU64) -> bool {
    rundown
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, |value| (references(value) != 0).then(|| value - REFERENCE))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_can_be_had_until_rundown_begins() {
        let rundown = AtomicU64::new(INITIALIZED);
        assert!(try_acquire(&rundown));
        rundown.fetch_or(ACTIVE, Ordering::AcqRel);
        assert!(!try_acquire(&rundown));
    }

    #[test]
    fn references_taken_before_rundown_are_released_after_it_began() {
        let rundown = AtomicU64::new(INITIALIZED);
        assert!(try_acquire(&rundown));
        rundown.fetch_or(ACTIVE, Ordering::AcqRel);
        assert!(try_release(&rundown));
        assert_eq!(rundown.load(Ordering::Acquire), INITIALIZED | ACTIVE);
    }

    #[test]
    fn a_release_too_many_is_refused() {
        assert!(!try_release(&AtomicU64::new(INITIALIZED)));
        assert!(!try_release(&AtomicU64::new(INITIALIZED | ACTIVE)));
    }
}
