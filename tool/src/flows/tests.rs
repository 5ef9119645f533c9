use std::net::SocketAddr;

use super::*;
use crate::{
    event::{Direction, Event, Flow, Origin, Process, Told, Traffic, Why},
    time::{MILLISECOND, Time},
};

const TOLERANCE: u64 = 100 * MILLISECOND;
const LOCAL: &str = "10.0.0.5:50123";
const REMOTE: &str = "93.184.216.34:443";

/// So many milliseconds after the capture began.
fn at(milliseconds: u64) -> Time {
    Time(133_000_000_000_000_000 + milliseconds * MILLISECOND)
}

fn process(id: u32) -> Process {
    Process { id, start_key: 0x100 + u64::from(id), created: at(0), parent: 1, path: format!("\\p{id}.exe") }
}

fn flow(handle: u64, pid: u32) -> Flow {
    Flow {
        handle,
        process: process(pid),
        service_tag: 0,
        package_sid: "S-1-0-0".into(),
        direction: Direction::Out,
        protocol: TCP,
        local: LOCAL.parse().unwrap(),
        remote: REMOTE.parse().unwrap(),
        interface: 0,
        compartment: 0,
        origin: Origin::New,
    }
}

fn open(milliseconds: u64, flow: Flow) -> Told {
    Told { time: Some(at(milliseconds)), event: Event::FlowOpen(flow) }
}

fn traffic(milliseconds: u64) -> Traffic {
    Traffic { duration: milliseconds * MILLISECOND, ..Traffic::default() }
}

fn close(milliseconds: u64, lived: u64, flow: Flow) -> Told {
    Told { time: Some(at(milliseconds)), event: Event::FlowClose(flow, traffic(lived), Why::Ended) }
}

fn rundown(milliseconds: u64, lived: u64, flow: Flow) -> Told {
    Told { time: Some(at(milliseconds)), event: Event::FlowRundown(flow, traffic(lived)) }
}

fn heard(events: &[Told]) -> Lives {
    let mut lives = Lives::default();
    for told in events {
        lives.hear(told);
    }
    lives
}

fn table(events: &[Told]) -> Table {
    let lives = heard(events);
    Table::new(lives, TOLERANCE)
}

fn tuple(source: &str, destination: &str) -> Tuple {
    let end = |text: &str| text.parse::<SocketAddr>().unwrap();
    Tuple { protocol: TCP, source: end(source), destination: end(destination) }
}

/// The process id of an answer; 0 for nobody, `u32::MAX` for several.
fn pid(table: &Table, answer: Answer) -> u32 {
    match answer {
        Answer::Nobody => 0,
        Answer::Several => u32::MAX,
        Answer::Owner(id) => table.owners().get(id).id,
    }
}

/// Whose a packet of the flow is that is sent at this time.
fn sent(table: &Table, milliseconds: u64) -> u32 {
    pid(table, table.at(&tuple(LOCAL, REMOTE), at(milliseconds)).source)
}

const SEVERAL: u32 = u32::MAX;

#[test]
fn a_packet_within_a_flows_life_is_its_owners_either_way() {
    let table = table(&[open(1000, flow(1, 7)), close(2000, 1000, flow(1, 7))]);
    let out = table.at(&tuple(LOCAL, REMOTE), at(1500));
    let r#in = table.at(&tuple(REMOTE, LOCAL), at(1500));
    assert_eq!((pid(&table, out.source), out.destination), (7, Answer::Nobody));
    assert_eq!((r#in.source, pid(&table, r#in.destination)), (Answer::Nobody, 7));
}

#[test]
fn a_life_is_from_its_first_to_its_last_moment_and_a_tolerance_around() {
    let table = table(&[open(1000, flow(1, 7)), close(2000, 1000, flow(1, 7))]);
    for (time, owner) in [(899, 0), (900, 7), (1000, 7), (2000, 7), (2100, 7), (2101, 0)] {
        assert_eq!(sent(&table, time), owner, "at {time}");
    }
}

#[test]
fn each_part_of_a_tuple_tells() {
    let table = table(&[open(1000, flow(1, 7))]);
    let whole = tuple(LOCAL, REMOTE);
    for other in [
        Tuple { protocol: UDP, ..whole },
        tuple("10.0.0.5:50124", REMOTE),
        tuple("10.0.0.6:50123", REMOTE),
        tuple(LOCAL, "93.184.216.34:444"),
        tuple(LOCAL, "93.184.216.35:443"),
        tuple("10.0.0.5:443", "93.184.216.34:50123"),
    ] {
        let sides = table.at(&other, at(1000));
        assert_eq!((sides.source, sides.destination), (Answer::Nobody, Answer::Nobody), "{other:?}");
    }
}

#[test]
fn a_port_that_another_process_got_within_a_second_is_that_ones_from_then_on() {
    let table = table(&[
        open(1000, flow(1, 7)),
        close(1400, 400, flow(1, 7)),
        open(1900, flow(2, 8)),
        close(2500, 600, flow(2, 8)),
    ]);
    let owners = [1000, 1400, 1450, 1501, 1799, 1850, 1900, 2500].map(|time| sent(&table, time));
    assert_eq!(owners, [7, 7, 7, 0, 0, 8, 8, 8]);
}

#[test]
fn between_two_flows_that_both_might_have_sent_it_no_owner_is_claimed() {
    let table = table(&[open(1000, flow(1, 7)), close(1400, 400, flow(1, 7)), open(1450, flow(2, 8))]);
    let owners = [1340, 1400, 1420, 1450].map(|time| sent(&table, time));
    assert_eq!(owners, [7, 7, SEVERAL, 8]);
}

#[test]
fn two_flows_at_once_are_ambiguous_unless_they_are_one_process() {
    let table = table(&[open(1000, flow(1, 7)), open(1200, flow(2, 8)), close(1300, 100, flow(2, 8))]);
    assert_eq!([1100, 1250, 1400].map(|time| sent(&table, time)), [7, SEVERAL, 7]);
    let table = self::table(&[open(1000, flow(1, 7)), open(1200, flow(2, 7))]);
    assert_eq!(sent(&table, 1250), 7);
}

#[test]
fn a_process_that_got_the_id_of_another_is_another() {
    let mut second = flow(2, 7);
    second.process.start_key = 0x999;
    let table = table(&[open(1000, flow(1, 7)), open(1100, second)]);
    assert_eq!(sent(&table, 1200), SEVERAL);
}

#[test]
fn a_flow_that_did_not_end_lives_on() {
    let table = table(&[open(1000, flow(1, 7))]);
    assert_eq!(sent(&table, 1_000_000), 7);
}

#[test]
fn a_flow_whose_opening_was_missed_has_lived_as_long_as_its_end_says() {
    let table = table(&[close(5000, 3000, flow(1, 7))]);
    assert_eq!([1800, 1900, 2000, 5000].map(|time| sent(&table, time)), [0, 7, 7, 7]);
}

#[test]
fn a_flow_that_was_there_when_the_capture_began_has_lived_since_it_was_tagged() {
    let table = table(&[rundown(5000, 3000, flow(1, 7)), close(6000, 4000, flow(1, 7))]);
    assert_eq!([1800, 2000, 6000, 6200].map(|time| sent(&table, time)), [0, 7, 7, 0]);
}

#[test]
fn a_flow_that_is_told_twice_in_any_order_is_one() {
    for events in
        [[open(1000, flow(1, 7)), rundown(1001, 1, flow(1, 7))], [rundown(1001, 1, flow(1, 7)), open(1000, flow(1, 7))]]
    {
        let mut lives = heard(&events);
        lives.hear(&close(2000, 1000, flow(1, 7)));
        assert_eq!(lives.all().len(), 1);
        assert_eq!((lives.all()[0].opened, lives.all()[0].closed), (at(1000), at(2000)));
    }
}

#[test]
fn a_handle_that_another_flow_got_ends_the_first_one_whose_end_was_lost() {
    let other = Flow { local: "10.0.0.5:50999".parse().unwrap(), ..flow(1, 8) };
    let table = table(&[open(1000, flow(1, 7)), open(3000, other)]);
    assert_eq!([2900, 3100, 3200].map(|time| sent(&table, time)), [7, 7, 0]);
    assert_eq!(pid(&table, table.at(&tuple("10.0.0.5:50999", REMOTE), at(3500)).source), 8);
}

#[test]
fn a_flow_that_was_tagged_late_is_older_but_not_than_the_end_of_the_one_before() {
    let late = Flow { origin: Origin::Reauthorized, ..flow(1, 7) };
    assert_eq!(sent(&table(&[open(5000, late.clone())]), 0), 7);
    let table = table(&[open(1000, flow(2, 8)), close(2000, 1000, flow(2, 8)), open(5000, late)]);
    assert_eq!([500, 1500, 2000, 2050, 4000, 6000].map(|time| sent(&table, time)), [0, 8, 8, 7, 7, 7]);
}

#[test]
fn a_loopback_pair_is_two_flows_and_the_way_tells_which() {
    let client =
        Flow { local: "127.0.0.1:1000".parse().unwrap(), remote: "127.0.0.1:80".parse().unwrap(), ..flow(1, 7) };
    let server =
        Flow { local: "127.0.0.1:80".parse().unwrap(), remote: "127.0.0.1:1000".parse().unwrap(), ..flow(2, 8) };
    let table = table(&[open(1000, client), open(1000, server)]);
    let there = table.at(&tuple("127.0.0.1:1000", "127.0.0.1:80"), at(1100));
    assert_eq!((pid(&table, there.source), pid(&table, there.destination)), (7, 8));
    let back = table.at(&tuple("127.0.0.1:80", "127.0.0.1:1000"), at(1100));
    assert_eq!((pid(&table, back.source), pid(&table, back.destination)), (8, 7));
}

#[test]
fn a_reply_of_icmp_belongs_to_its_request_whoever_asked() {
    let [local, remote] = ["10.0.0.5", "10.0.0.9"].map(|text| text.parse().unwrap());
    for (protocol, request, reply) in [(ICMP, 8, 0), (ICMP, 13, 14), (ICMP, 15, 16), (ICMP, 17, 18), (ICMPV6, 128, 129)]
    {
        let echo =
            Flow { protocol, local: SocketAddr::new(local, request), remote: SocketAddr::new(remote, 0), ..flow(1, 7) };
        let table = table(&[open(1000, echo)]);
        let kind = u8::try_from(request).unwrap();
        let out = table.at(&Tuple::icmp(protocol, local, remote, kind, 0), at(1000));
        let back = table.at(&Tuple::icmp(protocol, remote, local, reply, 0), at(1000));
        let other = table.at(&Tuple::icmp(protocol, local, remote, kind, 1), at(1000));
        assert_eq!((pid(&table, out.source), pid(&table, back.destination)), (7, 7), "{protocol} {request}");
        assert_eq!(other.source, Answer::Nobody);
    }
}

#[test]
fn the_scope_of_an_address_is_no_part_of_a_packet() {
    let scoped =
        Flow { local: "[fe80::2%7]:1".parse().unwrap(), remote: "[fe80::3%7]:2".parse().unwrap(), ..flow(1, 7) };
    let table = table(&[open(1000, scoped)]);
    assert_eq!(pid(&table, table.at(&tuple("[fe80::2]:1", "[fe80::3]:2"), at(1000)).source), 7);
}

#[test]
fn a_flow_of_which_not_enough_was_told_is_counted_and_has_no_packets() {
    let mut lives = Lives::default();
    for untold in [
        Flow { protocol: 0, ..flow(1, 7) },
        Flow { local: "0.0.0.0:1".parse().unwrap(), ..flow(2, 7) },
        Flow { remote: "[::]:1".parse().unwrap(), ..flow(3, 7) },
    ] {
        lives.hear(&open(1000, untold));
    }
    assert_eq!((lives.untold(), lives.all().len()), (3, 0));
}

#[test]
fn without_times_a_tuple_is_its_owners_as_long_as_there_is_one_only() {
    let untimed = |event| Told { time: None, event };
    let first = [untimed(Event::FlowOpen(flow(1, 7))), untimed(Event::FlowClose(flow(1, 7), traffic(5), Why::Ended))];
    let table = self::table(&first);
    assert_eq!([0, 1_000_000].map(|time| sent(&table, time)), [7, 7]);
    let second = untimed(Event::FlowOpen(flow(2, 8)));
    let table = self::table(&[first.as_slice(), &[second]].concat());
    assert_eq!(sent(&table, 0), SEVERAL);
}

#[test]
fn events_about_packets_and_the_driver_are_not_flows() {
    let table = table(&[Told { time: Some(at(0)), event: Event::Stopping { live_flows: 3 } }]);
    assert!(table.is_empty());
}

#[test]
fn a_socket_that_talks_to_itself_has_one_owner() {
    let own = Flow { remote: LOCAL.parse().unwrap(), ..flow(1, 7) };
    let table = table(&[open(1000, own)]);
    let sides = table.at(&tuple(LOCAL, LOCAL), at(1000));
    assert_eq!(pid(&table, sides.source), 7);
}
