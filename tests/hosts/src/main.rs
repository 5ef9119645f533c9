//! `flowtag-hosts`: the driver on hosts that share no code with the simulator, one subcommand each.
//!
//! `cargo xtask verify` builds what they need, sets the variables that name it (`FLOWTAG_SYS` and those of [`case`]), and
//! collects the row that a subcommand prints as the last line of its output. A host is a module with one function, `cases`.

mod arm64;
mod case;
mod python;
#[path = "../../verify/report.rs"]
#[expect(dead_code, reason = "other checks need more of it")]
mod report;
mod script;
mod simulator;
mod speakeasy;
mod transcript;
mod wine;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Acts scripts out on several hosts of the driver, and compares what it prints.
#[derive(Parser)]
struct CommandLine {
    #[command(subcommand)]
    host: Host,
}

#[derive(Subcommand)]
enum Host {
    /// The x64 image as a service of Wine's
    Wine(case::Arguments),
    /// The x64 image in the emulator Speakeasy
    Speakeasy(case::Arguments),
    /// The ARM64 image on unicorn
    Arm64(case::Arguments),
}

fn main() -> anyhow::Result<ExitCode> {
    match CommandLine::parse().host {
        Host::Wine(arguments) => case::run("wine", &arguments, wine::cases),
        Host::Speakeasy(arguments) => case::run("speakeasy", &arguments, speakeasy::cases),
        Host::Arm64(arguments) => case::run("arm64", &arguments, arm64::cases),
    }
}
