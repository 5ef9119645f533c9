//! Flows as the driver's own writers tell of them, in lines and in events: the command reads both, and finds what was written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use arbitrary::{Arbitrary, Unstructured};
use flowtag_on_host::{
    details::Details,
    etw::{self, Id, Payload, event::EVENTS, fields},
    identity::Identity,
    line::Line,
    path::{Captured, Path},
    tag::{self, Address, Endpoint, Family, Given, Tag},
    trace,
};
use flowtag_tool::{
    event::{Direction, Event, Flow, Origin, Packet, Process, Traffic, Why},
    source::Kind,
    time::{MILLISECOND, Time},
    tracelogging,
};

use crate::source;

/// Code units of a path that an event has whole, and that a line has room for however they are escaped.
const WHOLE: usize = 320;
const IN_A_LINE: usize = 24;
/// Behind it years have five digits.
const LATEST: u64 = 2_600_000_000_000_000_000;

#[derive(Arbitrary, Debug)]
struct Told {
    v6: bool,
    inbound: bool,
    reauthorized: bool,
    handle: u64,
    pid: u32,
    protocol: Option<u8>,
    local: End,
    remote: End,
    service_tag: u64,
    compartment: u32,
    interface: u32,
    start_key: u64,
    created: u64,
    parent: u32,
    authority: u8,
    sub_authorities: Vec<u32>,
    history: [u64; 5],
    why: u8,
    bytes: u32,
    path: Vec<u16>,
}

#[derive(Arbitrary, Debug)]
struct End {
    address: Option<[u8; 16]>,
    port: Option<u16>,
}

/// Has the driver tell of a flow, its packets and its end, and reads that.
pub fn run(input: &[u8]) {
    let Ok(mut it) = Told::arbitrary_take_rest(Unstructured::new(input)) else { return };
    it.path.truncate(WHOLE);
    it.sub_authorities.truncate(15);
    it.created %= LATEST;
    it.lines();
    it.events();
}

impl Told {
    fn lines(&self) {
        let blob: Vec<u8> = self.path.iter().take(IN_A_LINE).copied().flat_map(u16::to_le_bytes).collect();
        let (path, mut units) = (Path::of(&blob), vec![[0; 2]; Path::of(&blob).units()]);
        path.write(&mut units);
        let path = Captured::new(&units, path.extent());
        let (tag, details) = (self.tag(), self.details());
        let milliseconds = self.history[4];
        let [out, r#in] = self.both_ways();
        let why = [trace::Why::Deleted, trace::Why::Evicted, trace::Why::Unload][usize::from(self.why % 3)];
        let written = [
            written(|line| trace::open(line, &tag, &details, path)),
            written(|line| trace::packet(line, true, &tag, tag.direction, self.bytes)),
            written(|line| trace::close(line, &tag, out, r#in, milliseconds, why)),
        ];
        let read = source::read(written.concat().as_bytes(), Some(Kind::Trace));

        let known = self.start_key != 0;
        let created = self.created - self.created % MILLISECOND;
        let shown = String::from_utf16_lossy(&self.text(IN_A_LINE));
        let flow = Flow {
            process: Process {
                created: Time(if known { created } else { 0 }),
                // What is not known looks the same as a path of this name, which no image has.
                path: if shown == "-" { String::new() } else { shown },
                ..self.process()
            },
            package_sid: "S-1-0-0".into(),
            interface: 0,
            compartment: 0,
            local: self.local.in_a_line(self.v6, &self.remote),
            remote: self.remote.in_a_line(self.v6, &self.local),
            ..self.flow()
        };
        let traffic = Traffic { duration: milliseconds.saturating_mul(MILLISECOND), ..self.traffic() };
        let packet = Packet { start_key: 0, ..self.packet() };
        let expected =
            [Event::FlowOpen(flow.clone()), Event::FirstPacket(packet), Event::FlowClose(flow, traffic, self.why())];
        let events: Vec<Event> = read.events.into_iter().map(|told| told.event).collect();
        assert_eq!((events.as_slice(), read.wrong.len()), (expected.as_slice(), 0), "{written:?}");
    }

    fn events(&self) {
        let blob: Vec<u8> = self.path.iter().copied().flat_map(u16::to_le_bytes).collect();
        let (path, mut units) = (Path::of(&blob), vec![[0; 2]; Path::of(&blob).units()]);
        path.write(&mut units);
        let path = Captured::new(&units, path.extent());
        let (tag, details, package) = (self.tag(), self.details(), self.package());
        let told = || fields::Told { tag: &tag, details: &details, package: &package, path };
        let [out, r#in] = self.both_ways();
        let history = fields::History { out, r#in, duration: self.history[4] };
        let why = [trace::Why::Deleted, trace::Why::Evicted, trace::Why::Unload][usize::from(self.why % 3)];

        let mut flow = self.flow();
        flow.process.path = String::from_utf16_lossy(&self.text(WHOLE));
        let rest = path.units().as_flattened();
        for (id, event) in [
            (Id::FlowOpen, Event::FlowOpen(flow.clone())),
            (Id::FlowRundown, Event::FlowRundown(flow.clone(), self.traffic())),
            (Id::FlowClose, Event::FlowClose(flow, self.traffic(), self.why())),
        ] {
            let read = read(id, rest, |payload| match id {
                Id::FlowOpen => fields::flow_open(payload, told()),
                Id::FlowRundown => fields::flow_rundown(payload, told(), history),
                _ => fields::flow_close(payload, told(), history, why),
            });
            assert_eq!(read, event);
        }
        let packet = |payload: &mut Payload| fields::packet(payload, &tag, &details, tag.direction, self.bytes);
        assert_eq!(read(Id::Packet, &[], packet), Event::Packet(self.packet()));
    }

    /// The path up to its first NUL, and no longer than this.
    fn text(&self, longest: usize) -> Vec<u16> {
        self.path.iter().take(longest).take_while(|&&unit| unit != 0).copied().collect()
    }

    fn tag(&self) -> Tag {
        Tag {
            flow: self.handle,
            pid: self.pid.into(),
            local: self.local.endpoint(self.v6),
            remote: self.remote.endpoint(self.v6),
            protocol: self.protocol.into(),
            family: if self.v6 { Family::V6 } else { Family::V4 },
            direction: if self.inbound { tag::Direction::In } else { tag::Direction::Out },
            origin: if self.reauthorized { tag::Origin::Reauth } else { tag::Origin::New },
        }
    }

    fn details(&self) -> Details {
        let identity = Identity { start_key: self.start_key, created: self.created, parent: self.parent.into() };
        let Self { service_tag, compartment, interface, .. } = *self;
        Details { service_tag, compartment, interface, identity }
    }

    /// The app container as Windows has it: revision, count, authority and sub-authorities.
    fn package(&self) -> Vec<u8> {
        let count = u8::try_from(self.sub_authorities.len()).expect("at most fifteen");
        let head = [1, count, 0, 0, 0, 0, 0, self.authority];
        head.into_iter().chain(self.sub_authorities.iter().copied().flat_map(u32::to_le_bytes)).collect()
    }

    fn both_ways(&self) -> [trace::Traffic; 2] {
        let [out_packets, in_packets, out_bytes, in_bytes, _] = self.history;
        [(out_packets, out_bytes), (in_packets, in_bytes)].map(|(packets, bytes)| trace::Traffic { packets, bytes })
    }

    /// The same as the command tells it, without a path.
    fn flow(&self) -> Flow {
        let sub_authorities = self.sub_authorities.iter().map(|number| format!("-{number}"));
        Flow {
            handle: self.handle,
            process: self.process(),
            service_tag: self.service_tag,
            package_sid: format!("S-1-{}{}", self.authority, sub_authorities.collect::<String>()),
            direction: self.direction(),
            protocol: self.protocol.unwrap_or_default(),
            local: self.local.in_an_event(self.v6),
            remote: self.remote.in_an_event(self.v6),
            interface: self.interface,
            compartment: self.compartment,
            origin: if self.reauthorized { Origin::Reauthorized } else { Origin::New },
        }
    }

    fn process(&self) -> Process {
        let (created, path) = (Time(self.created), String::new());
        Process { id: self.pid, start_key: self.start_key, created, parent: self.parent, path }
    }

    fn packet(&self) -> Packet {
        let (handle, process_id, start_key) = (self.handle, self.pid, self.start_key);
        Packet { handle, process_id, start_key, direction: self.direction(), bytes: self.bytes }
    }

    const fn traffic(&self) -> Traffic {
        let [out_packets, in_packets, out_bytes, in_bytes, duration] = self.history;
        Traffic { out_packets, in_packets, out_bytes, in_bytes, duration }
    }

    fn why(&self) -> Why {
        [Why::Ended, Why::Evicted, Why::Unload][usize::from(self.why % 3)]
    }

    const fn direction(&self) -> Direction {
        if self.inbound { Direction::In } else { Direction::Out }
    }
}

impl End {
    fn endpoint(&self, v6: bool) -> Endpoint {
        let address = self.address.map_or(Address::Unknown, |address| match address {
            address if v6 => Address::V6(address),
            [a, b, c, d, ..] => Address::V4([a, b, c, d]),
        });
        Endpoint { address, port: self.port.map_or(Given::NOTHING, Given::number) }
    }

    /// What is not told is zero.
    fn in_an_event(&self, v6: bool) -> SocketAddr {
        let [a, b, c, d, ..] = self.address.unwrap_or_default();
        let address = if v6 {
            IpAddr::V6(Ipv6Addr::from(self.address.unwrap_or_default()))
        } else {
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        };
        SocketAddr::new(address, self.port.unwrap_or_default())
    }

    /// The same, but that a line without addresses does not say of which family they would be.
    fn in_a_line(&self, v6: bool, other: &Self) -> SocketAddr {
        self.in_an_event(v6 && (self.address.is_some() || other.address.is_some()))
    }
}

fn written(write: impl FnOnce(&mut Line)) -> String {
    let mut line = Line::empty();
    write(&mut line);
    line.as_c_str().to_str().expect("it is ASCII").to_owned()
}

/// What is read of an event whose fields are written so, and have this behind them.
fn read(id: etw::Id, rest: &[u8], write: impl FnOnce(&mut Payload)) -> Event {
    let mut payload = Payload::empty();
    write(&mut payload);
    let payload = [payload.written(), rest].concat();
    tracelogging::event(EVENTS[id as usize].metadata, &payload).unwrap_or_else(|error| panic!("{id:?}: {error}"))
}
