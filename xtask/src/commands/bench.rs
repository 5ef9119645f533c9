//! `cargo xtask bench`.

use std::{ffi::OsString, process::Command};

use anyhow::Result;

use crate::{bench_fixtures, driver, process, setup, target::Target, workspace};

/// Builds what is measured, and what measures it, and becomes `flowtag-bench`.
pub fn run(arguments: &[OsString]) -> Result<()> {
    setup::ensure(Target::default(), &[])?;
    Err(process::become_command(prepared()?.args(arguments)))
}

/// Fails where the driver costs more than bench/budget.toml allows.
pub fn check() -> Result<()> {
    process::run(prepared()?.arg("--check"), "the driver costs more than its budget")
}

/// `flowtag-bench` with everything built.
fn prepared() -> Result<Command> {
    let image = driver::build(Target::default())?;
    let fixtures = bench_fixtures::build()?;
    let mut bench = Command::new(workspace::build_binary("flowtag-bench")?);
    bench.current_dir(workspace::root()).env("FLOWTAG_SYS", image).env("FLOWTAG_BENCH_FIXTURES", fixtures);
    Ok(bench)
}
