//! Runs the scenarios under one of the two tools.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use clap::{Parser, ValueEnum};
use rayon::prelude::*;
use shuttle::scheduler::{PctScheduler, RandomScheduler};

use crate::{
    on_loom, on_shuttle,
    report::{Report, progress},
};

/// The life of a flow under loom or shuttle.
#[derive(Parser)]
pub struct CommandLine {
    /// Which of the two
    tool: Tool,
    /// Less, for every day
    #[arg(long)]
    quick: bool,
    /// Only this scenario
    #[arg(long)]
    scenario: Option<String>,
    /// How often loom may take the processor from a thread in the middle of its steps
    #[arg(long)]
    preemptions: Option<usize>,
    /// Where shuttle's chance begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tool {
    /// Every order of steps of three threads, as far as --preemptions goes
    Loom,
    /// Many orders, of more threads
    Shuttle,
}

/// How often loom takes the processor from a thread in the middle of its steps: beyond that, the orders are too many.
const PREEMPTIONS: usize = 5;
/// The same for every day.
const PREEMPTIONS_QUICK: usize = 3;
/// Runs of each scenario under each of shuttle's schedulers.
const RUNS: usize = 50_000;
/// The same for every day.
const RUNS_QUICK: usize = 1_000;
/// Places at which the PCT scheduler changes priorities.
const DEPTH: usize = 3;

/// Runs what the command line asks for.
pub fn run(line: &CommandLine) -> anyhow::Result<Report> {
    match line.tool {
        Tool::Loom => loom(line),
        Tool::Shuttle => shuttle(line),
    }
}

fn chosen<T>(
    line: &CommandLine,
    all: impl Iterator<Item = T>,
    name: impl Fn(&T) -> &'static str,
) -> anyhow::Result<Vec<T>> {
    let chosen: Vec<T> = all.filter(|one| line.scenario.as_ref().is_none_or(|wanted| wanted == name(one))).collect();
    anyhow::ensure!(!chosen.is_empty(), "there is no such scenario: see tests/interleavings/src/scenarios.rs");
    Ok(chosen)
}

fn loom(line: &CommandLine) -> anyhow::Result<Report> {
    let start = Instant::now();
    let scenarios = chosen(line, on_loom::scenarios::SMALL.iter(), |scenario| scenario.name)?;
    let bar = progress("loom", scenarios.len() as u64);
    let outcomes: Vec<Outcome> = scenarios
        .par_iter()
        .map(|scenario| {
            let count = Arc::new(AtomicU64::new(0));
            let mut builder = loom::model::Builder::new();
            builder.preemption_bound =
                line.preemptions.or(Some(if line.quick { PREEMPTIONS_QUICK } else { PREEMPTIONS }));
            builder.max_branches = 10_000;
            let (run, counted) = (scenario.run, Arc::clone(&count));
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                builder.check(move || {
                    counted.fetch_add(1, Ordering::Relaxed);
                    run();
                });
            }));
            let runs = count.load(Ordering::Relaxed);
            if outcome.is_err() {
                eprintln!("loom: {} failed in its order {runs}", scenario.name);
                eprintln!("repeat with: cargo xtask interleavings loom {}", again(line, scenario.name));
            }
            bar.inc(1);
            Outcome { runs, failed: outcome.is_err() }
        })
        .collect();
    bar.finish_and_clear();
    let (orders, failures) = sum(&outcomes);
    Ok(Report::new("loom", start, orders, orders, failures).with("orders", orders))
}

/// What came of one scenario under one scheduler.
struct Outcome {
    runs: u64,
    failed: bool,
}

/// How many runs there were, and how many scenarios failed.
fn sum(outcomes: &[Outcome]) -> (u64, u64) {
    let runs = outcomes.iter().map(|outcome| outcome.runs).sum();
    (runs, outcomes.iter().filter(|outcome| outcome.failed).count() as u64)
}

/// The arguments that do the same again. Both tools go the same way each time.
fn again(line: &CommandLine, scenario: &str) -> String {
    let quick = if line.quick { " --quick" } else { "" };
    let preemptions = line.preemptions.map(|number| format!(" --preemptions {number}")).unwrap_or_default();
    format!("--scenario {scenario} --seed {}{preemptions}{quick}", line.seed)
}

/// One order of memory is what shuttle is for here: the others are loom's, so it need not warn.
fn config() -> shuttle::Config {
    let mut config = shuttle::Config::new();
    config.silence_warnings = true;
    // A run takes some hundred: an unload that never ends is to be told from it soon.
    config.max_steps = shuttle::MaxSteps::FailAfter(20_000);
    config
}

fn shuttle(line: &CommandLine) -> anyhow::Result<Report> {
    use on_shuttle::{crowds::LARGE, scenarios::SMALL};

    let start = Instant::now();
    let scenarios = chosen(line, SMALL.iter().chain(LARGE), |scenario| scenario.name)?;
    let runs = if line.quick { RUNS_QUICK } else { RUNS };
    let bar = progress("shuttle", 2 * scenarios.len() as u64);
    let by_coin = |run: fn()| {
        let scheduler = RandomScheduler::new_from_seed(line.seed, runs);
        shuttle::Runner::new(scheduler, config()).run(run)
    };
    let by_priority = |run: fn()| {
        let scheduler = PctScheduler::new_from_seed(line.seed, DEPTH, runs);
        shuttle::Runner::new(scheduler, config()).run(run)
    };
    let schedulers: [&(dyn Fn(fn()) -> usize + Sync); 2] = [&by_coin, &by_priority];
    let outcomes: Vec<Outcome> = scenarios
        .par_iter()
        .flat_map(|scenario| schedulers.into_par_iter().map(move |check| (scenario, check)))
        .map(|(scenario, check)| {
            let outcome = catch_unwind(AssertUnwindSafe(|| check(scenario.run)));
            if outcome.is_err() {
                eprintln!("shuttle: {} failed", scenario.name);
                eprintln!("repeat with: cargo xtask interleavings shuttle {}", again(line, scenario.name));
            }
            bar.inc(1);
            Outcome { failed: outcome.is_err(), runs: outcome.unwrap_or(0) as u64 }
        })
        .collect();
    bar.finish_and_clear();
    let (cases, failures) = sum(&outcomes);
    let distinct = on_shuttle::trace::WAYS.lock().unwrap().len() as u64;
    Ok(Report::new("shuttle", start, cases, distinct, failures))
}
