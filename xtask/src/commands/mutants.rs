//! `cargo xtask mutants`.

use anyhow::Result;

use crate::{mutants, setup, target::Target};

/// Breaks the driver in every known way and shows which test notices.
pub fn run(part: &str) -> Result<()> {
    let target = Target::default();
    setup::ensure(target, &[])?;
    let outcome = mutants::run(target, part)?;
    mutants::all_caught(&outcome)
}
