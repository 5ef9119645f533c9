//! What is claimed of the driver, and what the evidence says of each. A claim is judged by what the others leave to it: that a flow is
//! tagged, by whether it was told of; whose it is, among those that were; and so on. So one thing that is wrong fails one claim.

mod echoes;
mod finding;
mod flows;
mod guesses;
mod lives;
mod processes;
mod services;
#[cfg(test)]
pub(super) mod tests;

pub use finding::{Finding, Word};

use super::evidence::Evidence;

/// A claim.
pub struct Claim {
    /// Its name, which stays.
    pub id: &'static str,
    /// In words.
    pub text: &'static str,
    /// Whether its failure may be that of a session which has lost events.
    needs_all: bool,
    /// Whether it is what docs/simulator.md guesses of Windows, and nothing that the driver promises.
    pub is_guess: bool,
    judge: fn(&Evidence) -> Finding,
}

const fn claim(id: &'static str, text: &'static str, judge: fn(&Evidence) -> Finding) -> Claim {
    Claim { id, text, needs_all: false, is_guess: false, judge }
}

const fn of_events(id: &'static str, text: &'static str, judge: fn(&Evidence) -> Finding) -> Claim {
    Claim { needs_all: true, ..claim(id, text, judge) }
}

const fn guess(id: &'static str, text: &'static str, judge: fn(&Evidence) -> Finding) -> Claim {
    Claim { is_guess: true, ..of_events(id, text, judge) }
}

/// All of them, in the order in which they are told.
pub const CLAIMS: [Claim; 36] = [
    claim("start", "the service starts", services::start),
    claim("start-twice", "a second start is refused: error 1056", services::start_twice),
    claim("stop", "it stops with flows open", services::stop),
    claim("stop-twice", "a second stop is refused: error 1062", services::stop_twice),
    claim("start-again", "it starts again", services::start_again),
    claim("no-crash", "the machine goes on", services::no_crash),
    claim("events", "every event is one of docs/events.md, and none was lost", services::events),
    of_events("tagged", "every flow is told of: protocol, addresses, ports", flows::tagged),
    of_events("direction", "with who opened it", flows::direction),
    claim("owner", "with the process that has it", flows::owner),
    claim("path", "with that one's program", flows::path),
    claim("process", "with when that one was created, and by whom", processes::creation),
    claim("keys", "a process has one key, and no other has it", processes::keys),
    claim("reused", "a process id that is used again is not taken for the one before", processes::reused),
    claim("bytes", "bytes are exact", flows::bytes),
    of_events("first-packets", "the first packet each way is told, once", flows::first_packets),
    claim("older", "flows older than the driver are told as such: Origin 1", flows::older),
    claim("origin", "and no others", flows::newer),
    of_events("echo", "an ICMP echo request is told of: type, code, and bytes with its header", echoes::told_of),
    of_events("closed", "every FlowOpen has its FlowClose, which says the same", lives::closed),
    claim("why", "with why", lives::why),
    of_events("rundown", "a session that comes late is told of the live flows", lives::rundown),
    of_events("totals", "the totals are those of the events, opened = closed", lives::totals),
    of_events("drain", "the driver lets go of its flows within 2 seconds", lives::drain),
    of_events("settings", "TraceLevel and MaxFlows are as set", lives::settings),
    of_events("limit", "no more flows have a tag than MaxFlows", lives::limit),
    claim("bfe", "it goes on when the Base Filtering Engine is restarted", lives::bfe),
    guess("G1", "paths are NT paths of \\device\\harddiskvolume…, in lower case", guesses::path),
    guess("G2", "the local interface of a flow is told", guesses::interface),
    guess(
        "G3",
        "a flow that is authorized again says who opened it, whichever way its next packet goes",
        guesses::direction,
    ),
    guess("G4", "flows keep their tags when the Base Filtering Engine stops", guesses::tags_without_bfe),
    guess("G5", "a flow's handle is used again", guesses::handles),
    guess("G6", "a connection on this machine is two flows, one of each end", guesses::both_ends),
    guess("G7", "an echo request over a raw socket is told with the process that has that", echoes::owner),
    guess("G8", "the reply to an echo request belongs to the request's flow", echoes::reply),
    guess("G9", "the flow of a connection that was closed by both sides ends at once", lives::closed_connections),
];

/// Judges all claims.
#[must_use]
pub fn judge(evidence: &Evidence) -> Vec<(&'static Claim, Finding)> {
    CLAIMS.iter().map(|claim| (claim, claim.judge(evidence))).collect()
}

impl Claim {
    fn judge(&self, evidence: &Evidence) -> Finding {
        let finding = (self.judge)(evidence);
        if self.needs_all && evidence.no_events.is_some() {
            return Finding::unknown("nobody can listen to the driver");
        }
        if self.needs_all && evidence.lost > 0 && finding.word == Word::Fail {
            let seen = format!("{}; but a session lost {} events", finding.seen, evidence.lost);
            return Finding { word: Word::Unknown, seen };
        }
        if finding.word == Word::Unknown
            && let Some(why) = &evidence.no_traffic
        {
            return Finding { seen: format!("{}; no traffic reaches the machine: {why}", finding.seen), ..finding };
        }
        finding
    }
}
