//! `cargo xtask debug`.

use std::ffi::OsString;

use anyhow::Result;

use crate::{debugger, setup, target::Target};

/// Runs the driver as `command` would, in lldb, up to one of `breakpoints`.
pub fn run(breakpoints: &[String], command: &[OsString]) -> Result<()> {
    setup::ensure(Target::default(), &[])?;
    debugger::run(breakpoints, command)
}
