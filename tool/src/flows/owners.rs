//! Each process once.

use std::{collections::HashMap, sync::Arc};

use crate::event::Process;

/// A process, by its place among [`Owners`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(pub u32);

/// All processes that own flows.
#[derive(Debug, Default)]
pub struct Owners {
    all: Vec<Arc<Process>>,
    by_key: HashMap<u64, OwnerId>,
    /// Those without a start key: only what is told alike is taken for the same.
    others: HashMap<Arc<Process>, OwnerId>,
}

impl Owners {
    /// The process of this id.
    #[must_use]
    pub fn get(&self, OwnerId(place): OwnerId) -> &Process {
        &self.all[place as usize]
    }

    /// All of them, in the order in which they were heard of.
    pub fn iter(&self) -> impl Iterator<Item = &Process> {
        self.all.iter().map(AsRef::as_ref)
    }

    /// The id of a process.
    pub(super) fn id(&mut self, process: &Process) -> OwnerId {
        let next = OwnerId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        if process.start_key != 0 {
            let id = *self.by_key.entry(process.start_key).or_insert(next);
            if id == next {
                self.all.push(Arc::new(process.clone()));
            }
            return id;
        }
        if let Some(id) = self.others.get(process) {
            return *id;
        }
        let process = Arc::new(process.clone());
        self.all.push(Arc::clone(&process));
        self.others.insert(process, next);
        next
    }
}
