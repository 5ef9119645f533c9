//! The table beside a model of it that has no cleverness.
use std::{collections::VecDeque, num::NonZeroU64, ops::RangeInclusive};

use proptest::prelude::*;

use super::{
    Identity, Inserted, Process,
    table_tests::{CURL, Known, PING, Processes, key, room_for},
};

const CAPACITY: usize = 6;
/// Few, so that they are used again, and that chains have several. Not that of the System process.
const PIDS: RangeInclusive<u64> = 5..=8;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A process with this id, of this program, if that is known, whose parent has that id.
    Create {
        pid: u64,
        curl: Option<bool>,
        parent: u64,
    },
    /// The same of a process that somebody has been told of before, by its number.
    Again {
        which: usize,
        exited: bool,
    },
    Exit {
        which: usize,
    },
    /// The exit of one that nobody was told of.
    ExitUnknown {
        pid: u64,
        curl: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (PIDS, prop::option::weighted(0.9, any::<bool>()), PIDS).prop_map(|(pid, curl, parent)| Step::Create { pid, curl, parent }),
        2 => (0..20_usize, any::<bool>()).prop_map(|(which, exited)| Step::Again { which, exited }),
        4 => (0..20_usize).prop_map(|which| Step::Exit { which }),
        1 => (PIDS, any::<bool>()).prop_map(|(pid, curl)| Step::ExitUnknown { pid, curl }),
    ];
    prop::collection::vec(step, 0..60)
}

/// Those that run, and those that have exited, the first one first.
#[derive(Default)]
struct Model {
    told: Vec<Known>,
    living: Vec<Known>,
    exited: VecDeque<Known>,
}

impl Model {
    fn apply(&mut self, table: &mut Processes, step: Step) {
        let number = self.told.len() as u64 + 1;
        let path = |curl| if curl { CURL } else { PING };
        match step {
            Step::Create { pid, curl, parent } => {
                // Some at one time.
                let created = (number / 2).cast_signed();
                let process =
                    Process { pid, key: key(number), created, parent: NonZeroU64::new(parent), path: curl.map(path) };
                self.told.push(process);
                self.insert(table, process, false);
            }
            Step::Again { which, exited } => {
                let Some(process) = self.told.get(which).copied() else { return };
                self.insert(table, process, exited);
            }
            Step::Exit { which } => {
                let Some(process) = self.told.get(which).copied() else { return };
                assert_eq!(table.exit(process.pid, process.key), self.mark(process));
            }
            Step::ExitUnknown { pid, curl } => {
                let created = number.cast_signed();
                let process = Process { pid, key: key(number), created, parent: None, path: Some(path(curl)) };
                self.told.push(process);
                assert!(!table.exit(pid, process.key), "nobody was told of it");
                self.insert(table, process, true);
            }
        }
    }

    fn insert(&mut self, table: &mut Processes, process: Known, exited: bool) {
        let outcome = table.insert(process, exited);
        if self.all().any(|other| other.key == process.key) {
            assert_eq!(outcome, Inserted::Known(process));
            if exited {
                self.mark(process);
            }
            return;
        }
        let full = self.all().count() == CAPACITY;
        if full && self.exited.is_empty() {
            assert_eq!(outcome, Inserted::Full(process));
            return;
        }
        let before = if full { self.exited.pop_front() } else { None };
        assert_eq!(outcome, Inserted::New(before));
        self.living.push(process);
        if exited {
            self.mark(process);
        }
    }

    /// Whether it is there; from now on it has exited.
    fn mark(&mut self, process: Known) -> bool {
        if let Some(index) = self.living.iter().position(|other| other.key == process.key) {
            let process = self.living.remove(index);
            self.exited.push_back(process);
            return true;
        }
        self.exited.iter().any(|other| other.key == process.key)
    }

    fn all(&self) -> impl Iterator<Item = &Known> {
        self.living.iter().chain(&self.exited)
    }

    fn identity_of(&self, pid: u64, path: &[u8]) -> Option<Identity> {
        let fitting = self.all().filter(|process| process.pid == pid && process.path.is_none_or(|own| own == path));
        let fitting: Vec<_> = fitting.collect();
        let [Process { key, created, parent, path: Some(_), .. }] = fitting[..] else { return None };
        let parent = parent.map_or(0, NonZeroU64::get);
        Some(Identity { start_key: key.get(), created: created.cast_unsigned(), parent })
    }
}

proptest! {
    #[test]
    fn the_table_does_what_the_model_does(steps in steps()) {
        let (mut table, mut model) = (room_for(CAPACITY), Model::default());
        for step in steps {
            model.apply(&mut table, step);
            for pid in PIDS {
                for path in [CURL, PING] {
                    let identity = table.identify(pid, path);
                    prop_assert_eq!(identity, model.identity_of(pid, path));
                }
            }
        }
    }
}
