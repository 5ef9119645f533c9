//! `cargo xtask mutants`.

use anyhow::Result;

use crate::{
    mutants::{self, generated},
    setup,
    target::Target,
};

/// Breaks the driver in every known way and shows which test notices.
pub fn run(part: &str) -> Result<()> {
    let target = Target::default();
    setup::ensure(target, &[])?;
    let outcome = mutants::run(target, part)?;
    mutants::all_caught(&outcome)
}

/// Breaks the driver in every way that the generators think of, or lists these ways.
pub fn run_generated(request: &generated::Request, list: bool) -> Result<()> {
    if list { generated::list(request) } else { generated::run(request) }
}
