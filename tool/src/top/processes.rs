//! Each process once, as long as it has flows; and for a while after that, since it is asked who had the traffic.

use std::{collections::VecDeque, sync::Arc};

use hashbrown::HashMap;

use super::window::Bytes;
use crate::{event::Process, process_index::ProcessIndex};

/// So many processes without flows are remembered.
const REMEMBERED: usize = 10_000;

/// A process, by a number that no other one gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(u64);

/// A process, and what its flows did that are not there any more.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) process: Arc<Process>,
    pub(super) past: Bytes,
    /// How many flows it has.
    flows: usize,
    /// How often it has had none.
    emptied: u64,
}

/// All processes.
#[derive(Debug, Default)]
pub(super) struct Processes {
    all: HashMap<ProcessId, Owner>,
    known: ProcessIndex<ProcessId>,
    next: u64,
    /// Those that have no flows, the longest so first. Who has got some again is in it nevertheless.
    empty: VecDeque<(ProcessId, u64)>,
}

impl Processes {
    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ProcessId, &Owner)> {
        self.all.iter().map(|(&id, owner)| (id, owner))
    }

    /// The process has one flow more.
    pub(super) fn hold(&mut self, process: &Process) -> ProcessId {
        let id = self.known.get(process).unwrap_or_else(|| self.add(process));
        if let Some(owner) = self.all.get_mut(&id) {
            owner.flows += 1;
            // A packet tells less of it than a flow does.
            if owner.process.path.is_empty() && !process.path.is_empty() {
                owner.process = Arc::new(process.clone());
            }
        }
        id
    }

    /// The process has one flow less, which has done this.
    pub(super) fn release(&mut self, id: ProcessId, done: Bytes) {
        let Some(owner) = self.all.get_mut(&id) else { return };
        owner.past += done;
        owner.flows -= 1;
        if owner.flows == 0 {
            owner.emptied += 1;
            self.empty.push_back((id, owner.emptied));
        }
        if self.empty.len() > REMEMBERED {
            self.forget();
        }
    }

    fn add(&mut self, process: &Process) -> ProcessId {
        let id = ProcessId(self.next);
        self.next += 1;
        let process = Arc::new(process.clone());
        self.known.add(&process, id);
        self.all.insert(id, Owner { process, past: Bytes::default(), flows: 0, emptied: 0 });
        id
    }

    /// Forgets the one that has had no flows for the longest time, if it still has none.
    fn forget(&mut self) {
        let Some((id, emptied)) = self.empty.pop_front() else { return };
        if self.all.get(&id).is_some_and(|owner| owner.flows == 0 && owner.emptied == emptied)
            && let Some(owner) = self.all.remove(&id)
        {
            self.known.remove(&owner.process);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(id: u32, start_key: u64, path: &str) -> Process {
        Process { id, start_key, path: path.into(), ..Process::default() }
    }

    fn known(processes: &Processes, start_key: u64) -> Option<ProcessId> {
        processes.known.get(&process(1, start_key, "a.exe"))
    }

    #[test]
    fn a_start_key_tells_processes_of_one_id_apart() {
        let mut processes = Processes::default();
        let first = processes.hold(&process(7, 1, "a.exe"));
        assert_ne!(processes.hold(&process(7, 2, "a.exe")), first);
        assert_eq!(processes.hold(&process(7, 1, "")), first);
    }

    #[test]
    fn without_a_start_key_only_what_is_told_alike_is_one_process() {
        let mut processes = Processes::default();
        let first = processes.hold(&process(7, 0, "a.exe"));
        assert_ne!(processes.hold(&process(7, 0, "b.exe")), first);
        assert_eq!(processes.hold(&process(7, 0, "a.exe")), first);
    }

    #[test]
    fn a_process_gets_its_path_when_it_is_told() {
        let mut processes = Processes::default();
        let id = processes.hold(&process(7, 1, ""));
        processes.hold(&process(7, 1, "a.exe"));
        assert_eq!(processes.all[&id].process.path, "a.exe");
    }

    #[test]
    fn of_processes_without_flows_the_longest_gone_is_forgotten_and_none_that_came_back() {
        let mut processes = Processes::default();
        for key in 1..=REMEMBERED as u64 + 1 {
            let id = processes.hold(&process(1, key, "a.exe"));
            if key == 3 {
                processes.hold(&process(1, 1, "a.exe"));
            }
            processes.release(id, Bytes { sent: key, received: 0 });
        }
        // The first came back before there were too many: its turn to be forgotten passes.
        assert_eq!(processes.all.len(), REMEMBERED + 1);
        let id = processes.hold(&process(1, u64::MAX, "a.exe"));
        processes.release(id, Bytes::default());
        assert_eq!(known(&processes, 2), None);
        assert_eq!(processes.all[&known(&processes, 1).unwrap()].past.sent, 1);
    }

    #[test]
    fn a_process_that_came_back_is_forgotten_when_its_last_flow_is_long_gone() {
        let mut processes = Processes::default();
        for key in [1, 2, 1].into_iter().chain(3..=REMEMBERED as u64) {
            let id = processes.hold(&process(1, key, "a.exe"));
            processes.release(id, Bytes::default());
        }
        assert!(known(&processes, 1).is_some() && known(&processes, 2).is_some());
    }
}
