//! A process for each processor: threads of one process that change mappings disturb all its others.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context, bail};
use indicatif::ProgressBar;

use super::{Arguments, case::Case, search::Found};

/// Processes that search at once.
pub const WORKERS: usize = 2;
/// Distinct orders between two signs of progress.
pub const STRIDE: u64 = 50;

/// The cases of one worker, and how many of `wanted` orders fall to it.
pub fn share<'a>(cases: &[&'a Case], wanted: u64, worker: usize) -> (Vec<&'a Case>, u64) {
    let mine: Vec<&Case> = cases.iter().copied().skip(worker).step_by(WORKERS).collect();
    let orders = (wanted * mine.len() as u64).div_ceil(cases.len().max(1) as u64);
    (mine, orders)
}

/// Has workers search, and puts together what they find.
pub fn search(arguments: &Arguments, wanted: u64, bar: &ProgressBar) -> anyhow::Result<Found> {
    let workers = (0..WORKERS).map(|worker| start(arguments, wanted, worker)).collect::<anyhow::Result<Vec<_>>>()?;
    let found = thread::scope(|scope| {
        let listeners: Vec<_> = workers.into_iter().map(|worker| scope.spawn(|| listen(worker, bar))).collect();
        listeners.into_iter().map(|listener| listener.join().expect("a listener does not panic")).collect::<Vec<_>>()
    });
    let mut all = Found::default();
    for found in found {
        let found = found?;
        all.runs += found.runs;
        all.distinct += found.distinct;
        all.failures.extend(found.failures);
        all.explored.extend(found.explored);
    }
    all.explored.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(all)
}

fn start(arguments: &Arguments, wanted: u64, worker: usize) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("where is this program?")?;
    let mut command = Command::new(program);
    command.arg("schedules").args(["--seed", &arguments.seed.to_string()]).args(["--case", &arguments.case]);
    command.args(["--orders", &wanted.to_string()]).args(["--worker", &worker.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("a worker did not start")
}

fn listen(mut worker: Child, bar: &ProgressBar) -> anyhow::Result<Found> {
    let output = worker.stdout.take().context("a worker has an output")?;
    let mut found = None;
    for line in BufReader::new(output).lines() {
        let line = line.context("a worker's output cannot be read")?;
        match line.parse::<u64>() {
            Ok(orders) => bar.inc(orders),
            Err(_) => found = Some(serde_json::from_str(&line).with_context(|| format!("a worker said `{line}`"))?),
        }
    }
    let status = worker.wait().context("a worker was lost")?;
    match found {
        Some(found) if status.success() => Ok(found),
        _ => bail!("a worker ended without a result ({status}): what it printed above says why"),
    }
}
