//! What Driver Verifier would catch, and how it is reported.

mod leavings;
mod names;
mod report;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

pub use leavings::{Harm, Leaving};
pub use report::BugCheck;
pub(crate) use report::Stop;

/// How closely a machine watches its driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watch {
    /// As Driver Verifier does, and more closely.
    #[default]
    Closely,
    /// What a classify hands out is not taken away afterwards, and the driver's pointers are taken as they are: to do
    /// otherwise costs more than the driver itself. A bad pointer crashes the process. For measurements.
    Loosely,
}

/// The payload that unwinds a CPU of a machine that has bug checked.
pub(crate) struct MachineDied;

/// The judge of one machine: the first bug check stands.
#[derive(Debug, Default)]
pub struct Referee {
    verdict: OnceLock<BugCheck>,
    dead: Arc<AtomicBool>,
}

impl Referee {
    /// The bug check that stopped the machine, if one has.
    #[must_use]
    pub fn verdict(&self) -> Option<BugCheck> {
        self.verdict.get().cloned()
    }

    pub(crate) fn dead_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.dead)
    }

    pub(crate) fn record(&self, verdict: BugCheck) {
        if self.verdict.set(verdict).is_ok() {
            self.dead.store(true, Ordering::Release);
        }
    }
}
