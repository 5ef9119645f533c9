//! `flowtag-verify`: checks of the life of a flow on the shipped `flowtag.sys`, one subcommand each.
//!
//! `FLOWTAG_SYS` names the image; `cargo xtask verify` builds it, sets the variable and collects the rows that these
//! commands print as the last line of their output.

mod faults;
mod report;
mod schedules;
mod stress;
mod third_party;
mod workers;

use std::process::ExitCode;

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
}

fn main() -> anyhow::Result<ExitCode> {
    let report = match CommandLine::parse().check {
        Check::Faults(arguments) => faults::run(&arguments),
        Check::Schedules(arguments) => schedules::run(&arguments),
        Check::Stress(arguments) => stress::run(&arguments),
        Check::ThirdParty(arguments) => third_party::run(&arguments),
    };
    report?.finish()
}
