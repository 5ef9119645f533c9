//! What happens on the network, in the terms of WFP: flows begin, carry packets and end. And the processes that they belong to.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The protocol numbers that flowtag knows.
pub mod protocol {
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
}

/// Of a flow: who began it. Of a packet: which way it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// From this machine: `ALE_AUTH_CONNECT`, `OUTBOUND_TRANSPORT`.
    #[serde(rename = "out")]
    Outbound,
    /// To this machine: `ALE_AUTH_RECV_ACCEPT`, `INBOUND_TRANSPORT`.
    #[serde(rename = "in")]
    Inbound,
}

/// One end of a connection or, for UDP, of a conversation of one socket with one remote address and port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Names the flow in the events that follow; never used twice.
    pub id: u64,
    /// The process that created the socket or the listener; `None` when that was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its program file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Who began it.
    pub direction: Direction,
    /// The IP protocol number.
    pub protocol: u8,
    /// This end. ICMP: the port is the type.
    pub local: SocketAddr,
    /// The other end. ICMP: the port is the code.
    pub remote: SocketAddr,
}

/// A packet, as the transport layers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet {
    /// Bytes of the transport header; 0 for ICMP, of which the whole message counts as payload.
    pub header: u32,
    /// Bytes behind it.
    pub payload: u32,
}

/// A process, from its beginning on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id, which another process has had, or gets one day.
    pub pid: u32,
    /// The id of its parent.
    pub parent: u32,
    /// When it began, in units of 100 ns since 1601, UTC: no other one with its id began then.
    pub created: u64,
    /// The file of the program that it runs, if it could still be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// A process begins.
    Begin(Process),
    /// The process with this id exits.
    Exit {
        /// The id.
        pid: u32,
    },
    /// A flow begins.
    Open {
        /// The flow.
        #[serde(flatten)]
        flow: Flow,
        /// The packet that made an inbound flow begin. `INBOUND_TRANSPORT` sees it before `ALE_AUTH_RECV_ACCEPT` authorizes the flow, so that it
        /// belongs to no flow yet.
        #[serde(skip_serializing_if = "Option::is_none")]
        arrived: Option<Packet>,
    },
    /// A packet of an open flow.
    Packet {
        /// The flow's id.
        flow: u64,
        /// Which way it goes.
        direction: Direction,
        /// Its sizes.
        #[serde(flatten)]
        packet: Packet,
    },
    /// A flow ends.
    Close {
        /// The flow's id.
        flow: u64,
    },
}
