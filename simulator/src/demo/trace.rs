//! Reads the driver's trace lines back (docs/traces.md has the grammar).

use std::{collections::HashMap, net::SocketAddr};

use super::report::Protocol;
use crate::traffic::event::Direction;

/// A flow, as the driver tagged and counted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// The flow's handle.
    pub flow: u64,
    /// The process that the driver names.
    pub pid: u64,
    /// Who began it.
    pub direction: Direction,
    /// TCP or UDP; `None` for ICMP, which no program of the demo speaks.
    pub protocol: Option<Protocol>,
    /// Both ends: this one, the other one. `None` for ICMP.
    pub ends: Option<(SocketAddr, SocketAddr)>,
    /// Whether Windows asked again about a flow that was open.
    pub again: bool,
    /// Which process exactly.
    pub owner: Owner,
    /// The service tag, if there was one.
    pub service: Option<u64>,
    /// The program file, as the line spells it; `-` if the driver had none.
    pub path: String,
    /// What it counted, once the flow was closed.
    pub counted: Option<Counted>,
}

/// What tells a process from all others that have had its id; [`None`] where the driver does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Its start key.
    pub key: Option<u64>,
    /// When it began, to the millisecond: ISO 8601.
    pub start: Option<String>,
    /// The id of its parent.
    pub parent: Option<u64>,
}

/// What a close line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Packets out and in.
    pub packets: (u64, u64),
    /// Payload bytes out and in.
    pub bytes: (u64, u64),
    /// How long the flow was tagged.
    pub milliseconds: u64,
    /// Why it is no longer: `deleted`, `evicted` or `unload`.
    pub why: String,
}

/// The flows in `lines`, in the order in which they were opened. Lines of other kinds are passed over.
pub fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<Tagged> {
    let mut flows: Vec<Tagged> = Vec::new();
    // A flow handle may be used again once its flow is closed.
    let mut open: HashMap<&str, usize> = HashMap::new();
    for line in lines {
        let Some((kind, rest)) = line.trim_end().strip_prefix("flowtag: ").and_then(|line| line.split_once(' ')) else {
            continue;
        };
        let field = |key: &str| rest.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let Some(handle) = field("flow") else { continue };
        if kind == "open" {
            if let Some(flow) = opened(rest, field) {
                open.insert(handle, flows.len());
                flows.push(flow);
            }
        } else if kind == "close"
            && let Some(index) = open.remove(handle)
        {
            flows[index].counted = counted(field);
        }
    }
    flows
}

fn opened<'a>(rest: &'a str, field: impl Fn(&str) -> Option<&'a str>) -> Option<Tagged> {
    let mut words = rest.split(' ');
    let ends = words.position(|word| word == "->").and_then(|arrow| {
        let local = rest.split(' ').nth(arrow.checked_sub(1)?)?.parse().ok()?;
        Some((local, words.next()?.parse().ok()?))
    });
    let known = |key| field(key).filter(|&value| value != "-");
    let hexadecimal = |key| u64::from_str_radix(known(key)?.strip_prefix("0x")?, 16).ok();
    Some(Tagged {
        flow: hexadecimal("flow")?,
        pid: field("pid")?.parse().ok()?,
        direction: match field("dir")? {
            "out" => Direction::Outbound,
            "in" => Direction::Inbound,
            _ => return None,
        },
        protocol: match field("proto")? {
            "tcp" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            _ => None,
        },
        ends,
        again: field("origin")? == "reauth",
        owner: Owner {
            key: hexadecimal("key"),
            start: known("start").map(str::to_owned),
            parent: known("ppid").and_then(|parent| parent.parse().ok()),
        },
        service: hexadecimal("svc"),
        // The path is the last field and may hold spaces.
        path: rest.split_once(" path=")?.1.to_owned(),
        counted: None,
    })
}

fn counted<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Option<Counted> {
    let pair = |key| {
        let (out, inward) = field(key)?.split_once('/')?;
        Some((out.parse().ok()?, inward.parse().ok()?))
    };
    Some(Counted {
        packets: pair("packets")?,
        bytes: pair("bytes")?,
        milliseconds: field("ms")?.parse().ok()?,
        why: field("why")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = r"flowtag: open flow=0x2a1 pid=4242 dir=out proto=tcp 10.0.0.5:50123 -> [::1]:443 origin=new start=2026-11-29T12:34:56.789Z key=0x120000000013b6 ppid=812 svc=0x55 path=\device\my%20disk\curl.exe";
    const CLOSE: &str = "flowtag: close flow=0x2a1 pid=4242 packets=12/9 bytes=1830/52011 ms=840 why=deleted";

    #[test]
    fn an_open_line_gives_all_its_fields() {
        let flows = read([OPEN]);

        let expected = Tagged {
            flow: 0x2a1,
            pid: 4242,
            direction: Direction::Outbound,
            protocol: Some(Protocol::Tcp),
            ends: Some(("10.0.0.5:50123".parse().unwrap(), "[::1]:443".parse().unwrap())),
            again: false,
            owner: Owner {
                key: Some(0x0012_0000_0000_13b6),
                start: Some("2026-11-29T12:34:56.789Z".into()),
                parent: Some(812),
            },
            service: Some(0x55),
            path: r"\device\my%20disk\curl.exe".into(),
            counted: None,
        };
        assert_eq!(flows, [expected]);
    }

    #[test]
    fn a_close_line_gives_its_flow_the_counters() {
        let flows = read([OPEN, "flowtag: first flow=0x2a1 pid=4242 dir=out bytes=517", CLOSE]);

        let counted = Counted { packets: (12, 9), bytes: (1830, 52011), milliseconds: 840, why: "deleted".into() };
        assert_eq!(flows[0].counted, Some(counted));
    }

    #[test]
    fn what_the_driver_does_not_know_is_nothing() {
        let flows = read([
            "flowtag: open flow=0x1 pid=7 dir=in proto=udp [::1]:1 -> [::1]:2 origin=reauth start=- key=- ppid=- svc=- path=-",
        ]);

        assert_eq!((flows[0].again, &flows[0].owner, flows[0].service), (true, &Owner::default(), None));
    }

    #[test]
    fn a_handle_used_again_is_another_flow() {
        let flows = read([OPEN, CLOSE, OPEN]);

        assert_eq!(flows.iter().map(|flow| flow.counted.is_some()).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn an_icmp_flow_has_no_ends() {
        let flows = read([
            "flowtag: open flow=0x1 pid=4 dir=out proto=icmp 10.0.0.5 -> 10.0.0.6 type=8 code=0 origin=new svc=- path=-",
        ]);

        assert_eq!((flows[0].protocol, flows[0].ends), (None, None));
    }

    #[test]
    fn other_lines_are_passed_over() {
        assert_eq!(read(["flowtag: loaded", "something else", ""]), []);
    }
}
