//! `cargo xtask selftest`.

use std::ffi::OsString;

use anyhow::Result;

use crate::{driver, mutants, process, selftest::Programs, setup, target::Target};

/// Builds all that it needs and becomes `flowtag selftest`.
pub fn run(arguments: &[OsString]) -> Result<()> {
    let target = Target::default();
    setup::ensure(target, &[])?;
    let image = driver::build(target)?;
    let mut selftest = Programs::build()?.on(&image);
    Err(process::become_command(selftest.args(arguments)))
}

/// Lets it test each mutant that has a claim to fail.
pub fn on_mutants() -> Result<()> {
    let target = Target::default();
    setup::ensure(target, &[])?;
    mutants::all_caught(&mutants::run_selftest(target)?)
}
