//! Each process once.

use std::sync::Arc;

use crate::{event::Process, process_index::ProcessIndex};

/// A process, by its place among [`Owners`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(pub u32);

/// All processes that own flows.
#[derive(Debug, Default)]
pub struct Owners {
    all: Vec<Arc<Process>>,
    known: ProcessIndex<OwnerId>,
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
        if let Some(id) = self.known.get(process) {
            return id;
        }
        let next = OwnerId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        let process = Arc::new(process.clone());
        self.known.add(&process, next);
        self.all.push(process);
        next
    }
}
