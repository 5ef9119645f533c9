//! Holds what the driver traced against what the programs say.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
};

use serde::Serialize;

use super::{
    keys::{Answer, Keys},
    packets::judge::Frames,
    report::{Protocol, Report},
    sessions::{self, Findings, Sessions},
    trace::Tagged,
};
use crate::traffic::event::Direction;

/// What is judged.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// Live or recorded.
    pub mode: Mode,
    /// Of the driver's image.
    pub driver_sha256: String,
    /// What the programs say.
    pub reports: &'a [Report],
    /// What the driver's trace lines say.
    pub tagged: &'a [Tagged],
    /// Whose flows they can be.
    pub keys: Keys<'a>,
    /// What those who listen to its events have heard.
    pub sessions: &'a Sessions,
    /// What became of the packets themselves.
    pub frames: Frames,
    /// When the driver was started, on the clock of the reports.
    pub started: f64,
    /// When it was stopped.
    pub stopped: f64,
    /// Records that the capture lost.
    pub events_lost: u64,
    /// What the driver left behind.
    pub remains: Remains,
}

/// Where the traffic came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// From this machine, now.
    Live,
    /// From a recording.
    Recorded,
}

/// What a driver leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Flow contexts that WFP still holds.
    pub contexts: u64,
    /// Pool blocks that were not freed.
    pub pool_blocks: u64,
    /// Bug checks: one ends the machine.
    pub bug_checks: u64,
}

/// The judgement: counts of flows, if not said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Live or recorded.
    pub mode: Mode,
    /// Of the driver's image.
    pub driver_sha256: String,
    /// Reported by the programs.
    pub flows: usize,
    /// Of those, traced by the driver.
    pub tagged: usize,
    /// Of those, with the process that owns them.
    pub right_pid: usize,
    /// With another process.
    pub wrong_pid: usize,
    /// With a key, a start and a parent that are the owner's, and nobody else's.
    pub keys_right: usize,
    /// With those of somebody else, or of nobody where the owner can be known.
    pub keys_wrong: usize,
    /// Without, since nobody can know which of two processes of one program and one id is the owner.
    pub keys_ambiguous: usize,
    /// Without, since the owner exited before the driver was started, or nobody knows who it was.
    pub keys_unknown: usize,
    /// Process ids that two processes have had, one after the other.
    pub reused_pids: usize,
    /// Not traced.
    pub untagged: usize,
    /// Not older than the driver, and counted as many payload bytes, both ways, as the program says.
    pub bytes_right: usize,
    /// Different programs that reported flows.
    pub programs: usize,
    /// Over TCP.
    pub tcp: usize,
    /// Over UDP.
    pub udp: usize,
    /// Over IPv4.
    pub v4: usize,
    /// Over IPv6.
    pub v6: usize,
    /// Begun by the program.
    pub outbound: usize,
    /// Begun by the other side.
    pub inbound: usize,
    /// Open when the driver was started.
    pub older_than_driver: usize,
    /// Open when the driver was stopped.
    pub open_at_stop: usize,
    /// Records that the capture lost.
    pub events_lost: u64,
    /// Events about flows and about itself that the driver has written.
    pub etw_events: usize,
    /// Events that a session has lost.
    pub etw_lost: u64,
    /// Flow contexts that WFP still holds.
    pub contexts_left: u64,
    /// Pool blocks that were not freed.
    pub pool_blocks_left: u64,
    /// Bug checks.
    pub bug_checks: u64,
    /// Whose the packets are, which were captured and annotated.
    #[serde(flatten)]
    pub frames: Frames,
    /// Traced by the driver, but had by no program. Not counted when no program reports.
    #[serde(skip)]
    pub unreported: usize,
    /// What is wrong with the events.
    #[serde(skip)]
    pub events: Findings,
    /// Processes that the demo has started.
    #[serde(skip)]
    pub processes: usize,
    /// The flows that are not right, in words.
    #[serde(skip)]
    pub details: Vec<String>,
}

impl Verdict {
    /// Judges.
    #[must_use]
    pub fn new(evidence: &Evidence<'_>) -> Self {
        let reports = evidence.reports;
        let count = |is: &dyn Fn(&Report) -> bool| reports.iter().filter(|report| is(report)).count();
        let older = |report: &Report| report.opened.is_some_and(|opened| opened < evidence.started);
        let mut verdict = Self {
            mode: evidence.mode,
            driver_sha256: evidence.driver_sha256.clone(),
            flows: reports.len(),
            tagged: 0,
            right_pid: 0,
            wrong_pid: 0,
            keys_right: 0,
            keys_wrong: 0,
            keys_ambiguous: 0,
            keys_unknown: 0,
            reused_pids: evidence.keys.reused(),
            untagged: 0,
            bytes_right: 0,
            programs: reports.iter().map(|report| &report.program).collect::<BTreeSet<_>>().len(),
            tcp: count(&|report| report.protocol == Protocol::Tcp),
            udp: count(&|report| report.protocol == Protocol::Udp),
            v4: count(&|report| report.local.is_ipv4()),
            v6: count(&|report| report.local.is_ipv6()),
            outbound: count(&|report| report.role == Direction::Outbound),
            inbound: count(&|report| report.role == Direction::Inbound),
            older_than_driver: count(&older),
            open_at_stop: count(&|report| report.closed.is_some_and(|closed| closed > evidence.stopped)),
            events_lost: evidence.events_lost,
            etw_events: evidence.sessions.first.len(),
            etw_lost: evidence.sessions.lost,
            contexts_left: evidence.remains.contexts,
            pool_blocks_left: evidence.remains.pool_blocks,
            bug_checks: evidence.remains.bug_checks,
            frames: evidence.frames.clone(),
            unreported: 0,
            processes: evidence.keys.processes.len(),
            events: sessions::judge(evidence.sessions, evidence.tagged),
            details: Vec::new(),
        };
        let mut traced: HashMap<Key, Vec<&Tagged>> = HashMap::new();
        for tagged in evidence.tagged {
            traced.entry(key_of(tagged)).or_default().push(tagged);
        }
        for report in reports {
            let key = Some((report.protocol, report.role, report.local, report.remote));
            // The same addresses may have been used twice: take the flow that fits, if there is one.
            let found = traced.get_mut(&key).and_then(|flows| {
                let fits = |flow: &&Tagged| flow.pid == u64::from(report.pid) && bytes_right(report, flow);
                let index = flows.iter().position(fits).unwrap_or(0);
                (index < flows.len()).then(|| flows.remove(index))
            });
            let Some(flow) = found else {
                verdict.untagged += 1;
                verdict.details.push(format!("not tagged: {}", described(report)));
                continue;
            };
            verdict.tagged += 1;
            if flow.pid == u64::from(report.pid) {
                verdict.right_pid += 1;
            } else {
                verdict.wrong_pid += 1;
                verdict.details.push(format!("tagged with process {}: {}", flow.pid, described(report)));
            }
            match evidence.keys.judge(report, flow) {
                Answer::Right => verdict.keys_right += 1,
                Answer::Ambiguous => verdict.keys_ambiguous += 1,
                Answer::Unknown => verdict.keys_unknown += 1,
                Answer::Wrong(why) => {
                    verdict.keys_wrong += 1;
                    verdict.details.push(format!("{why}: {}", described(report)));
                }
            }
            if older(report) {
                continue;
            }
            if bytes_right(report, flow) {
                verdict.bytes_right += 1;
            } else {
                let counted = flow
                    .counted
                    .as_ref()
                    .map_or("nothing".to_owned(), |counted| format!("{} out, {} in", counted.bytes.0, counted.bytes.1));
                verdict.details.push(format!("counted as {counted}: {}", described(report)));
            }
        }
        if !reports.is_empty() {
            verdict.unreported = traced.values().map(Vec::len).sum();
        }
        let Findings { unclosed, unheard, disagreeing } = &verdict.events;
        verdict.details.extend([unclosed, unheard, disagreeing].into_iter().flatten().cloned());
        if let Frames::Judged(counts) = &verdict.frames {
            verdict.details.extend(counts.details.iter().cloned());
        }
        verdict
    }

    /// What is wrong, in words: nothing, if the driver did all that it should. Without reports only leaks, bug checks and the capture are judged.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut expect_none = |count: u64, what: &str| {
            if count != 0 {
                complaints.push(format!("{count} {what}"));
            }
        };
        expect_none(self.untagged as u64, "flows were not tagged");
        expect_none(self.wrong_pid as u64, "flows were tagged with another process than their owner");
        expect_none(
            self.keys_wrong as u64,
            "flows were tagged with another key than their owner's, or a wrong start or parent",
        );
        let bytes_wrong = (self.flows - self.older_than_driver).saturating_sub(self.bytes_right);
        expect_none(bytes_wrong as u64, "flows were counted with other bytes than their programs sent and received");
        expect_none(self.unreported as u64, "flows were traced that no program had");
        expect_none(self.events_lost, "records were lost by the capture, so that the counts mean nothing");
        expect_none(self.etw_lost, "events were lost");
        expect_none(self.events.unclosed.len() as u64, "flows have a FlowOpen and no FlowClose");
        expect_none(self.events.unheard.len() as u64, "flows were not told to a session that came later");
        expect_none(self.events.disagreeing.len() as u64, "flows are told of otherwise by events than by lines");
        expect_none(self.contexts_left, "flow contexts were left behind");
        expect_none(self.pool_blocks_left, "pool blocks were left behind");
        expect_none(self.bug_checks, "bug checks");
        if let Frames::Judged(counts) = &self.frames {
            complaints.extend(counts.complaints());
        }
        complaints
    }

    /// What the traffic lacks to say much: nothing, for the demo's own programs.
    #[must_use]
    pub fn shortages(&self) -> Vec<String> {
        let wanted = [
            (self.flows, 40, "flows"),
            (self.programs, 4, "programs"),
            (self.tcp, 5, "flows over TCP"),
            (self.udp, 5, "flows over UDP"),
            (self.v4, 5, "flows over IPv4"),
            (self.v6, 5, "flows over IPv6"),
            (self.outbound, 5, "outbound flows"),
            (self.inbound, 5, "inbound flows"),
            (self.older_than_driver, 3, "flows older than the driver"),
            (self.open_at_stop, 5, "flows open at the stop"),
        ];
        // Recordings of format 1 tell of no processes.
        let of_processes = [
            (self.reused_pids, 2, "process ids used again"),
            (self.keys_ambiguous, 1, "flows of one of two processes with one id and program"),
            (self.keys_unknown, 1, "flows of processes that exited before the driver was started"),
        ];
        let wanted = wanted.into_iter().chain(of_processes.into_iter().filter(|_| self.processes > 0));
        let short = wanted.filter(|(had, least, _)| had < least);
        let short = short.map(|(had, least, what)| format!("only {had} {what}, and {least} are wanted"));
        match &self.frames {
            Frames::Judged(counts) => short.chain(counts.shortages()).collect(),
            Frames::None { .. } => short.collect(),
        }
    }
}

type Key = Option<(Protocol, Direction, SocketAddr, SocketAddr)>;

fn key_of(tagged: &Tagged) -> Key {
    let (local, remote) = tagged.ends?;
    Some((tagged.protocol?, tagged.direction, local, remote))
}

fn described(report: &Report) -> String {
    let Report { pid, program, protocol, role, local, remote, sent, received, first, .. } = report;
    let note = if *first == 0 { String::new() } else { format!(", the first datagram {first}") };
    format!(
        "{program}, process {pid}, {protocol:?} {role:?} {local} -> {remote}, {sent} bytes sent, {received} received{note}"
    )
}

fn bytes_right(report: &Report, flow: &Tagged) -> bool {
    let first = if report.role == Direction::Inbound && report.protocol == Protocol::Udp { report.first } else { 0 };
    flow.counted.as_ref().is_some_and(|counted| counted.bytes == (report.sent, report.received.saturating_sub(first)))
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
pub(crate) mod tests;
