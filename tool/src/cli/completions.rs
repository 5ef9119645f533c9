//! `flowtag completions`.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use super::{CommandLine, outcome::Outcome};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  flowtag completions bash > flowtag.bash
  flowtag completions powershell > flowtag.ps1";

/// Write what a shell needs to complete this program's commands and options.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(arguments: &Args) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut CommandLine::command(), "flowtag", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Done)
}
