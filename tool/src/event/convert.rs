//! From the fields of an event to its plain type, and back; and what kind of event each is.

use super::{
    Direction, Event, Fields, Flow, Loaded, Lost, Origin, Packet, Process, Step, Totals, Traffic, Why, number::Hex,
};

/// Why fields are no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A field is missing.
    #[error("{0} has no {1}, which docs/events.md gives it: is it from another driver, or cut?")]
    Missing(String, &'static str),
    /// A field has a value that docs/events.md does not know.
    #[error("{0} has a {1} of {2}, which docs/events.md does not know: it may be from a later driver")]
    Unknown(String, &'static str, u8),
}

/// The level of an event, and its keyword, as docs/events.md has them; those of an event that is not known are zero.
const KINDS: [(&str, u8, u64); 12] = [
    ("FlowOpen", 4, 1),
    ("FlowClose", 4, 1),
    ("FlowRundown", 4, 1),
    ("FirstPacket", 5, 2),
    ("Packet", 5, 4),
    ("Loaded", 4, 8),
    ("LoadFailed", 2, 8),
    ("Failed", 3, 8),
    ("Retrying", 4, 8),
    ("Lost", 3, 8),
    ("Stopping", 4, 8),
    ("Totals", 4, 8),
];

/// Takes the fields of one event.
struct Taker<'a> {
    event: &'a str,
    fields: Fields,
}

/// The field of this name, or the error that it is missing.
macro_rules! take {
    ($taker:ident, $member:ident, $name:literal) => {
        $taker.fields.$member.take().ok_or_else(|| Wrong::Missing($taker.event.to_owned(), $name))?
    };
}

impl Event {
    /// The event of this name with these fields.
    ///
    /// # Errors
    /// A field is missing, or has a value that it never has.
    pub fn from_fields(event: &str, fields: Fields) -> Result<Self, Wrong> {
        let mut taker = Taker { event, fields };
        Ok(match event {
            "FlowOpen" => Self::FlowOpen(taker.flow()?),
            "FlowClose" => Self::FlowClose(taker.flow()?, taker.traffic()?, taker.why()?),
            "FlowRundown" => Self::FlowRundown(taker.flow()?, taker.traffic()?),
            "FirstPacket" => Self::FirstPacket(taker.packet()?),
            "Packet" => Self::Packet(taker.packet()?),
            "Loaded" => Self::Loaded(Loaded {
                version: take!(taker, version, "Version"),
                trace_level: take!(taker, trace_level, "TraceLevel"),
                max_flows: take!(taker, max_flows, "MaxFlows"),
            }),
            "LoadFailed" => Self::LoadFailed(taker.step()?),
            "Failed" => Self::Failed(taker.step()?),
            "Retrying" => Self::Retrying(taker.step()?),
            "Lost" => Self::Lost(Lost { kind: take!(taker, kind, "Kind"), status: taker.status()? }),
            "Stopping" => Self::Stopping { live_flows: take!(taker, live_flows, "LiveFlows") },
            "Totals" => Self::Totals(taker.totals()?),
            other => Self::Other(other.to_owned()),
        })
    }

    /// Its fields.
    #[must_use]
    pub fn fields(&self) -> Fields {
        match self {
            Self::FlowOpen(flow) => flow_fields(flow),
            Self::FlowClose(flow, traffic, why) => Fields { why: Some(*why as u8), ..history_fields(flow, *traffic) },
            Self::FlowRundown(flow, traffic) => history_fields(flow, *traffic),
            Self::FirstPacket(packet) | Self::Packet(packet) => Fields {
                flow_handle: Some(Hex(packet.handle)),
                process_id: Some(packet.process_id),
                process_start_key: Some(Hex(packet.start_key)),
                direction: Some(packet.direction as u8),
                bytes: Some(packet.bytes),
                ..Fields::default()
            },
            Self::Loaded(loaded) => Fields {
                version: Some(loaded.version.clone()),
                trace_level: Some(loaded.trace_level),
                max_flows: Some(loaded.max_flows),
                ..Fields::default()
            },
            Self::LoadFailed(step) | Self::Failed(step) | Self::Retrying(step) => {
                Fields { step: Some(step.step.clone()), status: Some(Hex(step.status.into())), ..Fields::default() }
            }
            Self::Lost(lost) => {
                Fields { kind: Some(lost.kind.clone()), status: Some(Hex(lost.status.into())), ..Fields::default() }
            }
            Self::Stopping { live_flows } => Fields { live_flows: Some(*live_flows), ..Fields::default() },
            Self::Totals(totals) => totals_fields(totals),
            Self::Other(_) => Fields::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::FlowOpen(_) => "FlowOpen",
            Self::FlowClose(..) => "FlowClose",
            Self::FlowRundown(..) => "FlowRundown",
            Self::FirstPacket(_) => "FirstPacket",
            Self::Packet(_) => "Packet",
            Self::Loaded(_) => "Loaded",
            Self::LoadFailed(_) => "LoadFailed",
            Self::Failed(_) => "Failed",
            Self::Retrying(_) => "Retrying",
            Self::Lost(_) => "Lost",
            Self::Stopping { .. } => "Stopping",
            Self::Totals(_) => "Totals",
            Self::Other(name) => name,
        }
    }

    /// Its level and its keyword.
    #[must_use]
    pub fn level_and_keyword(&self) -> (u8, u64) {
        let kind = KINDS.iter().find(|(name, ..)| *name == self.name());
        kind.map_or((0, 0), |&(_, level, keyword)| (level, keyword))
    }
}

impl Taker<'_> {
    fn flow(&mut self) -> Result<Flow, Wrong> {
        Ok(Flow {
            handle: take!(self, flow_handle, "FlowHandle").0,
            process: Process {
                id: take!(self, process_id, "ProcessId"),
                start_key: take!(self, process_start_key, "ProcessStartKey").0,
                created: take!(self, process_create_time, "ProcessCreateTime"),
                parent: take!(self, parent_process_id, "ParentProcessId"),
                path: take!(self, process_path, "ProcessPath"),
            },
            service_tag: take!(self, service_tag, "ServiceTag").0,
            package_sid: take!(self, package_sid, "PackageSid"),
            direction: self.direction()?,
            protocol: take!(self, protocol, "Protocol"),
            local: take!(self, local_address, "LocalAddress"),
            remote: take!(self, remote_address, "RemoteAddress"),
            interface: take!(self, interface_index, "InterfaceIndex"),
            compartment: take!(self, compartment_id, "CompartmentId"),
            origin: match take!(self, origin, "Origin") {
                0 => Origin::New,
                1 => Origin::Reauthorized,
                other => return Err(self.unknown("Origin", other)),
            },
        })
    }

    fn traffic(&mut self) -> Result<Traffic, Wrong> {
        Ok(Traffic {
            out_packets: take!(self, out_packets, "OutPackets"),
            in_packets: take!(self, in_packets, "InPackets"),
            out_bytes: take!(self, out_bytes, "OutBytes"),
            in_bytes: take!(self, in_bytes, "InBytes"),
            duration: take!(self, duration, "Duration"),
        })
    }

    fn packet(&mut self) -> Result<Packet, Wrong> {
        Ok(Packet {
            handle: take!(self, flow_handle, "FlowHandle").0,
            process_id: take!(self, process_id, "ProcessId"),
            start_key: take!(self, process_start_key, "ProcessStartKey").0,
            direction: self.direction()?,
            bytes: take!(self, bytes, "Bytes"),
        })
    }

    fn step(&mut self) -> Result<Step, Wrong> {
        Ok(Step { step: take!(self, step, "Step"), status: self.status()? })
    }

    #[expect(clippy::cast_possible_truncation, reason = "an NTSTATUS has 32 bits")]
    fn status(&mut self) -> Result<u32, Wrong> {
        Ok(take!(self, status, "Status").0 as u32)
    }

    fn totals(&mut self) -> Result<Totals, Wrong> {
        Ok(Totals {
            opened: take!(self, opened, "Opened"),
            closed: take!(self, closed, "Closed"),
            evicted: take!(self, evicted, "Evicted"),
            untracked: take!(self, untracked, "Untracked"),
            reauth_skipped: take!(self, reauth_skipped, "ReauthSkipped"),
            alloc_failed: take!(self, alloc_failed, "AllocFailed"),
            associate_failed: take!(self, associate_failed, "AssociateFailed"),
            already_tagged: take!(self, already_tagged, "AlreadyTagged"),
            busy: take!(self, busy, "Busy"),
            gone: take!(self, gone, "Gone"),
            unnamed: take!(self, unnamed, "Unnamed"),
            blocked: take!(self, blocked, "Blocked"),
            unlisted: take!(self, unlisted, "Unlisted"),
        })
    }

    fn direction(&mut self) -> Result<Direction, Wrong> {
        match take!(self, direction, "Direction") {
            0 => Ok(Direction::Out),
            1 => Ok(Direction::In),
            other => Err(self.unknown("Direction", other)),
        }
    }

    fn why(&mut self) -> Result<Why, Wrong> {
        match take!(self, why, "Why") {
            0 => Ok(Why::Ended),
            1 => Ok(Why::Evicted),
            2 => Ok(Why::Unload),
            other => Err(self.unknown("Why", other)),
        }
    }

    fn unknown(&self, field: &'static str, value: u8) -> Wrong {
        Wrong::Unknown(self.event.to_owned(), field, value)
    }
}

fn flow_fields(flow: &Flow) -> Fields {
    Fields {
        flow_handle: Some(Hex(flow.handle)),
        process_id: Some(flow.process.id),
        process_start_key: Some(Hex(flow.process.start_key)),
        process_create_time: Some(flow.process.created),
        parent_process_id: Some(flow.process.parent),
        service_tag: Some(Hex(flow.service_tag)),
        package_sid: Some(flow.package_sid.clone()),
        direction: Some(flow.direction as u8),
        protocol: Some(flow.protocol),
        local_address: Some(flow.local),
        remote_address: Some(flow.remote),
        interface_index: Some(flow.interface),
        compartment_id: Some(flow.compartment),
        origin: Some(flow.origin as u8),
        process_path: Some(flow.process.path.clone()),
        ..Fields::default()
    }
}

fn history_fields(flow: &Flow, traffic: Traffic) -> Fields {
    Fields {
        out_packets: Some(traffic.out_packets),
        in_packets: Some(traffic.in_packets),
        out_bytes: Some(traffic.out_bytes),
        in_bytes: Some(traffic.in_bytes),
        duration: Some(traffic.duration),
        ..flow_fields(flow)
    }
}

fn totals_fields(totals: &Totals) -> Fields {
    Fields {
        opened: Some(totals.opened),
        closed: Some(totals.closed),
        evicted: Some(totals.evicted),
        untracked: Some(totals.untracked),
        reauth_skipped: Some(totals.reauth_skipped),
        alloc_failed: Some(totals.alloc_failed),
        associate_failed: Some(totals.associate_failed),
        already_tagged: Some(totals.already_tagged),
        busy: Some(totals.busy),
        gone: Some(totals.gone),
        unnamed: Some(totals.unnamed),
        blocked: Some(totals.blocked),
        unlisted: Some(totals.unlisted),
        ..Fields::default()
    }
}
