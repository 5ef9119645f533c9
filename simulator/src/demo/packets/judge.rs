//! Holds the owner that each packet got against the process that has sent it, by what the programs report.
//!
//! On the loopback interface each packet is captured once, without a word of which way it goes: then `flowtag annotate` names its
//! sender (docs/tool.md). The sender is the program that reports a flow from the packet's source to its destination. Where several
//! have had one, one after the other, it is the last of those that had begun when the packet was captured: a program tells the time
//! before it opens its socket, and no packet of the one before comes later than that.

use std::{collections::HashMap, net::SocketAddr};

use serde::Serialize;

use super::{
    Packets,
    read::{Owner, Packet},
};
use crate::{
    demo::{
        process::Process,
        report::{Protocol, Report},
    },
    traffic::event::Direction,
};

/// Of a hundred packets of reported flows, so many have to get an owner.
const PERCENT: usize = 99;
/// A connection that lives for less than this many seconds is a short one.
const SHORT: f64 = 0.005;
/// A port that is used again within so many seconds is used again at once.
const AT_ONCE: f64 = 1.0;

/// What was found, or why nothing was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Frames {
    /// There are packets.
    Judged(Counts),
    /// There are none.
    None {
        /// Why.
        no_frames: String,
    },
}

/// Counts of packets, if not said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Of reported flows, captured before the driver was stopped.
    pub frames: usize,
    /// Of those, with an owner.
    pub frames_joined: usize,
    /// Of those, with the process that has sent them.
    pub frames_right: usize,
    /// Of all in the capture, with another process, or with one that nothing tells of.
    pub frames_wrong: usize,
    /// Of all in the capture, those that two flows fit: they have no owner.
    pub frames_ambiguous: usize,
    /// Right ones, sent by who accepted the flow.
    pub frames_accepted: usize,
    /// Right ones, of flows older than the driver.
    pub frames_older: usize,
    /// Of reported flows, captured when the driver had been stopped: what it knows ends there.
    pub frames_after_stop: usize,
    /// Of flows that no program has reported.
    pub frames_without_report: usize,
    /// That the kernel had no room for.
    pub frames_dropped: usize,
    /// Outbound connections that lived under 5 ms, and all of whose packets are right.
    pub short_connections: usize,
    /// How often another process has had the same port and the same other end within a second, and no packet of either is wrong.
    pub ports_reused: usize,
    /// Those that are not right, in words.
    #[serde(skip)]
    pub details: Vec<String>,
}

/// What the packets are held against.
#[derive(Clone, Copy, Debug)]
pub struct Truth<'a> {
    /// What the programs say.
    pub reports: &'a [Report],
    /// Their processes.
    pub processes: &'a [Process],
    /// When the driver was started, on the clock of the reports.
    pub started: f64,
    /// When it was stopped.
    pub stopped: f64,
}

/// Judges.
#[must_use]
pub fn judge(packets: &Packets, truth: &Truth<'_>) -> Frames {
    let annotated = match packets {
        Ok(annotated) => annotated,
        Err(why) => return Frames::None { no_frames: why.clone() },
    };
    let mut senders = Senders::new(truth.reports);
    let mut counts =
        Counts { frames_ambiguous: annotated.ambiguous, frames_dropped: annotated.dropped, ..Counts::default() };
    for packet in &annotated.packets {
        let at = seconds(packet.at.saturating_sub(annotated.monotonic_began));
        let Some(sender) = senders.at(packet, at) else {
            counts.frames_without_report += 1;
            if packet.owner.is_some() {
                counts.wrong(packet, "which no program has sent");
            }
            continue;
        };
        let report = sender.report;
        let right = packet.owner.as_ref().map(|owner| is_right(owner, report, truth.processes));
        sender.sent(at, right);
        if right == Some(false) {
            counts.wrong(packet, &format!("of {}, process {}", report.program, report.pid));
        }
        if at >= truth.stopped {
            counts.frames_after_stop += 1;
            continue;
        }
        counts.frames += 1;
        counts.frames_joined += usize::from(right.is_some());
        if right == Some(true) {
            counts.frames_right += 1;
            counts.frames_accepted += usize::from(report.role == Direction::Inbound);
            counts.frames_older += usize::from(report.opened.is_some_and(|opened| opened < truth.started));
        } else if right.is_none() {
            counts.details.push(format!("without an owner: {}", described(packet)));
        }
    }
    counts.short_connections = senders.all().filter(|sender| sender.is_short()).count();
    counts.ports_reused = senders.reused();
    Frames::Judged(counts)
}

/// Whether the owner is the process of this report. What nobody can know of it, the driver has not told.
fn is_right(owner: &Owner, report: &Report, processes: &[Process]) -> bool {
    let Some(told) = owner.process.as_ref().filter(|_| owner.pid == report.pid) else { return false };
    let mut known = processes.iter().filter(|known| report.created.is_some_and(|at| known.is(report.pid, at)));
    known.any(|known| {
        told.created.is_none_or(|created| known.is(told.pid, created))
            && told.parent.is_none_or(|parent| parent == known.parent)
    })
}

impl Counts {
    fn wrong(&mut self, packet: &Packet, whose: &str) {
        self.frames_wrong += 1;
        let owner = packet.owner.as_ref().map_or(0, |owner| owner.pid);
        self.details.push(format!("given to process {owner}: {}, {whose}", described(packet)));
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if self.frames_wrong > 0 {
            complaints.push(format!("{} packets were given to another process than their sender", self.frames_wrong));
        }
        if self.frames_joined * 100 < self.frames * PERCENT {
            let Self { frames, frames_joined, .. } = self;
            complaints.push(format!("only {frames_joined} of {frames} packets have an owner"));
        }
        if self.frames_dropped > 0 {
            complaints.push(format!("{} packets were dropped by the kernel, and not captured", self.frames_dropped));
        }
        complaints
    }

    /// What the packets lack to say much, in words.
    #[must_use]
    pub fn shortages(&self) -> Vec<String> {
        let wanted = [
            (self.frames, 300, "packets"),
            (self.frames_accepted, 100, "right packets of those who accept"),
            (self.frames_older, 20, "right packets of flows older than the driver"),
            (self.short_connections, 1, "connections under 5 ms"),
            (self.ports_reused, 1, "ports used by another process within a second"),
        ];
        let short = wanted.into_iter().filter(|(had, least, _)| had < least);
        short.map(|(had, least, what)| format!("only {had} {what}, and {least} are wanted")).collect()
    }
}

type Way = (Protocol, SocketAddr, SocketAddr);

/// Who has sent from one end to another, in the order in which they began.
struct Senders<'a>(HashMap<Way, Vec<Sender<'a>>>);

/// A report, and the packets that were sent.
struct Sender<'a> {
    report: &'a Report,
    first: f64,
    last: f64,
    sent: usize,
    right: usize,
    wrong: usize,
}

impl<'a> Senders<'a> {
    fn new(reports: &'a [Report]) -> Self {
        let mut senders: HashMap<Way, Vec<Sender<'_>>> = HashMap::new();
        for report in reports {
            let way = (report.protocol, report.local, report.remote);
            senders.entry(way).or_default().push(Sender { report, first: 0.0, last: 0.0, sent: 0, right: 0, wrong: 0 });
        }
        for on_way in senders.values_mut() {
            on_way.sort_by(|one, other| began(one.report).total_cmp(&began(other.report)));
        }
        Self(senders)
    }

    /// Who has sent a packet. The first may have, too, before it said so: whoever accepts a connection hears of it later.
    fn at(&mut self, packet: &Packet, at: f64) -> Option<&mut Sender<'a>> {
        let on_way = self.0.get_mut(&packet.ends?)?;
        let behind = on_way.partition_point(|sender| began(sender.report) <= at);
        on_way.get_mut(behind.saturating_sub(1))
    }

    fn all(&self) -> impl Iterator<Item = &Sender<'a>> {
        self.0.values().flatten()
    }

    fn reused(&self) -> usize {
        let at_once = |pair: &&[Sender<'_>]| {
            let [before, after] = pair else { return false };
            let between = before.report.closed.map(|closed| began(after.report) - closed);
            let other = (before.report.pid, before.report.created) != (after.report.pid, after.report.created);
            other && between.is_some_and(|between| between < AT_ONCE) && before.none_wrong() && after.none_wrong()
        };
        self.0.values().map(|on_way| on_way.windows(2).filter(at_once).count()).sum()
    }
}

impl Sender<'_> {
    fn sent(&mut self, at: f64, right: Option<bool>) {
        if self.sent == 0 {
            self.first = at;
        }
        self.last = at;
        self.sent += 1;
        self.right += usize::from(right == Some(true));
        self.wrong += usize::from(right == Some(false));
    }

    const fn none_wrong(&self) -> bool {
        self.right > 0 && self.wrong == 0
    }

    fn is_short(&self) -> bool {
        let connection = (self.report.protocol, self.report.role) == (Protocol::Tcp, Direction::Outbound);
        connection && self.none_wrong() && self.right == self.sent && self.last - self.first < SHORT
    }
}

fn began(report: &Report) -> f64 {
    report.opened.unwrap_or(0.0)
}

fn seconds(ticks: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds since boot with microseconds fit into 53 bits")]
    let seconds = ticks as f64 / 1e7;
    seconds
}

fn described(packet: &Packet) -> String {
    match packet.ends {
        Some((protocol, source, destination)) => format!("a packet of {protocol:?} {source} -> {destination}"),
        None => "a packet without ports".into(),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
