//! From what single probes see of processes to processes as Windows has them, where each runs one program from its beginning to its
//! end: of Linux they begin when they run a program. A process that runs another one in its place (exec) is a new process with its
//! id, and one that never does, but goes on as a copy of its parent (fork), begins when it is first heard of.

use std::collections::{HashMap, hash_map::Entry};

use super::event::{Event, Process};

/// The processes that run.
#[derive(Debug, Default)]
pub struct Processes(HashMap<u32, Process>);

impl Processes {
    /// A process has begun to run a program. The same one again in the same process is nothing new.
    pub fn begin(&mut self, process: Process, events: &mut Vec<Event>) {
        if self.0.get(&process.pid).is_none_or(|before| !is_same(before, &process) || before.path != process.path) {
            self.replace(process, events);
        }
    }

    /// A process is heard of otherwise.
    pub fn meet(&mut self, process: &Process, events: &mut Vec<Event>) {
        if self.0.get(&process.pid).is_none_or(|before| !is_same(before, process)) {
            self.replace(process.clone(), events);
        }
    }

    /// The process with this id that had begun then exits. Of one that was not heard of nobody was told.
    pub fn exit(&mut self, pid: u32, created: u64, events: &mut Vec<Event>) {
        if let Entry::Occupied(running) = self.0.entry(pid)
            && running.get().created == created
        {
            running.remove();
            events.push(Event::Exit { pid });
        }
    }

    fn replace(&mut self, process: Process, events: &mut Vec<Event>) {
        if let Some(Process { pid, .. }) = self.0.insert(process.pid, process.clone()) {
            events.push(Event::Exit { pid });
        }
        events.push(Event::Begin(process));
    }
}

/// Whether two processes with one id are one.
const fn is_same(one: &Process, other: &Process) -> bool {
    one.created == other.created
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(created: u64, path: &str) -> Process {
        Process { pid: 42, parent: 1, created, path: Some(path.into()) }
    }

    fn after(what: impl FnOnce(&mut Processes, &mut Vec<Event>)) -> Vec<Event> {
        let (mut processes, mut events) = (Processes::default(), Vec::new());
        what(&mut processes, &mut events);
        events
    }

    #[test]
    fn a_process_begins_with_its_program_and_exits() {
        let events = after(|processes, events| {
            processes.begin(process(7, "/bin/sh"), events);
            processes.meet(&process(7, "/bin/sh"), events);
            processes.exit(42, 7, events);
        });

        assert_eq!(events, [Event::Begin(process(7, "/bin/sh")), Event::Exit { pid: 42 }]);
    }

    #[test]
    fn a_program_in_the_place_of_another_is_another_process() {
        let events = after(|processes, events| {
            processes.begin(process(7, "/bin/sh"), events);
            processes.begin(process(7, "/bin/curl"), events);
        });

        let (shell, curl) = (process(7, "/bin/sh"), process(7, "/bin/curl"));
        assert_eq!(events, [Event::Begin(shell), Event::Exit { pid: 42 }, Event::Begin(curl)]);
    }

    #[test]
    fn a_program_in_its_own_place_is_the_same_process() {
        let events = after(|processes, events| {
            processes.begin(process(7, "/bin/sh"), events);
            processes.begin(process(7, "/bin/sh"), events);
        });

        assert_eq!(events, [Event::Begin(process(7, "/bin/sh"))]);
    }

    #[test]
    fn a_process_that_has_run_no_program_begins_when_it_is_met() {
        let events = after(|processes, events| processes.meet(&process(7, "/bin/python"), events));

        assert_eq!(events, [Event::Begin(process(7, "/bin/python"))]);
    }

    #[test]
    fn the_next_process_with_an_id_is_another_one_also_with_the_same_program() {
        for by_its_program in [true, false] {
            let events = after(|processes, events| {
                processes.begin(process(7, "/bin/sh"), events);
                if by_its_program {
                    processes.begin(process(9, "/bin/sh"), events);
                } else {
                    processes.meet(&process(9, "/bin/sh"), events);
                }
            });

            let (first, second) = (process(7, "/bin/sh"), process(9, "/bin/sh"));
            assert_eq!(events, [Event::Begin(first), Event::Exit { pid: 42 }, Event::Begin(second)]);
        }
    }

    #[test]
    fn the_exit_of_a_process_that_is_not_known_is_not_told() {
        let events = after(|processes, events| {
            processes.exit(42, 5, events);
            processes.begin(process(7, "/bin/sh"), events);
            processes.exit(42, 5, events);
        });

        assert_eq!(events, [Event::Begin(process(7, "/bin/sh"))]);
    }
}
