//! Run a driver that nobody here wrote: WinDivert64.sys goes through the life of its FLOW layer, with the referee on.
//!
//! What it does on Windows is known from its users; what it does here must be the same. Where the two differed, the
//! simulator was wrong: docs/simulator.md lists what was learnt.

mod closing;
mod failures;
mod known_bugs;
mod life;
mod misuse;

use std::{
    panic,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use flowtag_simulator::service::State;
use flowtag_tests::windivert::{self, Unavailable, WinDivert};

use crate::report::{Report, progress};

/// How to check.
#[derive(Args)]
pub struct Arguments {
    /// Less, for every day (the cases are few and quick: all run)
    #[arg(long)]
    quick: bool,
    /// Run only the case of this name
    #[arg(long)]
    case: Option<String>,
}

/// Something the driver must do.
struct Case {
    /// In words.
    name: &'static str,
    /// Has the driver at this path do it.
    run: fn(&Path) -> Result<()>,
}

/// How long a request may take that something else has to happen for first.
const SOON: Duration = Duration::from_secs(30);

/// Stops the driver, once its work items have run; it leaves nothing behind.
fn ended(rig: &WinDivert) -> Result<()> {
    rig.settle();
    ensure!(rig.stop()? == State::Stopped, "it did not stop");
    ensure!(rig.left_behind().is_empty(), "left behind: {}", rig.left_behind().join(", "));
    Ok(())
}

fn cases() -> impl Iterator<Item = &'static Case> {
    [life::CASES, closing::CASES, misuse::CASES, failures::CASES, known_bugs::CASES].into_iter().flatten()
}

/// Runs the check.
pub fn run(arguments: &Arguments) -> Result<Report> {
    let start = Instant::now();
    let image = match windivert::image() {
        Ok(image) => image,
        Err(Unavailable::Missing(what)) => {
            eprintln!("third_party: not run. {what}");
            return Ok(Report::not_run("third_party", start));
        }
        Err(wrong @ Unavailable::Wrong(_)) => return Err(wrong.into()),
    };
    let chosen: Vec<_> =
        cases().filter(|case| arguments.case.as_ref().is_none_or(|wanted| wanted == case.name)).collect();
    ensure!(
        !chosen.is_empty(),
        "there is no such case: {}",
        cases().map(|case| case.name).collect::<Vec<_>>().join(", ")
    );
    let bar = progress("third_party", chosen.len() as u64);
    let mut failures = 0;
    for case in &chosen {
        bar.set_message(case.name);
        if let Err(error) = attempt(case, &image) {
            failures += 1;
            let replay = format!("cargo xtask verify -- third_party --case \"{}\"", case.name);
            bar.suspend(|| eprintln!("third_party: {}: {error:#}\nrepeat with: {replay}", case.name));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let count = chosen.len() as u64;
    Ok(Report::new("third_party", start, count, count, failures))
}

/// A case that panics has failed, no more.
fn attempt(case: &Case, image: &Path) -> Result<()> {
    panic::catch_unwind(|| (case.run)(image)).map_err(|_| anyhow!("it panicked, see above"))?.context("it did not hold")
}
