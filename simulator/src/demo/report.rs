//! What the programs of the demo say about themselves: the truth that the driver is held against.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};

use crate::traffic::event::Direction;

/// A line of a program's standard output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// Its listeners listen (the ports, by protocol and family: `tcp4`, `udp6`, …), or its connections stand.
    Ready(BTreeMap<String, u16>),
    /// It has done the round that it was asked for and is quiet.
    Idle,
    /// A flow that it had.
    Flow(Report),
}

/// A flow, as its program saw it. Bytes are payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The process that created the socket or, for an accepted connection, the listener.
    pub pid: u32,
    /// Its name in the table.
    pub program: String,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Who began it.
    pub role: Direction,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// Bytes that the program sent.
    pub sent: u64,
    /// Bytes that the program received.
    pub received: u64,
    /// Those of the datagram that began an inbound UDP flow. It comes before the flow is authorized, so that the driver cannot count it.
    #[serde(default)]
    pub first: u64,
    /// When, on the monotonic clock in seconds; a program that lives for its flows alone leaves this and the next to the demo.
    #[serde(default)]
    pub opened: Option<f64>,
    /// When it closed the socket.
    #[serde(default)]
    pub closed: Option<f64>,
    /// When that process began, of all that have had its id, as in `Process`: the demo adds it.
    #[serde(default)]
    pub created: Option<u64>,
}

/// The protocols of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// The clock of [`Report::opened`]: `CLOCK_MONOTONIC`, the same in every process.
#[must_use]
pub fn now() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that lives here; the clock exists on every Linux, so the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    #[expect(clippy::cast_precision_loss, reason = "seconds since boot with microseconds fit into 53 bits")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}
