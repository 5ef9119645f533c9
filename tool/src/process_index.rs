//! Which process is which.

use std::{collections::HashMap, sync::Arc};

use crate::event::Process;

/// Finds a process again by its start key. Of those without one only what is told alike is taken for the same.
#[derive(Debug)]
pub struct ProcessIndex<T> {
    by_key: HashMap<u64, T>,
    others: HashMap<Arc<Process>, T>,
}

impl<T> Default for ProcessIndex<T> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), others: HashMap::new() }
    }
}

impl<T: Copy> ProcessIndex<T> {
    /// What it was added with, if it was.
    #[must_use]
    pub fn get(&self, process: &Process) -> Option<T> {
        let known = if process.start_key == 0 { self.others.get(process) } else { self.by_key.get(&process.start_key) };
        known.copied()
    }

    /// Adds one that is not there.
    pub fn add(&mut self, process: &Arc<Process>, value: T) {
        if process.start_key == 0 {
            self.others.insert(Arc::clone(process), value);
        } else {
            self.by_key.insert(process.start_key, value);
        }
    }

    /// Forgets one.
    pub fn remove(&mut self, process: &Process) {
        if process.start_key == 0 {
            self.others.remove(process);
        } else {
            self.by_key.remove(&process.start_key);
        }
    }
}
