//! `cargo xtask build`.

use anyhow::Result;

use crate::{driver, setup, target::Target};

/// Builds the release image and prints its path as the last line.
pub fn run(target: Target) -> Result<()> {
    setup::ensure(target, &[])?;
    println!("{}", driver::build(target)?.display());
    Ok(())
}
