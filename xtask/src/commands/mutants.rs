//! `cargo xtask mutants`.

use anyhow::Result;

use crate::{commands::setup, mutants, target::Target};

/// Breaks the driver in every known way and shows which scenario notices.
pub fn run(part: &str) -> Result<()> {
    let target = Target::default();
    setup::ensure(target, &[])?;
    let outcomes = mutants::run(target, part)?;
    mutants::all_caught(&outcomes)
}
