//! The command `flowtag-sim`.
//!
//! Exit codes: 0 done; 1 a command failed as it would on Windows, or the driver did not pass; 2 wrong usage, or a file that
//! cannot be used; 3 the driver stopped the machine with a bug check; 4 standard output takes no more; 130 Ctrl-C.

pub mod demo;
mod events;
pub mod imports;
pub mod machine;
pub mod run_as;
pub mod shell;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    demo::peer,
    output::{self, Unwritable},
};

/// The exit code of a command that cannot do what it was told.
const UNUSABLE: u8 = 2;
/// That of one whose output nobody takes.
const UNWRITABLE: u8 = 4;

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
    /// Be a machine for another program, as `flowtag selftest` is.
    #[command(hide = true)]
    Machine(machine::Args),
    /// Run a program under an id that a process had.
    #[command(hide = true)]
    RunAs(run_as::Args),
}

/// Runs the command line that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(CommandLine { command }) => command,
        Err(told) => return tell(&told),
    };
    let outcome = match command {
        Command::Shell(arguments) => shell::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Imports(arguments) => imports::run(&arguments),
        Command::Peer(arguments) => peer::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Machine(arguments) => machine::run(&arguments),
        Command::RunAs(arguments) => run_as::run(&arguments),
    };
    outcome.unwrap_or_else(|error| failed(&error))
}

/// Prints what clap has to say: the help that was asked for, or what is wrong with the command line.
fn tell(told: &clap::Error) -> ExitCode {
    let printed = told.print().and_then(|()| io::stdout().flush());
    match printed {
        Ok(()) => ExitCode::from(if told.use_stderr() { UNUSABLE } else { 0 }),
        Err(error) => failed(&Unwritable::from(error).into()),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let Some(unwritable) = error.downcast_ref::<Unwritable>() else {
        output::note(format_args!("error: {error:#}"));
        return ExitCode::from(UNUSABLE);
    };
    // A reader who has gone has seen enough.
    if !unwritable.is_closed() {
        output::note(format_args!("error: {unwritable}"));
    }
    ExitCode::from(UNWRITABLE)
}
