//! `flowtag selftest`.

use std::{
    fs,
    io::{self, IsTerminal},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result};
use indicatif::ProgressBar;

use super::outcome::Outcome;
use crate::{
    output,
    selftest::{Machine, Role, Verdict, Wanted, run as test, talk},
};

const EXAMPLES: &str = "\
Examples:
  flowtag selftest --driver C:\\flowtag\\flowtag.sys --report verdict.jsonl    on Windows, as administrator
  cargo xtask selftest                                                      on Linux, in the simulator

PASS: it is so. FAIL: it is not. UNKNOWN: it was not seen. The exit code is 1 if a claim fails; docs/tool.md says what each is.";

/// Test the driver here: install and start it, let programs talk, compare what it says with what they did.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The driver's image, flowtag.sys; on Windows only needed where its service is not there yet
    #[arg(long, value_name = "SYS")]
    driver: Option<PathBuf>,
    /// Stop and start the Base Filtering Engine, too, which interrupts the network; in the simulator that is done anyway
    #[arg(long)]
    restart_bfe: bool,
    /// End with the verdict as one line of JSON on standard output; the table goes to standard error
    #[arg(long)]
    json: bool,
    /// Write what a maintainer needs to a file: nothing of others' traffic, no user's name
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The simulator, flowtag-sim, which is the machine that is tested (Linux); `cargo xtask selftest` builds all that it needs
    #[arg(long, value_name = "PROGRAM")]
    simulator: Option<PathBuf>,
    /// The eBPF probes that show the simulator what programs do: without them no traffic is tested (Linux)
    #[arg(long, value_name = "OBJECT", requires = "simulator")]
    probes: Option<PathBuf>,
}

/// Be one of the programs that the test lets talk.
#[derive(Debug, clap::Args)]
pub(super) struct PeerArgs {
    #[command(subcommand)]
    role: Role,
}

pub(super) fn run_peer(arguments: &PeerArgs) -> Result<Outcome> {
    talk(&arguments.role).map(|()| Outcome::Done)
}

pub(super) fn run(arguments: &Args) -> Result<Outcome> {
    let mut machine = machine(arguments)?;
    // In the simulator it interrupts nobody's network.
    let wanted = Wanted { restart_bfe: arguments.restart_bfe || cfg!(not(windows)) };
    let progress = if io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    progress.enable_steady_tick(Duration::from_millis(100));
    let evidence = test(&mut machine, wanted, &|what| progress.set_message(what.to_owned()));
    progress.finish_and_clear();
    let evidence = evidence?;
    let verdict = Verdict::of(machine.name(), &evidence);
    if let Some(path) = &arguments.report {
        fs::write(path, verdict.report(&evidence)).with_context(|| format!("write the report {}", path.display()))?;
    }
    if arguments.json {
        output::note(verdict.table().trim_end());
        output::print(&verdict.json())?;
    } else {
        output::print(&verdict.table())?;
    }
    Ok(if verdict.is_good() { Outcome::Done } else { Outcome::Partly })
}

#[cfg(unix)]
fn machine(arguments: &Args) -> Result<impl Machine> {
    use crate::selftest::{Simulated, Simulator};

    const MISSING: &str = "here it is the simulated machine that is tested, and --simulator and --driver say where it is: \
                           `cargo xtask selftest` does it all";
    let (Some(program), Some(driver)) = (arguments.simulator.clone(), arguments.driver.clone()) else {
        anyhow::bail!(MISSING);
    };
    Simulated::start(&Simulator { program, driver, probes: arguments.probes.clone() })
}

#[cfg(windows)]
fn machine(arguments: &Args) -> Result<impl Machine> {
    anyhow::ensure!(
        arguments.simulator.is_none(),
        "the simulator runs on Linux only: without --simulator this machine is tested"
    );
    crate::selftest::Windows::open(arguments.driver.as_deref())
}
