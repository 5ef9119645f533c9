//! A thread's seat at the table. Threads without one go as they like: every function here then does nothing.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    table::{Halt, Intent, Table, Until},
    touches::Touches,
};
use crate::kernel::{Call, Cpu};

/// Bug check: somebody ended the machine by hand.
const MANUALLY_INITIATED_CRASH: u32 = 0xE2;

struct Seat {
    table: Arc<Table>,
    number: usize,
    /// A thread's own, so that what happens by chance to it does not depend on the others.
    random: ChaCha8Rng,
}

thread_local! {
    static SEATED: Cell<bool> = const { Cell::new(false) };
    static SEAT: RefCell<Option<Seat>> = const { RefCell::new(None) };
}

/// Sits down; `seed` is where the thread's randomness comes from.
pub(super) fn sit(table: Arc<Table>, number: usize, seed: u64) {
    let random = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(number as u64));
    SEAT.set(Some(Seat { table, number, random }));
    SEATED.set(true);
}

/// Gets up; `failed` ends the run of the others as well.
pub(super) fn rise(failed: bool) {
    SEATED.set(false);
    if let Some(Seat { table, number, .. }) = SEAT.take() {
        table.leave(number, failed);
    }
}

/// Comes to a point: the next step is `name`, and touches this.
pub fn point(name: &'static str, touches: Touches) {
    if SEATED.get() {
        arrive(Intent { name, touches, until: Until::Now });
    }
}

/// The step `name` is taken as soon as `ready`. False if the thread has no seat, and must see for itself.
pub(crate) fn wait_until(name: &'static str, touches: Touches, ready: impl Fn() -> bool + Send + 'static) -> bool {
    if SEATED.get() {
        arrive(Intent { name, touches, until: Until::Ready(Box::new(ready)) });
    }
    SEATED.get()
}

/// Lets time pass. False if the thread has no seat, and must wait itself.
pub(crate) fn pause(name: &'static str) -> bool {
    if SEATED.get() {
        arrive(Intent { name, touches: Touches::EVERYTHING, until: Until::Later });
    }
    SEATED.get()
}

/// A random number of the thread's own; `None` if it has no seat.
pub(crate) fn random_below(limit: u64) -> Option<u64> {
    if !SEATED.get() {
        return None;
    }
    SEAT.with_borrow_mut(|seat| seat.as_mut().map(|seat| seat.random.random_range(0..limit)))
}

/// Driver code is about to run.
pub(crate) fn driver_is_entered(name: &'static str) {
    point(name, Touches::DRIVER_CODE);
}

/// An import is about to be served.
pub(crate) fn import_begins(call: &Call<'_>) {
    if SEATED.get() {
        let touches = touches_of(call).unwrap_or(Touches::DRIVER_CODE);
        arrive(Intent { name: call.name(), touches, until: Until::Now });
    }
}

/// An import has been served: what it did to others comes before what its caller does next.
pub(crate) fn import_ends(call: &Call<'_>) {
    if SEATED.get() && touches_of(call).is_some() {
        arrive(Intent { name: "…", touches: Touches::DRIVER_CODE, until: Until::Now });
    }
}

/// What an import touches besides the caller's own; `None` for nothing: then the driver code behind it belongs to the
/// same step. An import that is not listed touches everything.
fn touches_of(call: &Call<'_>) -> Option<Touches> {
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
        "ExAcquireRundownProtection" | "ExReleaseRundownProtection" => Touches::RUNDOWN,
        "FwpsFlowAssociateContext0" => {
            let ends_flows = call.machine.wfp().switches().end_flow_after_associations.is_some();
            let contexts = Touches::flow(call.arg(0)).and(Touches::CALLOUT_COUNTS);
            if ends_flows { Touches::EVERYTHING } else { contexts }
        }
        _ if call.may_be_made_to_fail() => Touches::EVERYTHING,
        "FwpsFlowRemoveContext0" => Touches::flow(call.arg(0)).and(Touches::DEFERRED),
        "FwpsCalloutUnregisterById0" => Touches::CALLOUTS.and(Touches::DEFERRED),
        "FwpmEngineClose0" => Touches::NEW_POLICY,
        name if name.starts_with("Wdf") => Touches::FRAMEWORK,
        _ => Touches::EVERYTHING,
    })
}

fn arrive(intent: Intent) {
    let seat = SEAT.with_borrow(|seat| seat.as_ref().map(|seat| (Arc::clone(&seat.table), seat.number)));
    let Some((table, number)) = seat else { return };
    let halt = table.arrive(number, intent).err();
    Cpu::with_current(|cpu| match (cpu, halt) {
        (Some(cpu), halt) => {
            cpu.check_alive();
            let why = match halt {
                None | Some(Halt::Failed) => return,
                Some(Halt::Stuck) => "every thread waits, and none can go on",
                Some(Halt::Endless) => "the run goes on and on",
            };
            cpu.bug_check(MANUALLY_INITIATED_CRASH, [0; 4], why);
        }
        (None, None | Some(Halt::Failed)) => {}
        (None, Some(halt)) => panic!("the run cannot go on: {halt:?}"),
    });
}
