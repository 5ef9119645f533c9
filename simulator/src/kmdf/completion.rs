//! Where the outcome of a request appears, for the program that sent it.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// An NTSTATUS.
    pub status: u32,
    /// What the driver says beside it, mostly a count of bytes.
    pub information: u64,
    /// The output buffer as the driver left it.
    pub output: Vec<u8>,
}

/// Where the outcome of a request appears.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    outcome: Mutex<Option<Outcome>>,
    set: Condvar,
}

impl Completion {
    pub(crate) fn set(&self, outcome: Outcome) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.set.notify_all();
    }

    pub(crate) fn is_set(&self) -> bool {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn take(&self) -> Option<Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn wait(&self, limit: Duration) {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        if outcome.is_none() {
            drop(self.set.wait_timeout(outcome, limit).unwrap_or_else(PoisonError::into_inner));
        }
    }
}
