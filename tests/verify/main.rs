//! `flowtag-verify`: checks of the life of a flow on the shipped `flowtag.sys`, one subcommand each.
//!
//! `FLOWTAG_SYS` names the image; `cargo xtask verify` builds it, sets the variable and collects the rows that these
//! commands print as the last line of their output.

mod caught;
#[cfg(test)]
mod documented;
mod faults;
mod report;
mod schedules;
mod stress;
mod third_party;
mod workers;

use std::process::ExitCode;

use anyhow::ensure;
use clap::{Parser, Subcommand};

/// Checks the life of a flow on the shipped driver.
#[derive(Parser)]
struct CommandLine {
    #[command(subcommand)]
    check: Check,
}

#[derive(Subcommand)]
enum Check {
    /// Make every import fail from every place that calls it
    Faults(faults::Arguments),
    /// Try the orders in which threads can meet
    Schedules(schedules::Arguments),
    /// Millions of flow lives on real threads
    Stress(stress::Arguments),
    /// Run a driver that nobody here wrote
    ThirdParty(third_party::Arguments),
    /// Answer the questions of a check that runs in several processes
    #[command(subcommand, hide = true)]
    Worker(Work),
}

#[derive(Subcommand)]
enum Work {
    Faults,
    Schedules,
}

fn main() -> anyhow::Result<ExitCode> {
    let check = CommandLine::parse().check;
    ensure!(std::env::var_os("FLOWTAG_SYS").is_some(), "FLOWTAG_SYS names no image: run `cargo xtask verify`");
    let report = match check {
        Check::Faults(arguments) => faults::run(&arguments),
        Check::Schedules(arguments) => schedules::run(&arguments),
        Check::Stress(arguments) => Ok(stress::run(&arguments)),
        Check::ThirdParty(arguments) => third_party::run(&arguments),
        Check::Worker(work) => {
            match work {
                Work::Faults => faults::work(),
                Work::Schedules => schedules::work(),
            }?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    report?.finish()
}
