//! What happened in one run, as a number: runs with different numbers took different ways.

use std::{
    collections::{HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{LazyLock, Mutex},
};

/// The ways that were taken.
pub static WAYS: LazyLock<Mutex<HashSet<u64>>> = LazyLock::new(Mutex::default);

/// The trace of one run. Its lock is the host's, which is no step of the model.
#[derive(Default)]
pub struct Trace(Mutex<DefaultHasher>);

impl Trace {
    /// Notes what was done, and to which flow or slot.
    pub fn note(&self, what: &str, whom: u64) {
        (what, whom).hash(&mut *self.0.lock().unwrap());
    }

    /// The run is over.
    pub fn end(&self) {
        WAYS.lock().unwrap().insert(self.0.lock().unwrap().finish());
    }
}
