//! What the demo needs of a machine with a driver.

use std::{fmt::Display, time::Duration};

use anyhow::Result;

use super::{keys::StartKey, verdict::Remains};
use crate::{etw::Event, traffic::pump::Sink};

/// A machine, and the driver that the demo starts and stops on it.
pub trait Driver: Sink<Error: Display> {
    /// How the machine names a session of event tracing.
    type Session: Copy;

    /// What is told to the machine from now on happened at this time, in units of 100 ns since 1601; [`None`]: it happens now.
    fn happens_at(&self, time: Option<u64>);

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

    /// The start keys of the processes that it was told of, in the order in which they began.
    fn start_keys(&self) -> Vec<StartKey>;

    /// Begins to listen to the driver's events up to this level; 0 is all.
    ///
    /// # Errors
    /// The machine has stopped.
    fn listen(&self, level: u8) -> Result<Self::Session>;

    /// Asks the driver for what it knows already.
    ///
    /// # Errors
    /// The machine has stopped.
    fn capture_state(&self, session: Self::Session) -> Result<()>;

    /// The events that a session has got since this was asked last.
    fn events(&self, session: Self::Session) -> Vec<Event>;

    /// How many it has lost.
    fn events_lost(&self, session: Self::Session) -> u64;

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
