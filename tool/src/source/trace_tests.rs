use super::trace::{NoLine, Reader};
use crate::event::{Direction, Event, Flow, Lost, Origin, Step, Told, Traffic, Why};

const DOCUMENT: &str = include_str!("../../../docs/traces.md");

/// What the reader makes of these lines.
fn read(lines: &[&str]) -> Vec<Event> {
    let mut reader = Reader::new(None);
    let told = lines.iter().filter_map(|line| reader.read(line).expect("it is as documented"));
    told.map(|Told { event, .. }| event).collect()
}

/// The line of docs/traces.md that begins so.
fn documented(start: &str) -> &'static str {
    DOCUMENT.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("docs/traces.md lacks {start}"))
}

fn flow(line: &str) -> Flow {
    let Some(Event::FlowOpen(flow)) = read(&[line]).pop() else { panic!("no flow: {line}") };
    flow
}

#[test]
fn the_documented_open_line_is_read_field_by_field() {
    let flow = flow(documented("flowtag: open flow=0x2a1 pid=4242 dir=out proto=tcp"));
    assert_eq!((flow.handle, flow.process.id, flow.direction, flow.protocol), (0x2a1, 4242, Direction::Out, 6));
    assert_eq!((flow.local, flow.remote), ("10.0.0.5:50123".parse().unwrap(), "93.184.216.34:443".parse().unwrap()));
    assert_eq!((flow.origin, flow.service_tag), (Origin::New, 0));
    assert_eq!((flow.process.start_key, flow.process.parent), (0x0012_0000_0000_13b6, 812));
    assert_eq!(flow.process.created.to_string(), "2026-11-29T12:34:56.7890000Z");
    assert_eq!(flow.process.path, r"\device\harddiskvolume3\windows\curl.exe");
}

#[test]
fn the_documented_line_of_an_ipv6_flow_is_read() {
    let flow = flow(documented("flowtag: open flow=0x2a1 pid=4242 dir=in proto=udp"));
    assert_eq!((flow.local, flow.remote), ("[fe80::2]:53".parse().unwrap(), "[2001:db8::1]:443".parse().unwrap()));
    assert_eq!((flow.direction, flow.protocol, flow.origin), (Direction::In, 17, Origin::Reauthorized));
    assert_eq!((flow.service_tag, flow.process.start_key, flow.process.path.as_str()), (0x55, 0, ""));
}

#[test]
fn the_documented_line_of_an_icmp_flow_has_type_and_code_for_ports() {
    let flow = flow(documented("flowtag: open flow=0x2a1 pid=4 dir=out proto=icmp"));
    assert_eq!((flow.local, flow.remote), ("10.0.0.5:8".parse().unwrap(), "93.184.216.34:0".parse().unwrap()));
    assert_eq!((flow.protocol, flow.process.path.as_str()), (1, "System"));
}

#[test]
fn the_documented_close_line_is_that_of_the_flow_that_was_opened() {
    let open = documented("flowtag: open flow=0x2a1 pid=4242 dir=out proto=tcp");
    let events = read(&[open, documented("flowtag: close flow=0x2a1")]);
    let traffic = Traffic { out_packets: 12, in_packets: 9, out_bytes: 1830, in_bytes: 52_011, duration: 840 * 10_000 };
    assert_eq!(events[1], Event::FlowClose(flow(open), traffic, Why::Ended));
}

#[test]
fn a_close_line_without_its_open_line_has_handle_and_process_only() {
    let events = read(&[documented("flowtag: close flow=0x2a1")]);
    let Event::FlowClose(flow, ..) = &events[0] else { panic!("{events:?}") };
    assert_eq!((flow.handle, flow.process.id, flow.protocol), (0x2a1, 4242, 0));
    assert!(flow.local.ip().is_unspecified());
}

#[test]
fn a_handle_that_another_flow_has_got_is_that_flows() {
    let first = documented("flowtag: open flow=0x2a1 pid=4242 dir=out proto=tcp");
    let close = documented("flowtag: close flow=0x2a1");
    let second = documented("flowtag: open flow=0x2a1 pid=4 dir=out proto=icmp");
    let events = read(&[first, close, second, close]);
    assert_eq!(events[1].flow().map(|flow| flow.protocol), Some(6));
    assert_eq!(events[3].flow().map(|flow| flow.protocol), Some(1));
}

#[test]
fn the_documented_lines_of_packets_are_read() {
    let events = read(&[documented("flowtag: first "), documented("flowtag: packet ")]);
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            let packet = event.packet().expect("a packet");
            (event.name(), packet.handle, packet.process_id, packet.direction, packet.bytes)
        })
        .collect();
    assert_eq!(told, [("FirstPacket", 0x2a1, 4242, Direction::Out, 517), ("Packet", 0x2a1, 4242, Direction::In, 1440)]);
}

#[test]
fn lines_about_the_driver_are_events_where_there_is_such_an_event() {
    let lines: Vec<_> = DOCUMENT.lines().skip_while(|line| !line.starts_with("flowtag: loading")).collect();
    let events = read(&lines);
    let names: Vec<_> = events.iter().map(Event::name).collect();
    assert_eq!(names, ["Loaded", "LoadFailed", "Lost", "Lost", "Stopping", "Totals"]);
    let Event::Loaded(loaded) = &events[0] else { panic!("{events:?}") };
    assert_eq!((loaded.version.as_str(), loaded.trace_level, loaded.max_flows), ("0.1.0", 2, 65_536));
    let step = Step { step: "FwpsCalloutRegister2".into(), status: 0xc022_0009 };
    assert_eq!(events[1], Event::LoadFailed(step));
    assert_eq!(events[2], Event::Lost(Lost { kind: "untracked".into(), status: 0 }));
    assert_eq!(events[3], Event::Lost(Lost { kind: "associate_failed".into(), status: 0xc000_009a }));
    let Event::Totals(totals) = &events[5] else { panic!("{events:?}") };
    assert_eq!((totals.opened, totals.closed, totals.already_tagged, totals.blocked), (2, 2, 1, 0));
}

#[test]
fn what_stands_before_the_line_is_passed_over_and_so_are_lines_of_others() {
    let close = documented("flowtag: close flow=0x2a1");
    for before in ["00000042\t12.34567890\t", "42\t3:45:51.123 PM\t", "0: kd> "] {
        assert_eq!(read(&[&format!("{before}{close}")]).len(), 1, "{before}");
    }
    assert!(read(&["00000001\t0.0\t[4242] another driver", ""]).is_empty());
}

#[test]
fn what_was_not_told_is_zero() {
    let flow =
        flow("flowtag: open flow=0x1 pid=7 dir=out proto=- -:- -> -:- origin=new start=- key=- ppid=- svc=- path=-");
    assert_eq!(
        (flow.protocol, flow.local, flow.remote),
        (0, "0.0.0.0:0".parse().unwrap(), "0.0.0.0:0".parse().unwrap())
    );
    let flow = self::flow(
        "flowtag: open flow=0x1 pid=7 dir=out proto=udp [fe80::1]:- -> -:53 origin=new start=- key=- ppid=- svc=- path=-",
    );
    assert_eq!((flow.local, flow.remote), ("[fe80::1]:0".parse().unwrap(), "[::]:53".parse().unwrap()));
}

#[test]
fn a_path_is_read_as_it_was_before_it_was_escaped() {
    let open = "flowtag: open flow=0x1 pid=7 dir=out proto=udp 10.0.0.5:1 -> 10.0.0.6:2 origin=new start=- key=- ppid=- svc=- path=";
    for (escaped, path) in [
        (r"\my%20programs\gr%f6%dfe%25.exe", "\\my programs\\größe%.exe"),
        ("%u4f60%ud83d%ude00", "\u{4f60}\u{1f600}"),
        ("%2a*", "**"),
        ("a=b", "a=b"),
        ("100%", "100%"),
        ("%u12", "%u12"),
    ] {
        assert_eq!(flow(&format!("{open}{escaped}")).process.path, path);
    }
}

#[test]
fn a_line_that_is_cut_says_what_it_lacks() {
    let mut reader = Reader::new(None);
    let line = documented("flowtag: open flow=0x2a1 pid=4242 dir=out proto=tcp");
    let (cut, _) = line.split_once(" ppid").expect("it has one");
    assert_eq!(reader.read(cut), Err(NoLine::Missing("ppid")));
    let wrong = line.replace("pid=4242", "pid=4_2");
    assert_eq!(reader.read(&wrong), Err(NoLine::Value { field: "pid", value: "4_2".into() }));
}

#[test]
fn a_path_cannot_say_what_another_field_is() {
    let mut reader = Reader::new(None);
    let line = "flowtag: open flow=0x1 dir=out proto=udp 10.0.0.5:1 -> 10.0.0.6:2 origin=new start=- key=- ppid=- svc=- path=x pid=7";
    assert_eq!(reader.read(line), Err(NoLine::Missing("pid")));
}
