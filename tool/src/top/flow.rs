//! A flow, and what it has done so far.

use std::{fmt::Write, sync::Arc};

use super::{
    processes::ProcessId,
    window::{Bytes, Window},
};
use crate::{
    event::{Direction, Flow, Traffic},
    flows::{ICMP, ICMPV6, Protocol},
    time::Time,
};

/// A flow, by a number that no other one gets, as its handle may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub(super) u64);

/// What is known of a flow.
#[derive(Debug)]
pub(super) struct State {
    pub(super) id: FlowId,
    pub(super) process: ProcessId,
    /// Between whom, as it is shown.
    pub(super) text: Arc<str>,
    /// When it was tagged.
    pub(super) opened: Option<Time>,
    /// It is not there any more.
    pub(super) is_over: bool,
    /// When it ended.
    pub(super) closed: Option<Time>,
    /// Since it was tagged.
    pub(super) total: Bytes,
    pub(super) window: Window,
}

impl State {
    /// One that nothing has been heard of but its process.
    pub(super) fn new(id: FlowId, process: ProcessId, text: String) -> Self {
        Self {
            id,
            process,
            text: text.into(),
            opened: None,
            is_over: false,
            closed: None,
            total: Bytes::default(),
            window: Window::default(),
        }
    }

    /// It lives since then, or longer, and has done so much at least.
    pub(super) fn lives(&mut self, opened: Option<Time>, total: Bytes) {
        self.opened = match (self.opened, opened) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.total = self.total.max(total);
    }

    /// How old it is, or was at its end.
    pub(super) fn age(&self, now: Option<Time>) -> Option<u64> {
        let end = if self.is_over { self.closed } else { now };
        Some(end?.0.saturating_sub(self.opened?.0))
    }
}

impl From<&Traffic> for Bytes {
    fn from(traffic: &Traffic) -> Self {
        Self { sent: traffic.out_bytes, received: traffic.in_bytes }
    }
}

/// Between whom a flow is. Who it is with comes first: the line may be cut off.
pub(super) fn text(flow: &Flow) -> String {
    let (protocol, local, remote) = (Protocol(flow.protocol), flow.local, flow.remote);
    let (first, second) = match flow.direction {
        Direction::Out => ("to", "from"),
        Direction::In => ("from", "to"),
    };
    let mut text = if matches!(flow.protocol, ICMP | ICMPV6) {
        let (kind, code) = (local.port(), remote.port());
        format!("{protocol} {first} {} {second} {} type={kind} code={code}", remote.ip(), local.ip())
    } else {
        format!("{protocol} {first} {remote} {second} {local}")
    };
    if flow.service_tag != 0 {
        // Into a String: it takes all.
        let _ = write!(text, " service {:#x}", flow.service_tag);
    }
    text
}
