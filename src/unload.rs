//! The two parts of unloading that wait: for every context to be given back, and for every callout to be let go.
//! Neither gives up: to return while WFP can still call the driver is worse than to wait.
use wdk_sys::{NTSTATUS, STATUS_FWP_CALLOUT_NOT_FOUND, STATUS_PENDING, STATUS_SUCCESS, STATUS_UNSUCCESSFUL};

use crate::{
    callouts::{self, CALLOUTS},
    flow::{self, RING},
    flow_ring::Batch,
    life, print,
    tag::Direction,
    wait::Wait,
};

/// After so long, closed flows are only counted.
const QUIET_AFTER: u64 = 2_000;

/// Removes every context. Nobody associates any more, so the number of live records only falls.
///
/// One pass over the slots is not enough. A removal may be pending until a classify ends; and
/// `STATUS_UNSUCCESSFUL`, which should mean that there is no context, has been seen where there was one (tnodir/fort
/// aborts such a flow). So only the number of records says when it is done.
///
/// IRQL: `PASSIVE_LEVEL`
pub fn drain() {
    let mut wait = Wait::begin();
    let mut removals = Removals::default();
    while flow::live() != 0 {
        pass(&mut wait, &mut removals);
        if flow::live() != 0 {
            wait.sleep();
        }
    }
}

/// Removes the contexts of every flow in the ring, as far as they can be removed now.
fn pass(wait: &mut Wait, removals: &mut Removals) {
    let mut batch = Batch::start();
    loop {
        let more = RING.lock().drain(&mut batch);
        if !more {
            return;
        }
        if wait.milliseconds() >= QUIET_AFTER {
            print::quiet();
        }
        for contexts in batch.iter() {
            for direction in [Direction::Out, Direction::In] {
                removals.count(callouts::remove(contexts, direction));
            }
        }
        if wait.report_is_due() {
            print::life(|line| life::draining(line, flow::live(), wait.milliseconds(), removals.all()));
        }
    }
}

/// Unregisters the callouts, the last registered first. A busy one is tried again; one that WFP does not know is done.
///
/// IRQL: `PASSIVE_LEVEL`
pub fn unregister_callouts() {
    for (index, callout) in CALLOUTS.iter().enumerate() {
        let mut wait = Wait::begin();
        loop {
            let status = callouts::unregister(callout);
            if matches!(status, STATUS_SUCCESS | STATUS_FWP_CALLOUT_NOT_FOUND) {
                break;
            }
            if wait.report_is_due() {
                print::retrying("FwpsCalloutUnregisterById0", status, |line| {
                    life::unregistering(line, index, wait.milliseconds(), status);
                });
            }
            wait.sleep();
        }
    }
}

/// What `FwpsFlowRemoveContext0` has answered.
#[derive(Default)]
struct Removals {
    removed: u64,
    pending: u64,
    unsuccessful: u64,
    other: u64,
}

impl Removals {
    fn count(&mut self, status: NTSTATUS) {
        let count = match status {
            STATUS_SUCCESS => &mut self.removed,
            STATUS_PENDING => &mut self.pending,
            STATUS_UNSUCCESSFUL => &mut self.unsuccessful,
            _ => &mut self.other,
        };
        *count = count.wrapping_add(1);
    }

    const fn all(&self) -> [(&'static str, u64); 4] {
        [
            ("removed", self.removed),
            ("pending", self.pending),
            ("unsuccessful", self.unsuccessful),
            ("other", self.other),
        ]
    }
}
