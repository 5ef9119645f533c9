//! What the driver tells: the events of docs/events.md as plain types.
//!
//! - [`fields`]: every field by its name in the document, as JSON, CSV and the events themselves have it.
//! - [`convert`]: from those to the types here, and back.

mod convert;
pub mod fields;
pub mod number;

use std::net::SocketAddr;

pub use convert::Wrong;
pub use fields::Fields;

use crate::time::Time;

/// An event, and when it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// When; `None` where what it was read from does not say.
    pub time: Option<Time>,
    /// The event.
    pub event: Event,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A flow has been tagged.
    FlowOpen(Flow),
    /// The flow's tag is gone.
    FlowClose(Flow, Traffic, Why),
    /// The flow is there.
    FlowRundown(Flow, Traffic),
    /// The first packet one way.
    FirstPacket(Packet),
    /// A later packet.
    Packet(Packet),
    /// The driver is loaded.
    Loaded(Loaded),
    /// It is not.
    LoadFailed(Step),
    /// Something failed, and the driver goes on without it.
    Failed(Step),
    /// Something fails, and is tried again.
    Retrying(Step),
    /// Flows go untagged for this reason for the first time.
    Lost(Lost),
    /// The driver is being unloaded, with so many flows.
    Stopping {
        /// Flows that have a tag.
        live_flows: u32,
    },
    /// The last event of all.
    Totals(Totals),
    /// One of a later driver than this program knows.
    Other(String),
}

/// A flow: whose it is, and between whom. What is not told is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Its handle in the filter engine; another flow may have it later.
    pub handle: u64,
    /// Its owner.
    pub process: Process,
    /// The service, where several share a process.
    pub service_tag: u64,
    /// The owner's app container: S-1-0-0 for none.
    pub package_sid: String,
    /// Who opened it.
    pub direction: Direction,
    /// The protocol's number.
    pub protocol: u8,
    /// This end; of ICMP the port is the type.
    pub local: SocketAddr,
    /// The other end; of ICMP the port is the code.
    pub remote: SocketAddr,
    /// The local interface.
    pub interface: u32,
    /// The routing compartment.
    pub compartment: u32,
    /// How it came to have a tag.
    pub origin: Origin,
}

/// A process. What is not known is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Process {
    /// Its id, which another one may have had, or get.
    pub id: u32,
    /// Which process exactly.
    pub start_key: u64,
    /// When it was created.
    pub created: Time,
    /// The process that created it.
    pub parent: u32,
    /// Its image, as an NT path.
    pub path: String,
}

/// Which way: of a flow who opened it, of a packet where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From this machine.
    Out,
    /// To this machine.
    In,
}

/// How a flow came to have a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// As it was opened.
    New,
    /// When Windows asked again about it: it may be older than the driver.
    Reauthorized,
}

/// What a flow has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets sent.
    pub out_packets: u64,
    /// Packets received.
    pub in_packets: u64,
    /// Bytes sent.
    pub out_bytes: u64,
    /// Bytes received.
    pub in_bytes: u64,
    /// Since it was tagged, in units of 100 ns.
    pub duration: u64,
}

/// Why a flow's tag is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The flow ended.
    Ended,
    /// It had to make room for a newer one.
    Evicted,
    /// The driver is being unloaded.
    Unload,
}

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The handle of its flow.
    pub handle: u64,
    /// The id of the flow's owner.
    pub process_id: u32,
    /// Which process exactly.
    pub start_key: u64,
    /// Where it goes.
    pub direction: Direction,
    /// Its transport payload.
    pub bytes: u32,
}

/// The driver is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its version.
    pub version: String,
    /// The setting, for lines.
    pub trace_level: u32,
    /// The setting.
    pub max_flows: u32,
}

/// A function of Windows that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub step: String,
    /// What it answered.
    pub status: u32,
}

/// Flows go untagged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Which of the totals counts them.
    pub kind: String,
    /// What Windows answered.
    pub status: u32,
}

/// What the driver has done since it was loaded: docs/traces.md says what each counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say what docs/traces.md says")]
pub struct Totals {
    pub opened: u64,
    pub closed: u64,
    pub evicted: u64,
    pub untracked: u64,
    pub reauth_skipped: u64,
    pub alloc_failed: u64,
    pub associate_failed: u64,
    pub already_tagged: u64,
    pub busy: u64,
    pub gone: u64,
    pub unnamed: u64,
    pub blocked: u64,
    pub unlisted: u64,
}

impl Event {
    /// The flow that it tells all about.
    #[must_use]
    pub const fn flow(&self) -> Option<&Flow> {
        match self {
            Self::FlowOpen(flow) | Self::FlowClose(flow, ..) | Self::FlowRundown(flow, _) => Some(flow),
            _ => None,
        }
    }

    /// The packet that it is about.
    #[must_use]
    pub const fn packet(&self) -> Option<&Packet> {
        match self {
            Self::FirstPacket(packet) | Self::Packet(packet) => Some(packet),
            _ => None,
        }
    }
}

impl Process {
    /// The last part of its path, as people name it; nothing if the path is not known.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit(['\\', '/']).next().unwrap_or_default()
    }

    /// Whether it is the other one. A start key says it without doubt; where one is missing, all else has to be the same.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        if self.start_key != 0 && other.start_key != 0 {
            return self.start_key == other.start_key;
        }
        self.id == other.id && self.created == other.created && self.path == other.path
    }
}
