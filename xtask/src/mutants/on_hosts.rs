//! Mutants that hosts which nobody here wrote must notice as well.

use std::{ffi::OsString, path::Path, process::Stdio, sync::Mutex};

use anyhow::Result;

use super::tree::Broken;
use crate::{
    checks::{Request, Status, on_hosts::HOSTS, on_the_driver::run_for_row},
    lock::lock,
    target::Target,
};

/// What hosts need is written to one place, so one mutant at a time is shown to them.
static SHOWING: Mutex<()> = Mutex::new(());

/// What the hosts made of a mutant.
pub struct Shown {
    /// Whether none of those that run let it pass.
    pub all_noticed: bool,
    /// The same in words, to stand behind what the tests made of it.
    pub said: String,
}

/// Shows a mutant to each host, if its ARM64 image was built: then it is one for hosts.
pub fn show(broken: &Broken, sound: &Path) -> Result<Shown> {
    let mut shown = Shown { all_noticed: true, said: String::new() };
    let Some(arm64) = &broken.arm64 else { return Ok(shown) };
    let _showing = lock(&SHOWING);
    for (name, prepare) in HOSTS {
        let image = if name == "arm64" { arm64 } else { &broken.image };
        let arguments = [OsString::from("--image"), image.into()];
        let flowtag_verify = Path::new("");
        let request =
            Request { quick: true, target: Target::default(), image: sound, flowtag_verify, arguments: &arguments };
        // What it says of a driver that is meant to fail would look like a failure.
        let row = run_for_row(prepare(&request)?.stderr(Stdio::null()), true)?;
        let said = match row.status {
            Status::Failed => "noticed",
            Status::Passed => "NOT NOTICED",
            Status::NotRun => "not run",
        };
        shown.all_noticed &= row.status != Status::Passed;
        shown.said.extend([", ", name, ": ", said]);
    }
    Ok(shown)
}
