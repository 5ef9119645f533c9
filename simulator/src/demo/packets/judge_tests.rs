use super::*;
use crate::demo::{
    packets::{Annotated, read},
    process::TICK,
};

/// When the monotonic clock was zero, in units of 100 ns since 1970.
const BEGAN: u64 = 17_000_000_000_000_000;
const CREATED: u64 = 5 * TICK;
const WAY: (&str, &str) = ("127.0.0.1:5000", "127.0.0.1:80");

/// A connection that process 42 had in the seconds 2 and 3.
fn report() -> Report {
    Report { created: Some(CREATED), ..crate::demo::verdict::tests::report() }
}

fn process(pid: u32) -> Process {
    Process { pid, parent: 7, created: CREATED, program: "peer".into(), launched: 1.0, ended: None }
}

#[expect(clippy::unnecessary_wraps, reason = "a packet has one or none")]
fn owner(pid: u32) -> Option<Owner> {
    let process = read::Process { pid, parent: Some(7), created: Some(CREATED + 1) };
    Some(Owner { pid, process: Some(process) })
}

/// A packet at this time in milliseconds on the monotonic clock.
fn packet(milliseconds: u64, (source, destination): (&str, &str), owner: Option<Owner>) -> Packet {
    let ends = (Protocol::Tcp, source.parse().unwrap(), destination.parse().unwrap());
    Packet { at: BEGAN + milliseconds * 10_000, ends: Some(ends), owner }
}

/// The driver ran from second 1 to second 4.
fn judged(reports: &[Report], packets: Vec<Packet>) -> Counts {
    let processes = [process(42), process(43)];
    let annotated = Annotated { file: "out.pcapng".into(), packets, ambiguous: 0, dropped: 0, monotonic_began: BEGAN };
    let truth = Truth { reports, processes: &processes, started: 1.0, stopped: 4.0 };
    match judge(&Ok(annotated), &truth) {
        Frames::Judged(counts) => counts,
        Frames::None { no_frames } => panic!("{no_frames}"),
    }
}

fn one(owner: Option<Owner>) -> Counts {
    judged(&[report()], vec![packet(2_500, WAY, owner)])
}

#[test]
fn a_packet_with_the_process_that_sent_it_is_right() {
    let counts = one(owner(42));

    assert_eq!((counts.frames, counts.frames_joined, counts.frames_right, counts.frames_wrong), (1, 1, 1, 0));
    assert_eq!(counts.complaints(), [""; 0]);
}

#[test]
fn another_process_is_wrong() {
    let counts = one(owner(43));

    assert_eq!((counts.frames_joined, counts.frames_right, counts.frames_wrong), (1, 0, 1));
    assert!(counts.complaints()[0].contains("another process"), "{:?}", counts.complaints());
    assert!(counts.details[0].contains("given to process 43"), "{:?}", counts.details);
}

#[test]
fn the_receiver_is_another_process() {
    let server =
        Report { pid: 43, role: Direction::Inbound, local: report().remote, remote: report().local, ..report() };
    let reports = [report(), server];

    let counts = judged(&reports, vec![packet(2_500, (WAY.1, WAY.0), owner(43)), packet(2_501, WAY, owner(43))]);

    assert_eq!((counts.frames_right, counts.frames_accepted, counts.frames_wrong), (1, 1, 1));
}

#[test]
fn a_process_that_nothing_tells_of_is_wrong() {
    assert_eq!(one(Some(Owner { pid: 42, process: None })).frames_wrong, 1);
}

#[test]
fn the_start_and_the_parent_of_another_process_with_the_id_are_wrong() {
    let told = |created, parent| Some(Owner { pid: 42, process: Some(read::Process { pid: 42, parent, created }) });

    assert_eq!(one(told(Some(CREATED + TICK), Some(7))).frames_wrong, 1);
    assert_eq!(one(told(Some(CREATED), Some(8))).frames_wrong, 1);
    assert_eq!(one(told(None, None)).frames_right, 1, "nobody may know");
}

#[test]
fn an_owner_of_a_packet_that_no_program_has_sent_is_wrong() {
    let elsewhere = ("127.0.0.1:5001", "127.0.0.1:80");

    let counts = judged(&[report()], vec![packet(2_500, elsewhere, owner(42)), packet(2_500, elsewhere, None)]);

    assert_eq!((counts.frames, counts.frames_without_report, counts.frames_wrong), (0, 2, 1));
}

#[test]
fn of_two_processes_with_one_port_the_time_tells_who_has_sent() {
    let second = Report { pid: 43, opened: Some(3.1), closed: Some(3.2), ..report() };
    // Whoever ends first may report last.
    let reports = [second, report()];
    let packets =
        |first, late, then| vec![packet(2_500, WAY, first), packet(3_099, WAY, late), packet(3_100, WAY, then)];

    let counts = judged(&reports, packets(owner(42), owner(42), owner(43)));
    assert_eq!((counts.frames_right, counts.frames_wrong, counts.ports_reused), (3, 0, 1));

    let counts = judged(&reports, packets(owner(42), None, owner(43)));
    assert_eq!((counts.frames_right, counts.ports_reused), (2, 1), "one without an owner is not wrong");

    let counts = judged(&reports, packets(owner(42), owner(43), owner(43)));
    assert_eq!((counts.frames_right, counts.frames_wrong, counts.ports_reused), (2, 1, 0));
}

#[test]
fn a_port_used_by_the_same_process_or_later_is_not_used_again_at_once() {
    let packets = || vec![packet(2_500, WAY, owner(42)), packet(3_500, WAY, owner(42))];
    let same = Report { opened: Some(3.1), ..report() };
    assert_eq!(judged(&[report(), same], packets()).ports_reused, 0);

    let later = Report { pid: 43, opened: Some(4.01), ..report() };
    let packets = vec![packet(2_500, WAY, owner(42)), packet(4_500, WAY, owner(43))];
    assert_eq!(judged(&[report(), later], packets).ports_reused, 0);
}

#[test]
fn the_packet_before_an_acceptor_heard_of_its_connection_is_its_own() {
    let counts = judged(&[report()], vec![packet(1_999, WAY, owner(42))]);

    assert_eq!(counts.frames_right, 1);
}

#[test]
fn a_connection_is_short_by_its_first_and_last_packet() {
    let lived = |milliseconds: u64| {
        judged(&[report()], vec![packet(2_500, WAY, owner(42)), packet(2_500 + milliseconds, WAY, owner(42))])
    };

    assert_eq!((lived(4).short_connections, lived(6).short_connections), (1, 0));
    assert_eq!(one(None).short_connections, 0, "all of its packets have to be right");
}

#[test]
fn what_was_captured_when_the_driver_was_stopped_needs_no_owner_and_must_not_have_a_wrong_one() {
    let counts = judged(&[report()], vec![packet(4_000, WAY, None), packet(4_001, WAY, owner(43))]);

    assert_eq!((counts.frames, counts.frames_after_stop, counts.frames_wrong), (0, 2, 1));
}

#[test]
fn of_a_hundred_packets_one_may_have_no_owner() {
    let with = |lacking: u64| {
        let owned = |number: u64| if number < lacking { None } else { owner(42) };
        judged(&[report()], (0..100).map(|number| packet(2_500, WAY, owned(number))).collect())
    };

    assert_eq!((with(1).frames_joined, with(1).complaints()), (99, vec![]));
    assert_eq!(with(2).complaints(), ["only 98 of 100 packets have an owner"]);
}

#[test]
fn packets_of_a_flow_older_than_the_driver_are_counted() {
    let old = Report { opened: Some(0.5), ..report() };

    assert_eq!(judged(&[old], vec![packet(700, WAY, owner(42))]).frames_older, 1);
    assert_eq!(one(owner(42)).frames_older, 0);
}

#[test]
fn a_dropped_packet_is_a_complaint() {
    let counts = Counts { frames_dropped: 1, ..Counts::default() };

    assert!(counts.complaints()[0].contains("dropped by the kernel"), "{:?}", counts.complaints());
}

#[test]
fn too_few_packets_fall_short() {
    assert!(one(owner(42)).shortages().contains(&"only 1 packets, and 300 are wanted".to_owned()));
}

#[test]
fn without_packets_the_json_has_the_reason_and_no_counts() {
    let truth = Truth { reports: &[], processes: &[], started: 1.0, stopped: 4.0 };

    let json = serde_json::to_string(&judge(&Err("tcpdump is gone".into()), &truth)).unwrap();

    assert_eq!(json, r#"{"no_frames":"tcpdump is gone"}"#);
}
