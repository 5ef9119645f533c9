//! What the test's own programs say about themselves: the truth that the driver is held against.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A line of a program's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// Who it is, before anything else.
    Hello(Hello),
    /// Its listeners listen (the ports, by protocol and family: `tcp4`, `udp6`, …), or its connections stand.
    Ready(BTreeMap<String, u16>),
    /// It has done the round that it was asked for and is quiet.
    Idle,
    /// A flow that it had.
    Flow(Talk),
    /// What it was to have, and why it cannot.
    Refused(String),
}

/// Who a program is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its process id.
    pub pid: u32,
    /// The id of the process that created it, where it can know.
    pub parent: Option<u32>,
    /// Its file.
    pub program: String,
    /// The time, which is behind its beginning.
    pub now: Time,
}

/// A flow, as its program saw it. Bytes are payload; of ICMP, whose ends have no ports, the whole message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talk {
    /// 6 or 17, or 1 or 58 of an echo.
    pub protocol: u8,
    /// Whether the other side opened it.
    pub inbound: bool,
    /// This end. Of an echo the port is the type, as events have it (docs/events.md).
    pub local: SocketAddr,
    /// The other end. Of an echo the port is the code.
    pub remote: SocketAddr,
    /// Bytes that the program sent.
    pub sent: u64,
    /// Bytes that the program received.
    pub received: u64,
    /// Those of the datagram that began an inbound UDP flow. It comes before the flow is authorized, so that the driver cannot count
    /// it (docs/traces.md).
    pub first: u64,
    /// Before it was opened, or when it was first heard of.
    pub opened: Time,
    /// Before it was closed.
    pub closed: Time,
}

/// The time.
#[must_use]
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_unix_nanoseconds(i128::try_from(since.as_nanos()).unwrap_or(i128::MAX))
}
