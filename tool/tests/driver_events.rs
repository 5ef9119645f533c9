//! Events as the driver itself writes them, read back: its own tables and its own writer, compiled from src/ for this machine. The
//! reader knows neither.

// As in the driver, its files take these from the crate's root.
#[path = "../../src/address.rs"]
pub mod address;
#[path = "../../src/date.rs"]
pub mod date;
#[path = "../../src/details.rs"]
pub mod details;
#[path = "../../src/escape.rs"]
pub mod escape;
/// All of the events but what calls the kernel.
#[path = "."]
pub mod etw {
    #[path = "../../src/etw/event.rs"]
    pub mod event;
    #[path = "../../src/etw/fields.rs"]
    pub mod fields;
    #[path = "../../src/etw/metadata.rs"]
    mod metadata;
    #[path = "../../src/etw/payload.rs"]
    pub mod payload;
}
#[path = "../../src/identity.rs"]
pub mod identity;
#[path = "../../src/line.rs"]
pub mod line;
#[path = "../../src/path.rs"]
pub mod path;
#[path = "../../src/tag.rs"]
pub mod tag;
#[path = "../../src/totals.rs"]
pub mod totals;
#[path = "../../src/trace.rs"]
pub mod trace;

use flowtag_tool::{
    event::{Direction, Event, Flow, Loaded, Lost, Origin, Packet, Process, Step, Traffic, Why},
    time::Time,
    tracelogging,
};

use details::Details;
use etw::{
    event::{EVENTS, Id},
    fields::{self, History, Told},
    payload::Payload,
};
use identity::Identity;
use path::{Captured, Path};
use tag::{Address, Endpoint, Family, Given, Tag};

/// S-1-15-2-1-2-3.
const SID: [u8; 24] = [1, 4, 0, 0, 0, 0, 0, 15, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0];
const TEXT: &str = "\\device\\caf\u{e9}.exe";
const CREATED: u64 = 134_404_292_967_890_000;

fn tag() -> Tag {
    Tag {
        flow: 0x2a1,
        pid: 4242,
        local: Endpoint { address: Address::V4([10, 0, 0, 5]), port: Given::number(50123) },
        remote: Endpoint { address: Address::V4([93, 184, 216, 34]), port: Given::number(443) },
        protocol: Given::number(6),
        family: Family::V4,
        direction: tag::Direction::In,
        origin: tag::Origin::Reauth,
    }
}

fn details() -> Details {
    Details {
        service_tag: 0x55,
        compartment: 3,
        interface: 12,
        identity: Identity { start_key: 0x0012_0000_0000_13b6, created: CREATED, parent: 812 },
    }
}

/// What is read of an event whose fields the driver writes so, its path last.
fn read(id: Id, write: impl FnOnce(&mut Payload), path: &[[u8; 2]]) -> Event {
    let mut payload = Payload::empty();
    write(&mut payload);
    let payload = [payload.written(), path.as_flattened()].concat();
    tracelogging::event(EVENTS[id as usize].metadata, &payload).unwrap_or_else(|error| panic!("{id:?}: {error}"))
}

/// As [`read`], of an event about this flow.
fn read_flow(id: Id, tag: &Tag, write: impl FnOnce(&mut Payload, Told)) -> Event {
    let units: Vec<[u8; 2]> = TEXT.encode_utf16().map(u16::to_le_bytes).collect();
    let path = Captured::new(&units, Path::of(units.as_flattened()).extent());
    let details = details();
    let told = Told { tag, details: &details, package: &SID, path };
    read(id, |payload| write(payload, told), &units)
}

fn flow() -> Flow {
    Flow {
        handle: 0x2a1,
        process: Process {
            id: 4242,
            start_key: 0x0012_0000_0000_13b6,
            created: Time(CREATED),
            parent: 812,
            path: TEXT.into(),
        },
        service_tag: 0x55,
        package_sid: "S-1-15-2-1-2-3".into(),
        direction: Direction::In,
        protocol: 6,
        local: "10.0.0.5:50123".parse().unwrap(),
        remote: "93.184.216.34:443".parse().unwrap(),
        interface: 12,
        compartment: 3,
        origin: Origin::Reauthorized,
    }
}

const HISTORY: History = History {
    out: trace::Traffic { packets: 12, bytes: 1830 },
    r#in: trace::Traffic { packets: 9, bytes: 52_011 },
    duration: 8_400_000,
};
const TRAFFIC: Traffic =
    Traffic { out_packets: 12, in_packets: 9, out_bytes: 1830, in_bytes: 52_011, duration: 8_400_000 };

#[test]
fn a_flow_that_opens_is_read_as_the_driver_writes_it() {
    let event = read_flow(Id::FlowOpen, &tag(), fields::flow_open);
    assert_eq!(event, Event::FlowOpen(flow()));
}

#[test]
fn a_flow_of_ipv6_is_read_as_the_driver_writes_it() {
    let end = |last| Endpoint {
        address: Address::V6([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]),
        port: Given::number(53),
    };
    let tag = Tag { local: end(2), remote: end(3), family: Family::V6, ..tag() };
    let event = read_flow(Id::FlowOpen, &tag, fields::flow_open);
    let flow = event.flow().expect("a flow");
    assert_eq!((flow.local, flow.remote), ("[fe80::2]:53".parse().unwrap(), "[fe80::3]:53".parse().unwrap()));
}

#[test]
fn what_windows_did_not_tell_is_zero() {
    let nowhere = Endpoint { address: Address::Unknown, port: Given::NOTHING };
    let tag = Tag { local: nowhere, remote: nowhere, protocol: Given::NOTHING, ..tag() };
    let event = read_flow(Id::FlowOpen, &tag, fields::flow_open);
    let flow = event.flow().expect("a flow");
    assert_eq!(
        (flow.protocol, flow.local, flow.remote),
        (0, "0.0.0.0:0".parse().unwrap(), "0.0.0.0:0".parse().unwrap())
    );
}

#[test]
fn a_flow_that_ends_says_what_it_did_and_why() {
    for (why, expected) in
        [(trace::Why::Deleted, Why::Ended), (trace::Why::Evicted, Why::Evicted), (trace::Why::Unload, Why::Unload)]
    {
        let event = read_flow(Id::FlowClose, &tag(), |payload, told| fields::flow_close(payload, told, HISTORY, why));
        assert_eq!(event, Event::FlowClose(flow(), TRAFFIC, expected));
    }
}

#[test]
fn a_flow_that_is_there_says_what_it_has_done() {
    let event = read_flow(Id::FlowRundown, &tag(), |payload, told| fields::flow_rundown(payload, told, HISTORY));
    assert_eq!(event, Event::FlowRundown(flow(), TRAFFIC));
}

#[test]
fn packets_are_read_as_the_driver_writes_them() {
    let expected = Packet {
        handle: 0x2a1,
        process_id: 4242,
        start_key: 0x0012_0000_0000_13b6,
        direction: Direction::Out,
        bytes: 517,
    };
    let packet = |payload: &mut Payload| fields::packet(payload, &tag(), &details(), tag::Direction::Out, 517);
    assert_eq!(read(Id::FirstPacket, packet, &[]), Event::FirstPacket(expected.clone()));
    assert_eq!(read(Id::Packet, packet, &[]), Event::Packet(expected));
}

#[test]
fn what_concerns_the_driver_is_read_as_it_writes_it() {
    let loaded = Loaded { version: env!("CARGO_PKG_VERSION").into(), trace_level: 2, max_flows: 65_536 };
    assert_eq!(read(Id::Loaded, |payload| fields::loaded(payload, 2, 65_536), &[]), Event::Loaded(loaded));
    assert_eq!(read(Id::Stopping, |payload| fields::stopping(payload, 12), &[]), Event::Stopping { live_flows: 12 });
    let status = 0xc022_0009_u32;
    let step = |payload: &mut Payload| fields::step(payload, "FwpsCalloutRegister2", status.cast_signed());
    let expected = Step { step: "FwpsCalloutRegister2".into(), status };
    assert_eq!(read(Id::LoadFailed, step, &[]), Event::LoadFailed(expected.clone()));
    assert_eq!(read(Id::Failed, step, &[]), Event::Failed(expected.clone()));
    assert_eq!(read(Id::Retrying, step, &[]), Event::Retrying(expected));
    let lost = Lost { kind: "FwpsCalloutRegister2".into(), status };
    assert_eq!(read(Id::Lost, step, &[]), Event::Lost(lost));
}

#[test]
fn each_total_is_read_at_its_place() {
    let totals = totals::Totals::zero();
    totals.opened.count();
    totals.blocked.count();
    totals.blocked.count();
    totals.unlisted.count();
    let Event::Totals(read) = read(Id::Totals, |payload| fields::totals(payload, &totals), &[]) else {
        panic!("they are totals");
    };
    assert_eq!((read.opened, read.closed, read.blocked, read.unlisted), (1, 0, 2, 1));
}
