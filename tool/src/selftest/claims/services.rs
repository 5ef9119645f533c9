//! What services answer, and that anything comes at all.

use super::{Finding, Word};
use crate::selftest::{
    evidence::{Evidence, Kind, Life, Step},
    machine::{RUNNING, STOPPED},
    run::in_words,
};

/// `ERROR_SERVICE_ALREADY_RUNNING` and `ERROR_SERVICE_NOT_ACTIVE` of winerror.h.
const ALREADY_RUNNING: u32 = 1056;
const NOT_ACTIVE: u32 = 1062;

pub(super) fn start(evidence: &Evidence) -> Finding {
    answered(evidence, Step::Start, 0, RUNNING)
}

pub(super) fn start_twice(evidence: &Evidence) -> Finding {
    answered(evidence, Step::StartTwice, ALREADY_RUNNING, RUNNING)
}

pub(super) fn stop(evidence: &Evidence) -> Finding {
    let finding = answered(evidence, Step::Stop, 0, STOPPED);
    if finding.word != Word::Pass {
        return finding;
    }
    let open = |life: &Life| life.flows.iter().filter(|flow| flow.talk.closed > life.ended).count();
    match evidence.life(Kind::Traffic).map_or(0, open) {
        0 => Finding::unknown(format!("{}, but no flow of the test's was open", finding.seen)),
        count => Finding::of(true, format!("{}, with {count} open", finding.seen)),
    }
}

pub(super) fn stop_twice(evidence: &Evidence) -> Finding {
    answered(evidence, Step::StopTwice, NOT_ACTIVE, STOPPED)
}

pub(super) fn start_again(evidence: &Evidence) -> Finding {
    answered(evidence, Step::StartAgain, 0, RUNNING)
}

fn answered(evidence: &Evidence, step: Step, error: u32, state: u32) -> Finding {
    let Some(answer) = evidence.answer(step) else { return Finding::unknown("it did not come to that") };
    let mut seen = in_words(answer);
    let is_so = (answer.error, answer.state) == (error, state);
    if let Some(said) = answer.said.as_ref().filter(|_| !is_so) {
        seen = format!("{seen}: {}", said.replace('\n', " "));
    }
    Finding::of(is_so, seen)
}

pub(super) fn no_crash(evidence: &Evidence) -> Finding {
    match (&evidence.crash, &evidence.given_up) {
        (Some(crash), _) => Finding::of(false, crash.lines().map(str::trim).collect::<Vec<_>>().join(" ")),
        (None, Some(why)) => Finding::unknown(format!("the test was given up: {why}")),
        (None, None) => Finding::of(true, "it did, to the end of the test"),
    }
}

pub(super) fn events(evidence: &Evidence) -> Finding {
    let count = evidence.lives.iter().map(|life| life.told.len()).sum();
    let mut problems = evidence.wrong.clone();
    if evidence.lost > 0 {
        problems.push(format!("{} were lost", evidence.lost));
    }
    Finding::count(count, "events", &problems)
}
