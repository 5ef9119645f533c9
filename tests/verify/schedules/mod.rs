//! Try the orders in which threads can meet.
//!
//! Each case is a machine with a few open flows and two or three threads that do something to them at once. First the
//! explorers go through the orders of a small case: all of them where the budget allows, and else those with the fewest
//! preemptions. Then threads meet by chance, in larger cases as well. Only distinct orders count: two runs are the same
//! order if they differ only in the order of steps that do not matter to each other.

mod case;
mod cases;
mod parts;
mod search;
mod stage;

use std::{collections::BTreeMap, time::Instant};

use anyhow::Context;
use clap::Args;

pub use self::parts::work;
use self::search::{Explored, Found};
use crate::report::{Report, progress};

/// How many distinct orders the quick check and the full one reach at least.
const QUICK: u64 = 5_000;
const FULL: u64 = 1_000_000;

/// How to check.
#[derive(Args)]
pub struct Arguments {
    /// Less, for every day
    #[arg(long)]
    quick: bool,
    /// Where chance begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only the cases with this in their names
    #[arg(long, default_value = "")]
    case: String,
    /// How many distinct orders to reach, instead of 5,000 or 1,000,000
    #[arg(long)]
    orders: Option<u64>,
    /// Run one order again, as a failure printed it: CASE:ORDER
    #[arg(long)]
    replay: Option<String>,
    /// Print each case and how far it was explored
    #[arg(long)]
    list: bool,
}

/// Runs the check.
pub fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    let start = Instant::now();
    if let Some(replay) = &arguments.replay {
        return replay_one(replay, start);
    }
    let cases = cases::named(&arguments.case);
    anyhow::ensure!(!cases.is_empty(), "no case has {} in its name", arguments.case);
    let wanted = arguments.orders.unwrap_or(if arguments.quick { QUICK } else { FULL });
    let bar = progress("schedules", wanted);
    let found = parts::search(arguments, wanted, &bar)?;
    bar.finish_and_clear();
    let Found { runs, distinct, failures, explored } = found;
    if arguments.list {
        for (name, explored) in &explored {
            println!("    {name:60} {explored}");
        }
    }
    print_how_far(&explored);
    for failure in &failures {
        eprintln!("{failure}\n");
    }
    anyhow::ensure!(
        distinct >= wanted || !failures.is_empty() || !arguments.case.is_empty(),
        "only {distinct} distinct orders were found, {wanted} were wanted: add cases, or ask for fewer with --orders"
    );
    let exhausted = explored.iter().filter(|(_, explored)| explored.exhausted).count();
    Ok(Report::new("schedules", start, runs, distinct, failures.len() as u64)
        .with("schedules", distinct)
        .with("schedule_cases", cases.len() as u64)
        .with("exhausted_cases", exhausted as u64))
}

/// Prints how many cases were explored up to which number of preemptions.
fn print_how_far(explored: &[(String, Explored)]) {
    let mut cases: BTreeMap<String, usize> = BTreeMap::new();
    for (_, explored) in explored {
        *cases.entry(explored.how_far()).or_default() += 1;
    }
    println!("cases explored");
    for (how_far, cases) in cases {
        println!("    {cases:5} {how_far}");
    }
}

fn replay_one(replay: &str, start: Instant) -> anyhow::Result<Report> {
    let (name, order) = replay.rsplit_once(':').context("--replay wants CASE:ORDER, as a failure prints it")?;
    let cases = cases::all();
    let case = cases.iter().find(|case| case.name == name);
    let case = case.with_context(|| format!("there is no case named `{name}`; --list prints them"))?;
    let failure = search::replay(case, order)?;
    if let Some(failure) = &failure {
        eprintln!("{failure}");
    }
    Ok(Report::new("schedules", start, 1, 1, u64::from(failure.is_some())).with("schedules", 1))
}
