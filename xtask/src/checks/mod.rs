//! What the checks of `cargo xtask verify` have in common: what they are asked, the [`Row`] that each gives, and how those
//! run that are programs of their own.

pub mod on_hosts;
pub mod on_the_driver;
mod row;

use std::{ffi::OsString, path::Path};

pub use row::{Row, Status};

use crate::target::Target;

/// What a check is asked.
pub struct Request<'a> {
    /// Less, for every day.
    pub quick: bool,
    /// The machine that the driver is built for.
    pub target: Target,
    /// The driver under test.
    pub image: &'a Path,
    /// The binary of the checks on the shipped driver.
    pub flowtag_verify: &'a Path,
    /// What was typed behind the check's name.
    pub arguments: &'a [OsString],
}
