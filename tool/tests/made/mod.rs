//! Captures and events, made by hand: what the tests give to the program.

use std::io::Write;

use flowtag_tool::{
    event::{Direction, Event, Flow, Origin, Packet, Process, Told, Traffic, Why},
    time::Time,
};

/// In which order a capture has the bytes of its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    Little,
    Big,
}

pub const ORDERS: [Order; 2] = [Order::Little, Order::Big];
pub const ETHERNET: u16 = 1;
pub const RAW: u16 = 101;
/// When captures begin: 2025-11-30T07:45:51Z, in microseconds.
pub const BEGIN: u64 = 1_764_488_751_000_000;

/// A capture that is being made.
pub struct Capture {
    pub bytes: Vec<u8>,
    order: Order,
}

impl Capture {
    /// A section with an interface of this link type.
    pub fn new(order: Order, link_type: u16) -> Self {
        let mut capture = Self { bytes: Vec::new(), order };
        capture.section(order, -1);
        capture.interface(link_type, &[]);
        capture
    }

    pub fn section(&mut self, order: Order, length: i64) {
        self.order = order;
        let length = match order {
            Order::Little => length.to_le_bytes(),
            Order::Big => length.to_be_bytes(),
        };
        let body = [self.u32(0x1a2b_3c4d).as_slice(), &self.u16(1), &self.u16(0), &length].concat();
        self.block(0x0a0d_0d0a, &body);
    }

    pub fn interface(&mut self, link_type: u16, options: &[(u16, &[u8])]) {
        let body = [self.u16(link_type).as_slice(), &self.u16(0), &self.u32(65_535), &self.options(options)].concat();
        self.block(1, &body);
    }

    /// A packet that was captured so many microseconds after the beginning.
    pub fn packet(&mut self, after: u64, data: &[u8]) {
        self.packet_with(0, BEGIN + after, data, &[]);
    }

    pub fn packet_with(&mut self, interface: u32, time: u64, data: &[u8], options: &[(u16, &[u8])]) {
        let length = u32::try_from(data.len()).unwrap();
        let [high, low] = halves(time);
        let numbers = [interface, high, low, length, length + 1000];
        let mut body: Vec<u8> = numbers.into_iter().flat_map(|number| self.u32(number)).collect();
        body.extend(filled(data));
        body.extend(self.options(options));
        self.block(6, &body);
    }

    pub fn block(&mut self, kind: u32, body: &[u8]) {
        let length = self.u32(u32::try_from(filled(body).len()).unwrap() + 12);
        let block = [self.u32(kind).as_slice(), &length, &filled(body), &length].concat();
        self.bytes.extend(block);
    }

    pub fn u16(&self, number: u16) -> [u8; 2] {
        match self.order {
            Order::Little => number.to_le_bytes(),
            Order::Big => number.to_be_bytes(),
        }
    }

    pub fn u32(&self, number: u32) -> [u8; 4] {
        match self.order {
            Order::Little => number.to_le_bytes(),
            Order::Big => number.to_be_bytes(),
        }
    }

    fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, value) in options {
            bytes.extend(self.u16(*code));
            bytes.extend(self.u16(u16::try_from(value.len()).unwrap()));
            bytes.extend(filled(value));
        }
        if !options.is_empty() {
            bytes.extend([0; 4]);
        }
        bytes
    }
}

/// The upper and the lower half of a number.
pub fn halves(number: u64) -> [u32; 2] {
    [(number >> 32) as u32, (number & 0xffff_ffff) as u32]
}

/// Filled up to a multiple of four.
fn filled(bytes: &[u8]) -> Vec<u8> {
    let mut filled = bytes.to_vec();
    filled.resize(bytes.len().next_multiple_of(4), 0);
    filled
}

/// A packet of UDP over IPv4, from its IP header on.
pub fn udp(source: &str, destination: &str) -> Vec<u8> {
    let [source, destination] = [source, destination].map(|end| end.parse::<std::net::SocketAddrV4>().unwrap());
    let mut packet = vec![0x45, 0, 0, 35, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend(source.ip().octets());
    packet.extend(destination.ip().octets());
    packet.extend(source.port().to_be_bytes());
    packet.extend(destination.port().to_be_bytes());
    packet.extend([0, 15, 0, 0]);
    packet.extend(b"payload");
    packet
}

/// A packet with these identification, flags and offset.
pub fn fragment(mut packet: Vec<u8>, identification: u16, flags_and_offset: u16) -> Vec<u8> {
    packet[4..6].copy_from_slice(&identification.to_be_bytes());
    packet[6..8].copy_from_slice(&flags_and_offset.to_be_bytes());
    packet
}

/// An ICMP error from a router, which quotes a packet.
pub fn unreachable(packet: &[u8]) -> Vec<u8> {
    let mut error = vec![0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1];
    error.extend(&packet[12..16]);
    error.extend([3, 1, 0, 0, 0, 0, 0, 0]);
    error.extend(&packet[..28]);
    error
}

/// The same behind an Ethernet header.
pub fn ethernet(packet: &[u8]) -> Vec<u8> {
    [&[2; 12], [8, 0].as_slice(), packet].concat()
}

pub const LOCAL: &str = "10.0.0.5:50123";
pub const REMOTE: &str = "93.184.216.34:53";

pub fn process(id: u32) -> Process {
    Process {
        id,
        start_key: 0x100 + u64::from(id),
        // 2025-11-30T07:00:00Z
        created: Time(134_089_596_000_000_000),
        parent: 812,
        path: format!(r"\device\harddiskvolume3\program {id}.exe"),
    }
}

pub fn flow(handle: u64, pid: u32, local: &str, remote: &str) -> Flow {
    Flow {
        handle,
        process: process(pid),
        service_tag: 0,
        package_sid: "S-1-0-0".into(),
        direction: Direction::Out,
        protocol: 17,
        local: local.parse().unwrap(),
        remote: remote.parse().unwrap(),
        interface: 0,
        compartment: 0,
        origin: Origin::New,
    }
}

/// So many microseconds after the beginning.
pub fn after(microseconds: u64) -> Time {
    Time::from_unix_nanoseconds(i128::from(BEGIN + microseconds) * 1000)
}

pub fn open(microseconds: u64, flow: Flow) -> Told {
    Told { time: Some(after(microseconds)), event: Event::FlowOpen(flow) }
}

pub fn close(microseconds: u64, flow: Flow) -> Told {
    Told { time: Some(after(microseconds)), event: Event::FlowClose(flow, Traffic::default(), Why::Ended) }
}

/// So many bytes of a flow of [`flow`] pass.
pub fn packet(microseconds: u64, handle: u64, pid: u32, direction: Direction, bytes: u32) -> Told {
    let start_key = process(pid).start_key;
    let packet = Packet { handle, process_id: pid, start_key, direction, bytes };
    Told { time: Some(after(microseconds)), event: Event::Packet(packet) }
}

/// A file of JSON Lines with these events.
pub fn jsonl(events: &[Told]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for told in events {
        writeln!(file, "{}", flowtag_tool::source::json::line(told)).unwrap();
    }
    file
}
