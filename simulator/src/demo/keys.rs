//! Which process exactly a flow belongs to: what the driver can know of it, and what it says.
//!
//! It cannot know of a process that exited before it was started; and of two with one id that run the same program it cannot tell
//! which one it is, once it has seen both. In all other cases it has to. Who made the socket is known from the demo's own programs.

use super::{
    events::to_the_millisecond,
    process::Process,
    report::Report,
    trace::{Owner, Tagged},
};

/// A process that the machine was told of, and the start key that it has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartKey {
    /// The process's id.
    pub pid: u32,
    /// When it began, in units of 100 ns since 1601.
    pub created: u64,
    /// The key.
    pub key: u64,
}

/// What is known of processes.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    /// The demo's own; none where a recording has none.
    pub processes: &'a [Process],
    /// Those that the machine was told of.
    pub known: &'a [StartKey],
    /// When the driver was started, on the clock of the reports.
    pub started: f64,
}

/// What is to be said of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It names the owner.
    Right,
    /// It names nobody, and nobody can know which of two it is.
    Ambiguous,
    /// It names nobody, and the owner exited before the driver was started, or nobody knows who it is.
    Unknown,
    /// It names somebody else, or somebody where nobody can be known, or nobody where the owner can: in words.
    Wrong(String),
}

impl Keys<'_> {
    /// Judges what the driver says of the owner of a flow.
    #[must_use]
    pub fn judge(&self, report: &Report, flow: &Tagged) -> Answer {
        let nobody = Owner::default();
        if self.processes.is_empty() {
            return answered(flow, &nobody, Answer::Unknown, "which nobody was told of");
        }
        let owner = self.processes.iter().find(|process| report.created.is_some_and(|at| process.is(report.pid, at)));
        let Some(owner) = owner else {
            return Answer::Wrong(format!("the demo does not know process {}", report.pid));
        };
        if self.exited_before(owner) {
            return answered(flow, &nobody, Answer::Unknown, "which exited before the driver was started");
        }
        // It was authorized no earlier than this.
        let authorized = report.opened.unwrap_or(owner.launched).max(self.started);
        let another = |other: &&Process| {
            (other.pid, &other.program) == (owner.pid, &owner.program)
                && other.created != owner.created
                && other.launched < authorized
                && !self.exited_before(other)
        };
        if self.processes.iter().any(|other| another(&other)) {
            return answered(flow, &nobody, Answer::Ambiguous, "which cannot be told from another one");
        }
        // A process that has run several programs, one in the place of the other, made its sockets with the last of them.
        let Some(known) = self.known.iter().rfind(|known| owner.is(known.pid, known.created)) else {
            return Answer::Wrong(format!("the machine was not told of process {}", owner.pid));
        };
        let expected = Owner {
            key: Some(known.key),
            start: Some(to_the_millisecond(known.created)),
            parent: Some(owner.parent.into()),
        };
        answered(flow, &expected, Answer::Right, "which is another one")
    }

    fn exited_before(&self, process: &Process) -> bool {
        process.ended.is_some_and(|ended| ended < self.started)
    }

    /// How many ids have been those of two processes or more.
    #[must_use]
    pub fn reused(&self) -> usize {
        let again = |(index, process): &(usize, &Process)| {
            self.processes[..*index].iter().filter(|before| before.pid == process.pid).count() == 1
        };
        self.processes.iter().enumerate().filter(again).count()
    }
}

/// The answer, if it is the expected one.
fn answered(flow: &Tagged, expected: &Owner, answer: Answer, otherwise: &str) -> Answer {
    if flow.owner == *expected {
        return answer;
    }
    Answer::Wrong(format!("{:?} instead of {expected:?} for process {}, {otherwise}", flow.owner, flow.pid))
}

#[cfg(test)]
mod tests {
    use super::{super::process::TICK, *};
    use crate::demo::verdict::tests::{report, tagged};

    /// The driver was started in second 1.
    const STARTED: f64 = 1.0;
    /// 2026-11-29T12:34:56.789Z.
    const CREATED: u64 = (11_644_473_600 + 1_795_955_696) * 10_000_000 + 7_890_000;

    /// Process 42, the owner of [`report`]'s flow, which begins in second 2.
    fn owner() -> Process {
        Process { pid: 42, parent: 7, created: CREATED, program: "peer".into(), launched: 1.5, ended: None }
    }

    /// A later one with its id.
    fn other() -> Process {
        Process { created: CREATED + 5 * TICK, launched: 1.8, ..owner() }
    }

    fn key_of(process: &Process, key: u64) -> StartKey {
        StartKey { pid: process.pid, created: process.created + 12, key }
    }

    fn judged(processes: &[Process], owned: Owner) -> Answer {
        let known = [key_of(&owner(), 100), key_of(&other(), 200)];
        let keys = Keys { processes, known: &known, started: STARTED };
        keys.judge(&Report { created: Some(CREATED), ..report() }, &Tagged { owner: owned, ..tagged() })
    }

    fn named() -> Owner {
        Owner { key: Some(100), start: Some("2026-11-29T12:34:56.789Z".into()), parent: Some(7) }
    }

    fn nobody() -> Owner {
        Owner::default()
    }

    #[track_caller]
    fn assert_wrong(answer: &Answer) {
        assert!(matches!(answer, Answer::Wrong(_)), "{answer:?}");
    }

    #[test]
    fn the_owner_named_by_key_start_and_parent_is_right() {
        assert_eq!(judged(&[owner()], named()), Answer::Right);
    }

    #[test]
    fn another_key_start_or_parent_is_wrong() {
        for other in [
            Owner { key: Some(200), ..named() },
            Owner { start: Some("2026-11-29T12:34:56.790Z".into()), ..named() },
            Owner { parent: Some(8), ..named() },
        ] {
            assert_wrong(&judged(&[owner()], other));
        }
    }

    #[test]
    fn to_name_nobody_is_wrong_where_the_owner_can_be_known() {
        assert_wrong(&judged(&[owner()], nobody()));
    }

    #[test]
    fn an_owner_that_exited_before_the_driver_was_started_is_unknown_and_must_not_be_named() {
        let gone = Process { launched: 0.2, ended: Some(0.5), ..owner() };

        assert_eq!(judged(std::slice::from_ref(&gone), nobody()), Answer::Unknown);
        assert_wrong(&judged(&[gone], named()));
    }

    #[test]
    fn an_owner_that_exited_later_can_be_known() {
        let gone = Process { ended: Some(1.9), ..owner() };

        assert_eq!(judged(std::slice::from_ref(&gone), named()), Answer::Right);
        assert_wrong(&judged(&[gone], nobody()));
    }

    #[test]
    fn of_two_of_one_program_with_one_id_none_must_be_named() {
        let processes = [Process { ended: Some(1.7), ..owner() }, other()];

        assert_eq!(judged(&processes, nobody()), Answer::Ambiguous);
        assert_wrong(&judged(&processes, named()));
    }

    #[test]
    fn another_program_with_the_id_does_not_come_into_question() {
        let processes = [Process { ended: Some(1.7), ..owner() }, Process { program: "curl".into(), ..other() }];

        assert_eq!(judged(&processes, named()), Answer::Right);
        assert_wrong(&judged(&processes, nobody()));
    }

    #[test]
    fn one_that_begins_after_the_flow_was_authorized_does_not_come_into_question() {
        let processes = [Process { ended: Some(2.5), ..owner() }, Process { launched: 2.6, ..other() }];

        assert_eq!(judged(&processes, named()), Answer::Right);
    }

    #[test]
    fn one_that_exited_before_the_driver_was_started_does_not_come_into_question() {
        let before = Process { created: CREATED - 5 * TICK, launched: 0.1, ended: Some(0.5), ..owner() };

        assert_eq!(judged(&[before, owner()], named()), Answer::Right);
    }

    #[test]
    fn the_last_program_of_a_process_is_the_one_that_made_the_socket() {
        let known = [key_of(&owner(), 99), key_of(&owner(), 100)];
        let keys = Keys { processes: &[owner()], known: &known, started: STARTED };
        let flow = Tagged { owner: named(), ..tagged() };

        assert_eq!(keys.judge(&Report { created: Some(CREATED), ..report() }, &flow), Answer::Right);
    }

    #[test]
    fn a_process_that_the_machine_was_not_told_of_or_the_demo_has_not_started_is_wrong() {
        let untold = Process { created: CREATED + 9 * TICK, ..owner() };
        let report = Report { created: Some(untold.created), ..report() };
        let known = [key_of(&owner(), 100)];

        for processes in [&[untold][..], &[owner()]] {
            let keys = Keys { processes, known: &known, started: STARTED };
            assert_wrong(&keys.judge(&report, &Tagged { owner: named(), ..tagged() }));
        }
    }

    #[test]
    fn a_recording_without_processes_leaves_all_owners_unknown() {
        assert_eq!(judged(&[], nobody()), Answer::Unknown);
        assert_wrong(&judged(&[], named()));
    }

    #[test]
    fn an_id_that_three_processes_have_had_is_one_that_was_used_again() {
        let processes = [owner(), other(), Process { pid: 43, ..owner() }, other()];
        let keys = Keys { processes: &processes, known: &[], started: STARTED };

        assert_eq!(keys.reused(), 1);
    }
}
