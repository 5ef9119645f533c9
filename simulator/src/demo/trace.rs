//! Reads the driver's trace lines back (docs/traces.md has the grammar).

use std::{collections::HashMap, net::SocketAddr};

use super::report::Protocol;
use crate::traffic::event::Direction;

/// A flow, as the driver tagged and counted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// The process that the driver names.
    pub pid: u64,
    /// Who began it.
    pub direction: Direction,
    /// TCP or UDP; `None` for ICMP, which no program of the demo speaks.
    pub protocol: Option<Protocol>,
    /// Both ends: this one, the other one. `None` for ICMP.
    pub ends: Option<(SocketAddr, SocketAddr)>,
    /// The program file; `-` if the driver had none.
    pub path: String,
    /// What it counted, once the flow was closed.
    pub counted: Option<Counted>,
}

/// The counters of a close line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Packets out and in.
    pub packets: (u64, u64),
    /// Payload bytes out and in.
    pub bytes: (u64, u64),
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
    Some(Tagged {
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
    Some(Counted { packets: pair("packets")?, bytes: pair("bytes")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = r"flowtag: open flow=0x2a1 pid=4242 dir=out proto=tcp 10.0.0.5:50123 -> [::1]:443 origin=new svc=- path=\device\my disk\curl.exe";
    const CLOSE: &str = "flowtag: close flow=0x2a1 pid=4242 packets=12/9 bytes=1830/52011 ms=840 why=deleted";

    #[test]
    fn an_open_line_gives_all_its_fields() {
        let flows = read([OPEN]);

        let expected = Tagged {
            pid: 4242,
            direction: Direction::Outbound,
            protocol: Some(Protocol::Tcp),
            ends: Some(("10.0.0.5:50123".parse().unwrap(), "[::1]:443".parse().unwrap())),
            path: r"\device\my disk\curl.exe".into(),
            counted: None,
        };
        assert_eq!(flows, [expected]);
    }

    #[test]
    fn a_close_line_gives_its_flow_the_counters() {
        let flows = read([OPEN, "flowtag: first flow=0x2a1 pid=4242 dir=out bytes=517", CLOSE]);

        assert_eq!(flows[0].counted, Some(Counted { packets: (12, 9), bytes: (1830, 52011) }));
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
