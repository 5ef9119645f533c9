//! `cargo xtask sim`.

use std::{ffi::OsString, process::Command};

use anyhow::Result;

use crate::{driver, process, setup, target::Target, workspace};

/// Builds driver and simulator and becomes `flowtag-sim`, which finds the driver by `FLOWTAG_SYS`.
pub fn run(arguments: &[OsString]) -> Result<()> {
    let target = Target::default();
    setup::ensure(target, &[])?;
    let image = driver::build(target)?;
    let simulator = workspace::build_binary("flowtag-sim")?;
    Err(process::become_command(Command::new(simulator).args(arguments).env("FLOWTAG_SYS", image)))
}
