//! The command `flowtag-sim`.
//!
//! Exit codes: 0 done; 1 a command failed as it would on Windows; 2 wrong usage, or a file that cannot be used; 3 the
//! driver stopped the machine with a bug check.

pub mod demo;
pub mod imports;
pub mod shell;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::demo::peer;

/// Runs a Windows driver on Linux: its own machine code, in a simulated Windows kernel and WFP engine.
#[derive(Debug, Parser)]
#[command(name = "flowtag-sim", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take sc and reg commands as they are typed on Windows, and commands for flows.
    Shell(shell::Args),
    /// Show the driver tagging what real programs do on this machine's network.
    Demo(demo::Args),
    /// Write the page about what becomes of everything that a driver passes.
    #[command(hide = true)]
    Imports(imports::Args),
    /// Be one of the demo's own programs.
    #[command(hide = true)]
    Peer(peer::Args),
}

/// Runs the command line that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Shell(arguments) => shell::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Imports(arguments) => imports::run(&arguments),
        Command::Peer(arguments) => peer::run(&arguments).map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
