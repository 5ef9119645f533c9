//! `cargo xtask fuzz`.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::fuzzing;

/// Fuzzes, or runs a target on one input.
pub fn run(target: Option<&str>, seconds: u64, keep: bool, replay: Option<PathBuf>) -> Result<()> {
    match replay {
        Some(input) => fuzzing::replay(target.context("--replay needs a target")?, &input),
        None => fuzzing::run(target, seconds, keep),
    }
}
