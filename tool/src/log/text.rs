//! An event as a line for people.

use crate::{
    event::{Direction, Event, Flow, Packet, Told, Totals, Traffic, Why},
    flows::{ICMP, ICMPV6, Protocol},
    output::shown,
};

/// The line, without its end. A path cannot end it: control characters are shown as escapes.
pub(super) fn line(told: &Told) -> String {
    let time = told.time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    let name = told.event.name();
    let text = match &told.event {
        Event::FlowOpen(flow) => flow_text(flow),
        Event::FlowClose(flow, traffic, why) => {
            let why = match why {
                Why::Ended => "",
                Why::Evicted => ", evicted",
                Why::Unload => ", driver unloaded",
            };
            format!("{} {}{why}", flow_text(flow), traffic_text(traffic))
        }
        Event::FlowRundown(flow, traffic) => format!("{} {}", flow_text(flow), traffic_text(traffic)),
        Event::FirstPacket(packet) | Event::Packet(packet) => packet_text(packet),
        Event::Loaded(loaded) => {
            format!("version {}, TraceLevel {}, MaxFlows {}", loaded.version, loaded.trace_level, loaded.max_flows)
        }
        Event::LoadFailed(step) | Event::Failed(step) | Event::Retrying(step) => {
            format!("{} answered {:#x}", step.step, step.status)
        }
        Event::Lost(lost) => format!("flows go untagged: {}, status {:#x}", lost.kind, lost.status),
        Event::Stopping { live_flows } => format!("{live_flows} flows live"),
        Event::Totals(totals) => totals_text(totals),
        Event::Other(_) => "from a later driver than this program knows".to_owned(),
    };
    shown(&format!("{time} {name:<11} {text}"))
}

fn flow_text(flow: &Flow) -> String {
    let arrow = match flow.direction {
        Direction::Out => "->",
        Direction::In => "<-",
    };
    let (protocol, local, remote) = (Protocol(flow.protocol), flow.local, flow.remote);
    let ends = if matches!(flow.protocol, ICMP | ICMPV6) {
        format!("{} {arrow} {} type={} code={}", local.ip(), remote.ip(), local.port(), remote.port())
    } else {
        format!("{local} {arrow} {remote}")
    };
    let path = if flow.process.path.is_empty() { "-" } else { &flow.process.path };
    format!("{protocol} {ends} pid={} {path}", flow.process.id)
}

fn traffic_text(traffic: &Traffic) -> String {
    let Traffic { out_packets, in_packets, out_bytes, in_bytes, duration } = traffic;
    let (seconds, milliseconds) = (duration / 10_000_000, duration / 10_000 % 1000);
    format!(
        "out {out_bytes} bytes in {out_packets}, in {in_bytes} bytes in {in_packets} packets, {seconds}.{milliseconds:03} s"
    )
}

fn packet_text(packet: &Packet) -> String {
    let way = match packet.direction {
        Direction::Out => "out",
        Direction::In => "in",
    };
    format!("flow={:#x} pid={} {way} {} bytes", packet.handle, packet.process_id, packet.bytes)
}

fn totals_text(totals: &Totals) -> String {
    format!(
        "opened {}, closed {}, evicted {}, untracked {}",
        totals.opened, totals.closed, totals.evicted, totals.untracked
    )
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::{
        event::{Origin, Process},
        flows::{TCP, UDP},
    };

    fn flow(protocol: u8, local: &str, remote: &str, path: &str) -> Flow {
        let end = |text: &str| text.parse::<SocketAddr>().unwrap();
        Flow {
            handle: 1,
            process: Process { id: 4242, path: path.into(), ..Process::default() },
            service_tag: 0,
            package_sid: "S-1-0-0".into(),
            direction: Direction::Out,
            protocol,
            local: end(local),
            remote: end(remote),
            interface: 0,
            compartment: 0,
            origin: Origin::New,
        }
    }

    fn text(event: Event) -> String {
        line(&Told { time: "2026-11-30T07:45:51Z".parse().ok(), event })
    }

    #[test]
    fn a_flow_says_between_whom_and_whose() {
        let open = Event::FlowOpen(flow(TCP, "10.0.0.5:50123", "93.184.216.34:443", r"\device\curl.exe"));
        assert_eq!(
            text(open),
            r"2026-11-30T07:45:51.0000000Z FlowOpen    tcp 10.0.0.5:50123 -> 93.184.216.34:443 pid=4242 \device\curl.exe"
        );
        let echo = Event::FlowOpen(flow(ICMPV6, "[fe80::1]:128", "[fe80::2]:0", ""));
        assert!(text(echo).ends_with("icmpv6 fe80::1 -> fe80::2 type=128 code=0 pid=4242 -"));
    }

    #[test]
    fn a_flow_that_ended_says_what_it_did() {
        let traffic =
            Traffic { out_packets: 12, in_packets: 9, out_bytes: 1830, in_bytes: 52_011, duration: 12_345_670 };
        let close = Event::FlowClose(flow(UDP, "10.0.0.5:1", "10.0.0.6:2", "x"), traffic, Why::Evicted);
        assert!(text(close).ends_with("out 1830 bytes in 12, in 52011 bytes in 9 packets, 1.234 s, evicted"));
    }

    #[test]
    fn what_a_path_holds_is_not_obeyed_by_a_terminal() {
        let open = Event::FlowOpen(flow(TCP, "10.0.0.5:1", "10.0.0.6:2", "a\x1b[2Jb\nc"));
        let line = text(open);
        assert!(line.ends_with(r"a\u{1b}[2Jb\nc") && !line.contains(char::is_control), "{line}");
    }
}
