//! What the demo needs of a machine with a driver.

use std::{fmt::Display, time::Duration};

use anyhow::Result;

use super::verdict::Remains;
use crate::traffic::pump::Sink;

/// A machine, and the driver that the demo starts and stops on it.
pub trait Driver: Sink<Error: Display> {
    /// Creates and starts the driver's service.
    ///
    /// # Errors
    /// It does not start.
    fn start(&self) -> Result<()>;

    /// Stops and deletes it.
    ///
    /// # Errors
    /// It does not stop.
    fn stop(&self) -> Result<()>;

    /// The debug lines from the `from`th on.
    fn lines(&self, from: usize) -> Vec<Line>;

    /// What is left of it.
    fn remains(&self) -> Remains;
}

/// A debug line, as `DbgView` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Since the machine started.
    pub time: Duration,
    /// Without the line break.
    pub text: String,
}
