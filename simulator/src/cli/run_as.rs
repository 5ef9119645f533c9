//! `flowtag-sim run-as`: another program under an id that a process had which has exited.

use std::{ffi::OsString, process::Command, process::ExitCode};

use anyhow::{Context, Result, ensure};

use crate::demo::reuse;

/// Run a program under a certain process id, which has to be free.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The id
    pid: u32,
    /// The program
    program: OsString,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Runs it, and ends when it does.
///
/// # Errors
/// Somebody has the id, or the program fails.
pub fn run(arguments: &Args) -> Result<ExitCode> {
    let Args { pid, program, arguments } = arguments;
    let mut command = Command::new(program);
    command.args(arguments);
    reuse::run_as(&mut command, *pid);
    let mut between = command.spawn().with_context(|| format!("start {} as process {pid}", program.display()))?;
    let status = between.wait().context("wait for the process between")?;
    ensure!(status.success(), "the process between this one and {} failed: {status}", program.display());
    let status = reuse::wait_for(*pid).with_context(|| format!("wait for process {pid}"))?;
    ensure!(status.success(), "{} (process {pid}) failed: {status}", program.display());
    Ok(ExitCode::SUCCESS)
}
