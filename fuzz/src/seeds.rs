//! What fuzzing of the command begins with: files as its tests make them, and events as the driver writes them.

use flowtag_on_host::{
    details::Details,
    etw::{self, Id, Payload, event::EVENTS, fields},
    identity::Identity,
    path::{Captured, Path},
    tag::{Address, Direction, Endpoint, Family, Given, Origin, Tag},
    totals::Totals,
    trace,
};
use flowtag_tool::{
    event::{Event, Lost, Told},
    source::json,
};

use crate::{
    annotation::{TABLE, annotated},
    made::{
        BEGIN, Capture, ETHERNET, LOCAL, ORDERS, Order, RAW, REMOTE, after, close, ethernet, flow, fragment, open, udp,
        unreachable,
    },
};

/// Every line that is documented.
const TRACES: &str = include_str!("../../docs/traces.md");

/// The seeds of a target; most have only those in its corpus.
#[must_use]
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "pcapng" => pcapng(),
        "pcap" => pcap(),
        "json_lines" => json_lines(),
        "trace_lines" => trace_lines(),
        "event_payload" => event_payloads(),
        "driver_output" | "joined" => {
            vec![vec![0; 64], vec![0xff; 512], (0..=255).collect(), (0..=255).rev().cycle().take(1024).collect()]
        }
        _ => Vec::new(),
    }
}

fn pcapng() -> Vec<Vec<u8>> {
    let sound: Vec<_> = ORDERS.iter().flat_map(|&order| [talk(order), motley(order), loopback(order)]).collect();
    let annotated =
        sound.iter().filter_map(|capture| annotated(capture, &TABLE, true)).map(|annotated| annotated.bytes);
    let cut = sound[0][..sound[0].len() - 10].to_vec();
    annotated.chain([cut]).chain(sound.iter().cloned()).collect()
}

/// A flow's packets, whole, in fragments and quoted, before and behind its life.
fn talk(order: Order) -> Vec<u8> {
    let mut capture = Capture::new(order, RAW);
    let packet = udp(LOCAL, REMOTE);
    capture.packet(10, &packet);
    capture.packet(20, &udp(REMOTE, LOCAL));
    capture.packet(30, &fragment(packet.clone(), 1, 0x2000));
    capture.packet(40, &fragment(packet.clone(), 1, 185));
    capture.packet(50, &unreachable(&packet));
    capture.packet(5_500_000, &packet);
    capture.packet(7_000_000, &packet);
    capture.packet(60, &udp("10.0.0.5:1", REMOTE));
    capture.packet(70, &udp("10.0.0.5:2", REMOTE));
    capture.packet(80, &udp("10.9.9.9:1", REMOTE));
    capture.bytes
}

/// Blocks and options of every kind.
fn motley(order: Order) -> Vec<u8> {
    let mut capture = Capture::new(order, RAW);
    capture.interface(ETHERNET, &[(2, b"eth0"), (9, &[9]), (14, &[0; 8]), (0x8001, b"odd")]);
    capture.interface(101, &[(9, &[0x8a])]);
    capture.block(4, b"names of addresses");
    capture.block(0x0bad, &[&capture.u32(32_473), b"somebody's".as_slice()].concat());
    capture.packet_with(0, BEGIN + 10, &udp(LOCAL, REMOTE), &[(1, b"seen"), (2, &capture.u32(1)), (4, &[7; 8])]);
    capture.packet_with(1, (BEGIN + 20) * 1000, &ethernet(&udp(LOCAL, REMOTE)), &[]);
    let tagged = [&[2; 12], [0x81, 0, 0, 5, 8, 0].as_slice(), &udp(LOCAL, REMOTE)].concat();
    capture.packet_with(1, (BEGIN + 30) * 1000, &tagged, &[(1, b"PID: 4\nCmd: System")]);
    capture.block(3, &[&capture.u32(35), udp(LOCAL, REMOTE).as_slice()].concat());
    capture.block(2, &[[0; 12].as_slice(), &capture.u32(4), &capture.u32(4), b"data"].concat());
    capture.block(0x0bad, &[&capture.u32(32_622), b"\x03\0\0\0\x08\0\0\0\x07\0\0\0\0\0\0\0".as_slice()].concat());
    capture.section(if order == Order::Big { Order::Little } else { Order::Big }, 100);
    capture.interface(RAW, &[]);
    capture.packet(90, &udp(LOCAL, REMOTE));
    capture.bytes
}

/// Packets of this machine to itself, by each link type that has room for them.
fn loopback(order: Order) -> Vec<u8> {
    let mut capture = Capture::new(order, RAW);
    for (link_type, before) in [
        (0, [2, 0, 0, 0].as_slice()),
        (108, &[0, 0, 0, 2]),
        (113, &[0, 4, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 8, 0]),
        (276, &[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 2, 2, 2, 2, 2, 0, 0]),
        (228, &[]),
    ] {
        capture.section(order, -1);
        capture.interface(link_type, &[]);
        let data = [before, &udp("127.0.0.1:1000", "127.0.0.1:80")].concat();
        capture.packet_with(0, BEGIN + 10, &data, &[(2, &capture.u32(2))]);
    }
    capture.bytes
}

fn pcap() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for order in ORDERS {
        let number = |number: u32| match order {
            Order::Little => number.to_le_bytes(),
            Order::Big => number.to_be_bytes(),
        };
        for (magic, link_type) in [(0xa1b2_c3d4, RAW), (0xa1b2_3c4d, ETHERNET)] {
            let mut file = [magic, 4 << 16 | 2, 0, 0, 65_535, link_type.into()].map(number).concat();
            for packet in [udp(LOCAL, REMOTE), udp(REMOTE, LOCAL), udp("10.9.9.9:1", REMOTE)] {
                let packet = if link_type == ETHERNET { ethernet(&packet) } else { packet };
                let length = u32::try_from(packet.len()).expect("it is short");
                file.extend([1_764_488_751, 10, length, length + 1000].map(number).concat());
                file.extend(packet);
            }
            files.push(file[..file.len() - 5].to_vec());
            files.push(file);
        }
    }
    files
}

fn json_lines() -> Vec<Vec<u8>> {
    let told = |event| Told { time: Some(after(5)), event };
    let lost = told(Event::Lost(Lost { kind: "busy".into(), status: 0xc000_009a }));
    let others = [lost, told(Event::Stopping { live_flows: 3 }), told(Event::Other("Later".into()))];
    let flows = [
        open(0, flow(1, 7, LOCAL, REMOTE)),
        open(5, flow(2, 8, "[fe80::1%3]:1", "[fe80::2]:53")),
        close(9, flow(1, 7, LOCAL, REMOTE)),
    ];
    let decoded = event_payloads().into_iter().filter_map(|input| {
        let size = usize::from(u16::from_le_bytes(*input.first_chunk()?));
        let (metadata, payload) = input.split_at_checked(size)?;
        Some(told(flowtag_tool::tracelogging::event(metadata, payload).ok()?))
    });
    let lines: Vec<String> = flows.into_iter().chain(others).chain(decoded).map(|told| json::line(&told)).collect();
    let mut seeds: Vec<Vec<u8>> = lines.iter().map(|line| line.clone().into_bytes()).collect();
    seeds.push(lines[..4].join("\n").into_bytes());
    seeds.push(utf16(&lines[..3].join("\r\n")));
    seeds
}

fn trace_lines() -> Vec<Vec<u8>> {
    let lines: Vec<&str> = TRACES.lines().filter(|line| line.starts_with("flowtag: ")).collect();
    let numbered = |time: fn(usize) -> String| {
        let numbered =
            lines.iter().enumerate().map(|(number, line)| format!("{number:08}\t{}\t{line}\r\n", time(number)));
        numbered.collect::<String>()
    };
    let seconds = numbered(|number| format!("{number}.25000000"));
    let clock = numbered(|number| format!("11:59:{number:02} PM"));
    [lines.join("\n"), seconds.clone(), clock].into_iter().map(String::into_bytes).chain([utf16(&seconds)]).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

/// Each event, as the driver writes it.
fn event_payloads() -> Vec<Vec<u8>> {
    let units: Vec<[u8; 2]> = "\\device\\caf\u{e9}.exe".encode_utf16().map(u16::to_le_bytes).collect();
    let path = Captured::new(&units, Path::of(units.as_flattened()).extent());
    let end = |port| Endpoint { address: Address::V4([10, 0, 0, 5]), port: Given::number(port) };
    let v4 = Tag {
        flow: 0x2a1,
        pid: 4242,
        local: end(50_123),
        remote: end(443),
        protocol: Given::number(6),
        family: Family::V4,
        direction: Direction::Out,
        origin: Origin::New,
    };
    let far = Endpoint { address: Address::V6([0xfe; 16]), port: Given::NOTHING };
    let v6 = Tag { local: far, remote: far, family: Family::V6, origin: Origin::Reauth, ..v4 };
    let identity = Identity { start_key: 0x0012_0000_0000_13b6, created: 134_404_292_967_890_000, parent: 812 };
    let details = Details { service_tag: 0x55, compartment: 3, interface: 12, identity };
    let package = [1, 2, 0, 0, 0, 0, 0, 15, 2, 0, 0, 0, 7, 0, 0, 0];
    let traffic = trace::Traffic { packets: 12, bytes: 1830 };
    let history = fields::History { out: traffic, r#in: traffic, duration: 8_400_000 };
    let told = |tag| fields::Told { tag, details: &details, package: &package, path };
    let rest = units.as_flattened();
    vec![
        written(Id::FlowOpen, rest, |payload| fields::flow_open(payload, told(&v4))),
        written(Id::FlowRundown, rest, |payload| fields::flow_rundown(payload, told(&v6), history)),
        written(Id::FlowClose, rest, |payload| fields::flow_close(payload, told(&v4), history, trace::Why::Evicted)),
        written(Id::FirstPacket, &[], |payload| fields::packet(payload, &v4, &details, Direction::In, 517)),
        written(Id::Loaded, &[], |payload| fields::loaded(payload, 2, 65_536)),
        written(Id::Lost, &[], |payload| fields::step(payload, "busy", -1)),
        written(Id::Stopping, &[], |payload| fields::stopping(payload, 12)),
        written(Id::Totals, &[], |payload| fields::totals(payload, &Totals::zero())),
    ]
}

/// An event's metadata, and its payload behind them.
fn written(id: etw::Id, rest: &[u8], write: impl FnOnce(&mut Payload)) -> Vec<u8> {
    let mut payload = Payload::empty();
    write(&mut payload);
    [EVENTS[id as usize].metadata, payload.written(), rest].concat()
}
