//! Millions of flow lives on real threads.
//!
//! A round is one machine: threads open, use, reauthorize and end flows without a pause, while the driver under them is
//! started and stopped, each time with other settings and a Windows that behaves otherwise. When it is stopped, nothing
//! of it may be left, and it must have closed as many flows as it has opened. Rounds with the special pool find what
//! touches freed memory; those with the plain pool go faster.
//!
//! The seed decides what each thread does, not how the threads meet: a replay does the same, in another order.

mod round;
mod settings;
mod traffic;

use std::{collections::BTreeMap, time::Instant};

use clap::Args;
use flowtag_simulator::kernel::pool::PoolKind;

use crate::report::{Report, progress};

/// How many flows must have lived in the quick check and the full one.
const QUICK: u64 = 1_000_000;
const FULL: u64 = 10_000_000;

/// How to check.
#[derive(Args)]
pub struct Arguments {
    /// Fewer flows, for every day
    #[arg(long)]
    quick: bool,
    /// Where chance begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many flows to tag, instead of 1,000,000 or 10,000,000
    #[arg(long)]
    flows: Option<u64>,
}

/// What was done and counted, by name. Most of the names are those of the driver's own totals.
type Counts = BTreeMap<&'static str, u64>;

/// Runs the check.
pub fn run(arguments: &Arguments) -> Report {
    let start = Instant::now();
    let target = arguments.flows.unwrap_or(if arguments.quick { QUICK } else { FULL });
    let bar = progress("stress", target);
    let mut counts = Counts::new();
    let mut failures = 0;
    for seed in arguments.seed.. {
        let pool = if seed % 2 == 0 { PoolKind::Special } else { PoolKind::Plain };
        if let Err(said) = round::run(seed, pool, target, &mut counts, &bar) {
            failures += 1;
            eprintln!("failed in the round of seed {seed}, with the {pool:?} pool:\n{said}");
            eprintln!("threads meet otherwise each time; repeat with: cargo xtask verify -- stress --seed {seed}\n");
        }
        *counts.entry("rounds").or_default() += 1;
        if failures > 0 || count(&counts, "opened") >= target {
            break;
        }
    }
    bar.finish_and_clear();
    for (name, count) in &counts {
        println!("    {count:10} {name}");
    }
    let (lives, loads) = (count(&counts, "opened"), count(&counts, "loads"));
    let report = Report::new("stress", start, count(&counts, "flows of Windows"), lives, failures);
    report.with("stress_flows", lives).with("loads", loads)
}

fn count(counts: &Counts, name: &str) -> u64 {
    counts.get(name).copied().unwrap_or(0)
}
