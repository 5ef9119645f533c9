//! `cargo xtask setup`.

use anyhow::Result;

use crate::setup;

/// Sets the machine up for every command and says so.
pub fn run() -> Result<()> {
    setup::everything()?;
    eprintln!("This machine has all that flowtag needs.");
    Ok(())
}
