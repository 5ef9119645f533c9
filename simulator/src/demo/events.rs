//! Reads the driver's events about flows (docs/events.md is their reference), as [`trace`](super::trace) does its lines.

use std::collections::HashMap;

use super::{
    report::Protocol,
    trace::{Counted, Owner, Tagged},
};
use crate::{
    etw::{
        Event,
        tracelogging::{Value, time},
    },
    traffic::event::{Direction, protocol},
};

/// What a session has heard of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// All of it.
    pub tagged: Tagged,
    /// With what it began to hear of it.
    pub first: First,
    /// Its `FlowClose` tells the same of who and where as what came before.
    pub consistent: bool,
}

/// The first event of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// `FlowOpen`.
    Open,
    /// `FlowRundown`.
    Rundown,
    /// `FlowClose`.
    Close,
}

/// The flows in `events`, in the order in which they were first told of. Other events are passed over.
#[must_use]
pub fn read(events: &[Event]) -> Vec<Heard> {
    let mut flows: Vec<Heard> = Vec::new();
    // A flow handle may be used again once its flow is closed.
    let mut open: HashMap<u64, usize> = HashMap::new();
    for event in events {
        let first = match event.name() {
            "FlowOpen" => First::Open,
            "FlowRundown" => First::Rundown,
            "FlowClose" => First::Close,
            _ => continue,
        };
        let Some(tagged) = tagged(event) else { continue };
        let known = if first == First::Open { None } else { open.get(&tagged.flow).copied() };
        let index = known.unwrap_or_else(|| {
            flows.push(Heard { tagged: Tagged { counted: None, ..tagged.clone() }, first, consistent: true });
            flows.len() - 1
        });
        if first == First::Close {
            open.remove(&tagged.flow);
            let flow = &mut flows[index];
            flow.consistent = Tagged { counted: None, ..tagged.clone() } == flow.tagged;
            flow.tagged.counted = tagged.counted;
        } else {
            open.insert(tagged.flow, index);
        }
    }
    flows
}

/// The flow of an event; [`None`] where it does not have the fields that docs/events.md says.
fn tagged(event: &Event) -> Option<Tagged> {
    let number = |field| event.find(field)?.number();
    let known = |field| number(field).map(|number| (number != 0).then_some(number));
    let socket = |field| match event.find(field)? {
        Value::Socket(address) => Some(*address),
        _ => None,
    };
    let protocol = match u8::try_from(number("Protocol")?).ok()? {
        protocol::TCP => Some(Protocol::Tcp),
        protocol::UDP => Some(Protocol::Udp),
        _ => None,
    };
    let ends = (socket("LocalAddress")?, socket("RemoteAddress")?);
    Some(Tagged {
        flow: number("FlowHandle")?,
        pid: number("ProcessId")?,
        direction: if number("Direction")? == 0 { Direction::Outbound } else { Direction::Inbound },
        protocol,
        ends: protocol.map(|_| ends),
        again: number("Origin")? == 1,
        owner: Owner {
            key: known("ProcessStartKey")?,
            start: known("ProcessCreateTime")?.map(to_the_millisecond),
            parent: known("ParentProcessId")?,
        },
        service: known("ServiceTag")?,
        path: match event.find("ProcessPath")? {
            Value::Utf16(units) if units.is_empty() => "-".to_owned(),
            Value::Utf16(units) => escaped(units),
            _ => return None,
        },
        counted: counted(event),
    })
}

fn counted(event: &Event) -> Option<Counted> {
    let number = |field| event.find(field)?.number();
    let why = match number("Why")? {
        0 => "deleted",
        1 => "evicted",
        2 => "unload",
        _ => return None,
    };
    Some(Counted {
        packets: (number("OutPackets")?, number("InPackets")?),
        bytes: (number("OutBytes")?, number("InBytes")?),
        milliseconds: number("Duration")? / 10_000,
        why: why.to_owned(),
    })
}

/// A time in units of 100 ns since 1601, as lines write it.
#[must_use]
pub fn to_the_millisecond(time: u64) -> String {
    let mut text = time::iso(time);
    text.truncate("2026-11-29T12:34:56.789".len());
    text + "Z"
}

/// A path as docs/traces.md says that lines spell it, uncut: all but printable ASCII, and `%` and `*`, as code units.
fn escaped(units: &[u16]) -> String {
    units.iter().fold(String::new(), |text, &unit| match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii_graphic() && byte != b'%' && byte != b'*' => text + &char::from(byte).to_string(),
        Ok(byte) => text + &format!("%{byte:02x}"),
        Err(_) => text + &format!("%u{unit:04x}"),
    })
}

/// Whether a line and an event tell the same of a flow. Of a path that is cut in the line, what is left has to be the same.
#[must_use]
pub fn agree(line: &Tagged, event: &Tagged) -> bool {
    let path = match line.path.split_once('*') {
        Some((head, tail)) => event.path.starts_with(head) && event.path.ends_with(tail),
        None => event.path == line.path,
    };
    path && Tagged { path: line.path.clone(), ..event.clone() } == *line
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{demo::trace, etw::tracelogging::Told};

    const FLOW: u64 = 0x2a1;
    /// 2026-11-29T12:34:56.789Z and 12.3 µs: date -u -d @1795955696.
    const CREATED: u64 = (11_644_473_600 + 1_795_955_696) * 10_000_000 + 7_890_123;

    /// An event about a flow of process 4242, with other values for some of its fields.
    pub fn event(name: &str, other: &[(&str, Value)]) -> Event {
        let address = |text: &str| Value::Socket(text.parse().unwrap());
        let path = r"\device\my disk\é你*.exe".encode_utf16().collect();
        let mut fields = vec![
            ("FlowHandle", Value::Hex(FLOW)),
            ("ProcessId", Value::Unsigned(4242)),
            ("ProcessStartKey", Value::Hex(0x0012_0000_0000_13b6)),
            ("ProcessCreateTime", Value::Time(CREATED)),
            ("ParentProcessId", Value::Unsigned(812)),
            ("ServiceTag", Value::Hex(0)),
            ("Direction", Value::Unsigned(0)),
            ("Protocol", Value::Unsigned(6)),
            ("LocalAddress", address("10.0.0.5:50123")),
            ("RemoteAddress", address("[::1]:443")),
            ("Origin", Value::Unsigned(0)),
        ];
        if name != "FlowOpen" {
            fields.extend([
                ("OutPackets", Value::Unsigned(12)),
                ("InPackets", Value::Unsigned(9)),
                ("OutBytes", Value::Unsigned(1830)),
                ("InBytes", Value::Unsigned(52_011)),
                ("Duration", Value::Unsigned(8_401_234)),
            ]);
        }
        if name == "FlowClose" {
            fields.push(("Why", Value::Unsigned(0)));
        }
        fields.push(("ProcessPath", Value::Utf16(path)));
        for (field, value) in other {
            fields.iter_mut().find(|(name, _)| name == field).expect("a field of this event").1 = value.clone();
        }
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let told = Told { name: name.to_owned(), fields };
        Event { time: 0, provider: "flowtag".into(), level: 4, opcode: 0, keyword: 1, told }
    }

    /// An event about this flow, whose owner was created then; of its path nothing must be escaped.
    pub fn about(name: &str, flow: &Tagged, created: u64) -> Event {
        let Counted { packets, bytes, milliseconds, why } = flow.counted.clone().unwrap_or_default();
        let (local, remote) = flow.ends.expect("it is none over ICMP");
        let path = if flow.path == "-" { "" } else { &flow.path };
        let protocol = if flow.protocol == Some(Protocol::Tcp) { protocol::TCP } else { protocol::UDP };
        let mut fields = vec![
            ("FlowHandle", Value::Hex(flow.flow)),
            ("ProcessId", Value::Unsigned(flow.pid)),
            ("ProcessStartKey", Value::Hex(flow.owner.key.unwrap_or(0))),
            ("ProcessCreateTime", Value::Time(created)),
            ("ParentProcessId", Value::Unsigned(flow.owner.parent.unwrap_or(0))),
            ("ServiceTag", Value::Hex(flow.service.unwrap_or(0))),
            ("Direction", Value::Unsigned(flow.direction as u64)),
            ("Protocol", Value::Unsigned(protocol.into())),
            ("LocalAddress", Value::Socket(local)),
            ("RemoteAddress", Value::Socket(remote)),
            ("Origin", Value::Unsigned(flow.again.into())),
            ("ProcessPath", Value::Utf16(path.encode_utf16().collect())),
        ];
        if name == "FlowClose" {
            let why = ["deleted", "evicted", "unload"].iter().position(|known| *known == why).expect("a reason");
            fields.extend([
                ("OutPackets", Value::Unsigned(packets.0)),
                ("InPackets", Value::Unsigned(packets.1)),
                ("OutBytes", Value::Unsigned(bytes.0)),
                ("InBytes", Value::Unsigned(bytes.1)),
                ("Duration", Value::Unsigned(milliseconds * 10_000)),
                ("Why", Value::Unsigned(why as u64)),
            ]);
        }
        event(name, &fields)
    }

    const LINES: [&str; 2] = [
        r"flowtag: open flow=0x2a1 pid=4242 dir=out proto=tcp 10.0.0.5:50123 -> [::1]:443 origin=new start=2026-11-29T12:34:56.789Z key=0x120000000013b6 ppid=812 svc=- path=\device\my%20disk\%e9%u4f60%2a.exe",
        "flowtag: close flow=0x2a1 pid=4242 packets=12/9 bytes=1830/52011 ms=840 why=deleted",
    ];

    fn line() -> Tagged {
        trace::read(LINES).remove(0)
    }

    #[test]
    fn events_tell_what_lines_tell() {
        let flows = read(&[event("FlowOpen", &[]), event("FlowClose", &[])]);

        assert_eq!(flows, [Heard { tagged: line(), first: First::Open, consistent: true }]);
        assert!(agree(&line(), &flows[0].tagged));
    }

    #[test]
    fn each_field_that_differs_is_a_difference() {
        let others = [
            ("ProcessId", Value::Unsigned(4243)),
            ("ProcessStartKey", Value::Hex(0)),
            ("ProcessCreateTime", Value::Time(CREATED + 10_000)),
            ("ParentProcessId", Value::Unsigned(813)),
            ("ServiceTag", Value::Hex(1)),
            ("Direction", Value::Unsigned(1)),
            ("Protocol", Value::Unsigned(17)),
            ("LocalAddress", Value::Socket("10.0.0.5:50124".parse().unwrap())),
            ("RemoteAddress", Value::Socket("[::1]:444".parse().unwrap())),
            ("Origin", Value::Unsigned(1)),
            ("ProcessPath", Value::Utf16(Vec::new())),
            ("OutPackets", Value::Unsigned(13)),
            ("InPackets", Value::Unsigned(10)),
            ("OutBytes", Value::Unsigned(1831)),
            ("InBytes", Value::Unsigned(52_012)),
            ("Duration", Value::Unsigned(8_411_234)),
            ("Why", Value::Unsigned(1)),
        ];
        for other in others {
            let flows = read(&[event("FlowClose", std::slice::from_ref(&other))]);

            assert!(!agree(&line(), &flows[0].tagged), "{other:?}");
        }
    }

    #[test]
    fn what_is_left_of_a_path_that_a_line_cuts_is_in_the_event() {
        let flow = read(&[event("FlowClose", &[])]).remove(0).tagged;
        let cut = |path: &str| Tagged { path: path.into(), ..line() };

        assert!(agree(&cut(r"\device\my*.exe"), &flow));
        assert!(!agree(&cut(r"\device\your*.exe"), &flow));
        assert!(!agree(&cut(r"\device\my*.sys"), &flow));
    }

    #[test]
    fn a_close_that_tells_of_another_owner_than_the_open_is_inconsistent() {
        let flows = read(&[event("FlowOpen", &[]), event("FlowClose", &[("ProcessStartKey", Value::Hex(7))])]);

        assert_eq!((flows.len(), flows[0].consistent), (1, false));
    }

    #[test]
    fn a_handle_used_again_is_another_flow() {
        let [open, close] = [event("FlowOpen", &[]), event("FlowClose", &[])];
        let flows = read(&[open.clone(), close, open.clone(), open]);

        assert_eq!(flows.iter().map(|flow| flow.tagged.counted.is_some()).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn a_handle_that_is_told_of_after_its_flow_was_closed_is_another_flow() {
        let names = ["FlowOpen", "FlowClose", "FlowRundown"];

        assert_eq!(read(&names.map(|name| event(name, &[]))).len(), 2);
    }

    #[test]
    fn a_flow_is_told_of_once_by_open_and_rundown() {
        for names in [["FlowOpen", "FlowRundown"], ["FlowRundown", "FlowRundown"]] {
            let flows = read(&names.map(|name| event(name, &[])));

            assert_eq!((flows.len(), flows[0].tagged.counted.clone()), (1, None), "{names:?}");
        }
    }

    #[test]
    fn a_flow_that_is_closed_without_being_told_of_before_began_with_that() {
        assert_eq!(read(&[event("FlowClose", &[])])[0].first, First::Close);
    }

    #[test]
    fn an_event_without_the_fields_of_a_flow_is_passed_over() {
        assert_eq!(read(&[event("FlowOpen", &[("LocalAddress", Value::Nothing)]), event("Loaded", &[])]), []);
    }
}
