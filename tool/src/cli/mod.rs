//! The command `flowtag`: a file for each of its commands.
//!
//! Exit codes: 0 done; 1 done as far as it went: the input is damaged, lines of it are no events, events were lost, `explain` has found
//! no owner, or `selftest` that a claim fails;
//! 2 wrong usage, or a file that cannot be used; 4 the output takes no more.

mod annotate;
mod completions;
mod explain;
mod export_names;
mod input;
mod log;
mod outcome;
mod selftest;
mod top;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use self::outcome::Outcome;
use crate::output::{self, Unwritable};

/// The exit code of a command that cannot do what it was told.
const UNUSABLE: u8 = 2;
/// That of one whose output nobody takes.
const UNWRITABLE: u8 = 4;

const AFTER: &str = "\
Exit codes:
  0  done
  1  done as far as it went: damaged input, lines that are no events, events lost, no owner found, a claim that fails
  2  wrong usage, or a file that cannot be used
  4  the output takes no more";

/// Whose traffic is this: what the driver flowtag knows, in its events and in every capture.
#[derive(Debug, Parser)]
#[command(name = "flowtag", version, arg_required_else_help = true, after_help = AFTER)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Annotate(annotate::Args),
    Top(top::Args),
    Log(log::Args),
    ExportNames(export_names::Args),
    Explain(explain::Args),
    Selftest(selftest::Args),
    #[command(hide = true)]
    SelftestPeer(selftest::PeerArgs),
    Completions(completions::Args),
}

/// Runs the command line that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(CommandLine { command }) => command,
        Err(told) => return tell(&told),
    };
    let outcome = match command {
        Command::Annotate(arguments) => annotate::run(&arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Log(arguments) => log::run(&arguments),
        Command::ExportNames(arguments) => export_names::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Selftest(arguments) => selftest::run(&arguments),
        Command::SelftestPeer(arguments) => selftest::run_peer(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Partly) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
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
        output::note(format_args!("flowtag: {error:#}"));
        return ExitCode::from(UNUSABLE);
    };
    // A reader who has gone has seen enough.
    if !unwritable.is_closed() {
        output::note(format_args!("flowtag: {unwritable}"));
    }
    ExitCode::from(UNWRITABLE)
}
