//! Unloading the driver while flows are open.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{
    counts::{Counts, count},
    subject::Subject,
};

/// Flows whose removal is counted. A step takes microseconds, so counting a million flows would take minutes.
const COUNTED: u64 = 96;

/// What an unload cost.
#[derive(Clone, Copy, Debug)]
pub struct Unload {
    /// How long it took without the first hundred flows or so, the simulator's part included.
    pub time: Duration,
    /// Calls of `FwpsFlowRemoveContext0`.
    pub removals: u64,
    /// What each of the first hundred flows or so cost.
    pub per_flow: Counts,
}

/// Unloads the driver, which has this many open flows, 1,000 or more.
pub fn measured(subject: &Subject, flows: u32) -> Result<Unload> {
    let all_removals = || subject.machine.faults().calls("FwpsFlowRemoveContext0");
    let (before, removals) = (all_removals(), AtomicU64::new(0));
    let uncounted = Arc::new(OnceLock::new());
    let begins = Arc::clone(&uncounted);
    subject.machine.on_import(move |call| {
        // Two contexts a flow.
        if call.name() == "FwpsFlowRemoveContext0" && removals.fetch_add(1, Ordering::Relaxed) == 2 * COUNTED {
            call.cpu.stop_counting();
            begins.get_or_init(Instant::now);
        }
    });
    let (stopped, counts) = count(&subject.machine, || subject.stop())?;
    stopped?;
    let time = uncounted.get().context("the unload removed no contexts")?.elapsed();
    let per_flow = |all: u64| all / u64::from(flows);
    Ok(Unload {
        time,
        removals: all_removals() - before,
        per_flow: Counts {
            instructions: counts.instructions / COUNTED,
            imports: per_flow(counts.imports),
            pool_allocations: per_flow(counts.pool_allocations),
            irql_pairs: per_flow(counts.irql_pairs),
        },
    })
}
