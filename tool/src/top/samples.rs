//! Flows and events for the tests of this folder.

use super::{model::Model, snapshot::Snapshot};
use crate::{
    event::{Direction, Event, Flow, Origin, Packet, Process, Told, Traffic, Why},
    time::{MILLISECOND, Time},
};

/// So many milliseconds after a beginning.
pub(super) fn at(milliseconds: u64) -> Time {
    Time(134_089_596_000_000_000 + milliseconds * MILLISECOND)
}

/// A process that was created ten seconds before the beginning.
pub(super) fn process(id: u32, name: &str) -> Process {
    Process {
        id,
        start_key: 0x100 + u64::from(id),
        created: at(0).earlier(10_000 * MILLISECOND),
        parent: 1,
        path: format!(r"\device\harddiskvolume3\{name}"),
    }
}

/// A flow of TCP that this machine opened.
pub(super) fn flow(handle: u64, process: Process, remote: &str) -> Flow {
    Flow {
        handle,
        process,
        service_tag: 0,
        package_sid: "S-1-0-0".into(),
        direction: Direction::Out,
        protocol: 6,
        local: "10.0.0.5:50123".parse().unwrap(),
        remote: remote.parse().unwrap(),
        interface: 0,
        compartment: 0,
        origin: Origin::New,
    }
}

pub(super) fn traffic(out_bytes: u64, in_bytes: u64, milliseconds: u64) -> Traffic {
    Traffic { out_packets: 1, in_packets: 1, out_bytes, in_bytes, duration: milliseconds * MILLISECOND }
}

/// A model that has heard something.
#[derive(Default)]
pub(super) struct Heard(pub(super) Model);

impl Heard {
    pub(super) fn hear(&mut self, milliseconds: u64, event: Event) -> &mut Self {
        self.0.hear(&Told { time: Some(at(milliseconds)), event });
        self
    }

    pub(super) fn open(&mut self, milliseconds: u64, flow: &Flow) -> &mut Self {
        self.hear(milliseconds, Event::FlowOpen(flow.clone()))
    }

    pub(super) fn rundown(&mut self, milliseconds: u64, flow: &Flow, traffic: Traffic) -> &mut Self {
        self.hear(milliseconds, Event::FlowRundown(flow.clone(), traffic))
    }

    pub(super) fn close(&mut self, milliseconds: u64, flow: &Flow, traffic: Traffic) -> &mut Self {
        self.hear(milliseconds, Event::FlowClose(flow.clone(), traffic, Why::Ended))
    }

    /// So many bytes pass, out or in.
    pub(super) fn packet(&mut self, milliseconds: u64, flow: &Flow, direction: Direction, bytes: u32) -> &mut Self {
        let (handle, process_id, start_key) = (flow.handle, flow.process.id, flow.process.start_key);
        self.hear(milliseconds, Event::Packet(Packet { handle, process_id, start_key, direction, bytes }))
    }

    pub(super) fn snapshot(&mut self, milliseconds: u64) -> Snapshot {
        self.0.snapshot(Some(at(milliseconds)))
    }
}
