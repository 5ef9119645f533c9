//! Running other programs.

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use indicatif::ProgressBar;

/// Runs `command` with its output shown; `failure` says what it means when it fails.
pub fn run(command: &mut Command, failure: &str) -> Result<()> {
    let status = command.status().with_context(|| starting(command))?;
    if !status.success() {
        bail!("{failure} ({status}; see above)");
    }
    Ok(())
}

/// Runs `command` with its output shown when it has ended, so that what runs at the same time does not mix with it.
pub fn run_unmixed(command: &mut Command, failure: &str) -> Result<()> {
    let output = command.output().with_context(|| starting(command))?;
    let said = [&output.stderr[..], &output.stdout].concat();
    stdout().write_all(&said).context("show what a command said")?;
    if !output.status.success() {
        bail!("{failure} ({}; see above)", output.status);
    }
    Ok(())
}

/// Runs `command` with its output kept back, and shown only when it fails.
pub fn run_quietly(command: &mut Command, failure: &str) -> Result<()> {
    let output = command.output().with_context(|| starting(command))?;
    if !output.status.success() {
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{failure} ({}):\n{command:?}\n{stdout}{stderr}", output.status);
    }
    Ok(())
}

/// Becomes `command`, so that its exit code and its signals are ours. Returns only when it cannot start.
pub fn become_command(command: &mut Command) -> anyhow::Error {
    let error = command.exec();
    anyhow!(error).context(starting(command))
}

/// Waits for a child, and ends it once `given_up` says so: then there is no status.
pub fn wait_unless(child: &mut Child, given_up: impl Fn() -> bool) -> Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait().context("wait for a child")? {
            return Ok(Some(status));
        }
        if given_up() {
            child.kill().context("end a child")?;
            child.wait().context("wait for a child")?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn starting(command: &Command) -> String {
    format!("start {}", command.get_program().display())
}

/// Says what goes on, with a spinner on a terminal for as long as it lives.
#[must_use]
pub fn progress(message: String) -> ProgressBar {
    if !stderr().is_terminal() {
        eprintln!("{message}");
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(message);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
