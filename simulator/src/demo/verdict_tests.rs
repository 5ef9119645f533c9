use super::super::{
    events::{tests::about, to_the_millisecond},
    keys::StartKey,
    packets::judge::Counts,
    process::{Process, TICK},
    sessions::Late,
    trace::{Counted, Owner},
};
use super::*;
use crate::{etw::Event, traffic::event::Flow};

/// A flow of process 42 in the seconds 2 and 3.
pub fn report() -> Report {
    Report {
        pid: 42,
        program: "peer".into(),
        protocol: Protocol::Tcp,
        role: Direction::Outbound,
        local: "127.0.0.1:5000".parse().unwrap(),
        remote: "127.0.0.1:80".parse().unwrap(),
        sent: 10,
        received: 20,
        first: 0,
        opened: Some(2.0),
        closed: Some(3.0),
        created: None,
    }
}

/// It, as a driver that does not know which process 42 it is has traced it.
pub fn tagged() -> Tagged {
    Tagged {
        flow: 1,
        pid: 42,
        direction: Direction::Outbound,
        protocol: Some(Protocol::Tcp),
        ends: Some(("127.0.0.1:5000".parse().unwrap(), "127.0.0.1:80".parse().unwrap())),
        again: false,
        owner: Owner::default(),
        service: None,
        path: "-".into(),
        counted: Some(counted((10, 20))),
    }
}

fn counted(bytes: (u64, u64)) -> Counted {
    Counted { packets: (1, 1), bytes, milliseconds: 7, why: "deleted".into() }
}

/// The driver ran from second 1 to second 4.
fn judge(reports: &[Report], tagged: &[Tagged]) -> Verdict {
    judge_with(reports, tagged, 0, Remains::default())
}

fn judge_with(reports: &[Report], tagged: &[Tagged], events_lost: u64, remains: Remains) -> Verdict {
    let sessions = Sessions { first: events_of(tagged), ..Sessions::default() };
    Verdict::new(&Evidence { events_lost, remains, ..evidence(reports, tagged, &sessions) })
}

fn evidence<'a>(reports: &'a [Report], tagged: &'a [Tagged], sessions: &'a Sessions) -> Evidence<'a> {
    Evidence {
        mode: Mode::Live,
        driver_sha256: String::new(),
        reports,
        tagged,
        keys: Keys { processes: &[], known: &[], started: 1.0 },
        sessions,
        frames: Frames::None { no_frames: "nobody captures".into() },
        started: 1.0,
        stopped: 4.0,
        events_lost: 0,
        remains: Remains::default(),
    }
}

/// The events of a driver that has traced this.
fn events_of(tagged: &[Tagged]) -> Vec<Event> {
    tagged.iter().flat_map(|flow| ["FlowOpen", "FlowClose"].map(|name| about(name, flow, 0))).collect()
}

#[test]
fn a_flow_tagged_and_counted_as_reported_is_right() {
    let verdict = judge(&[report()], &[tagged()]);

    assert_eq!((verdict.flows, verdict.tagged, verdict.right_pid, verdict.bytes_right), (1, 1, 1, 1));
    assert_eq!(verdict.complaints(), [""; 0]);
}

#[test]
fn a_flow_the_driver_did_not_trace_is_untagged() {
    let verdict = judge(&[report()], &[]);

    assert_eq!((verdict.tagged, verdict.untagged), (0, 1));
    assert!(verdict.complaints()[0].contains("not tagged"));
    assert!(verdict.details[0].contains("127.0.0.1:5000 -> 127.0.0.1:80"), "{:?}", verdict.details);
}

#[test]
fn another_process_is_wrong() {
    let verdict = judge(&[report()], &[Tagged { pid: 43, ..tagged() }]);

    assert_eq!((verdict.tagged, verdict.right_pid, verdict.wrong_pid), (1, 0, 1));
    assert!(verdict.complaints()[0].contains("another process"));
}

#[test]
fn the_other_end_of_a_loopback_connection_is_another_flow() {
    let (local, remote) = tagged().ends.unwrap();
    let verdict =
        judge(&[report()], &[Tagged { direction: Direction::Inbound, ends: Some((remote, local)), ..tagged() }]);

    assert_eq!((verdict.untagged, verdict.unreported), (1, 1));
}

#[test]
fn one_byte_more_either_way_is_wrong() {
    for bytes in [(11, 20), (10, 21)] {
        let verdict = judge(&[report()], &[Tagged { counted: Some(counted(bytes)), ..tagged() }]);

        assert_eq!(verdict.bytes_right, 0);
        assert!(verdict.complaints()[0].contains("other bytes"));
    }
}

#[test]
fn a_flow_the_driver_never_closed_has_no_right_bytes() {
    let flows = [Tagged { counted: None, ..tagged() }];
    let verdict = Verdict::new(&evidence(&[report()], &flows, &Sessions::default()));

    assert_eq!(verdict.bytes_right, 0);
}

#[test]
fn the_bytes_of_a_flow_older_than_the_driver_are_not_judged() {
    let old = Report { opened: Some(0.5), ..report() };
    let verdict = judge(&[old], &[Tagged { counted: Some(counted((0, 0))), ..tagged() }]);

    assert_eq!((verdict.older_than_driver, verdict.bytes_right), (1, 0));
    assert_eq!(verdict.complaints(), [""; 0]);
}

#[test]
fn the_first_datagram_of_an_accepted_udp_flow_is_allowed_for_and_must_be_missing() {
    let accepted = Report { protocol: Protocol::Udp, role: Direction::Inbound, first: 5, ..report() };
    let traced = |bytes| Tagged {
        protocol: Some(Protocol::Udp),
        direction: Direction::Inbound,
        counted: Some(counted(bytes)),
        ..tagged()
    };

    assert_eq!(judge(std::slice::from_ref(&accepted), &[traced((10, 15))]).bytes_right, 1);
    assert_eq!(judge(&[accepted], &[traced((10, 20))]).bytes_right, 0);
}

#[test]
fn a_first_message_is_allowed_for_in_no_other_flow() {
    let tcp = Report { role: Direction::Inbound, first: 5, ..report() };
    let verdict =
        judge(&[tcp], &[Tagged { direction: Direction::Inbound, counted: Some(counted((10, 15))), ..tagged() }]);

    assert_eq!(verdict.bytes_right, 0);
}

#[test]
fn two_flows_with_the_same_addresses_are_told_apart_by_what_they_did() {
    let second = Report { sent: 1, received: 2, ..report() };
    let verdict = judge(&[second, report()], &[tagged(), Tagged { counted: Some(counted((1, 2))), ..tagged() }]);

    assert_eq!((verdict.tagged, verdict.bytes_right), (2, 2));
}

#[test]
fn one_trace_does_not_serve_two_flows() {
    let verdict = judge(&[report(), report()], &[tagged()]);

    assert_eq!((verdict.tagged, verdict.untagged), (1, 1));
}

#[test]
fn a_flow_no_program_had_is_a_complaint() {
    let verdict = judge(&[report()], &[tagged(), tagged()]);

    assert_eq!(verdict.unreported, 1);
    assert!(verdict.complaints()[0].contains("no program had"));
}

#[test]
fn without_reports_the_flows_are_not_judged() {
    assert_eq!(judge(&[], &[tagged()]).complaints(), [""; 0]);
}

#[test]
fn each_thing_left_or_lost_is_a_complaint() {
    let none = Remains::default();
    let cases = [
        (1, none, "lost"),
        (0, Remains { contexts: 1, ..none }, "contexts"),
        (0, Remains { pool_blocks: 1, ..none }, "pool blocks"),
        (0, Remains { bug_checks: 1, ..none }, "bug checks"),
    ];
    for (lost, remains, word) in cases {
        let complaints = judge_with(&[], &[], lost, remains).complaints();

        assert!(complaints.len() == 1 && complaints[0].contains(word), "{complaints:?}");
    }
}

/// A process 42 that began in tick `number`, was launched in this second, and its start key.
fn process(number: u64, launched: f64) -> (Process, StartKey) {
    let created = number * TICK;
    let process = Process { pid: 42, parent: 7, created, program: "peer".into(), launched, ended: None };
    (process, StartKey { pid: 42, created, key: number })
}

/// The flow of such a process, as its program has seen it, and as a driver that names it has.
fn flow_of(port: u16, number: u64, opened: f64) -> (Report, Tagged) {
    let local = SocketAddr::from(([127, 0, 0, 1], port));
    let report = Report { local, created: Some(number * TICK), opened: Some(opened), ..report() };
    let start = Some(to_the_millisecond(number * TICK));
    let owner = Owner { key: Some(number), start, parent: Some(7) };
    let ends = Some((local, report.remote));
    (report, Tagged { flow: port.into(), ends, owner, ..tagged() })
}

#[test]
fn each_flow_has_a_right_key_or_one_that_nobody_can_know() {
    // The first exits before the driver is started, the second is followed by another one of its program, in second 3.
    let [(mut first, first_key), (second, second_key), (third, third_key)] =
        [(5, 0.1), (6, 1.1), (7, 3.0)].map(|(number, launched)| process(number, launched));
    first.ended = Some(0.9);
    let flows = [flow_of(1, 5, 0.2), flow_of(2, 6, 2.0), flow_of(3, 6, 3.5), flow_of(4, 7, 3.5), flow_of(5, 6, 2.0)];
    let (reports, mut tagged): (Vec<Report>, Vec<Tagged>) = flows.into_iter().unzip();
    for index in [0, 2, 3, 4] {
        tagged[index].owner = Owner::default();
    }
    let (processes, known) = ([first, second, third], [first_key, second_key, third_key]);
    let sessions = Sessions::default();

    let keys = Keys { processes: &processes, known: &known, started: 1.0 };
    let verdict = Verdict::new(&Evidence { keys, ..evidence(&reports, &tagged, &sessions) });

    let keys = (verdict.keys_right, verdict.keys_ambiguous, verdict.keys_unknown, verdict.keys_wrong);
    assert_eq!((keys, verdict.reused_pids), ((1, 2, 1, 1), 1));
    assert!(verdict.complaints()[0].contains("1 flows were tagged with another key"), "{:?}", verdict.complaints());
}

#[test]
fn each_thing_wrong_with_events_is_a_complaint() {
    let flow = Tagged { counted: None, ..tagged() };
    let open = about("FlowOpen", &flow, 0);
    let (local, remote) = tagged().ends.unwrap();
    let live = Flow { id: 1, pid: Some(42), path: None, direction: Direction::Outbound, protocol: 6, local, remote };
    let late = Some(Late { events: Vec::new(), live: vec![live] });
    let cases = [
        (Sessions { lost: 1, ..Sessions::default() }, vec![], "events were lost"),
        (Sessions { first: vec![open.clone()], ..Sessions::default() }, vec![flow], "no FlowClose"),
        (Sessions { late, ..Sessions::default() }, vec![], "came later"),
        (Sessions { first: events_of(&[tagged()]), ..Sessions::default() }, vec![], "than by lines"),
    ];
    for (sessions, lines, words) in cases {
        let complaints = Verdict::new(&evidence(&[], &lines, &sessions)).complaints();

        assert!(complaints.len() == 1 && complaints[0].contains(words), "{complaints:?}");
    }
}

#[test]
fn all_that_somebody_heard_is_counted() {
    assert_eq!(judge(&[report()], &[tagged()]).etw_events, 2);
}

#[test]
fn a_flow_closed_after_the_stop_was_open_at_it() {
    let open = Report { closed: Some(4.5), ..report() };

    assert_eq!(judge(&[open, report()], &[]).open_at_stop, 1);
}

#[test]
fn traffic_of_too_few_kinds_falls_short() {
    let shortages = judge(&[report()], &[tagged()]).shortages();

    assert!(shortages.iter().any(|shortage| shortage == "only 0 flows over IPv6, and 5 are wanted"), "{shortages:?}");
}

#[test]
fn processes_that_share_no_id_fall_short_where_there_are_processes() {
    let (process, key) = process(5, 1.5);
    let sessions = Sessions::default();
    let short = |processes: &[Process]| {
        let keys = Keys { processes, known: &[key], started: 1.0 };
        let verdict = Verdict::new(&Evidence { keys, ..evidence(&[], &[], &sessions) });
        verdict.shortages().iter().any(|shortage| shortage.starts_with("only 0 process ids used again"))
    };

    assert!(short(&[process]) && !short(&[]));
}

#[test]
fn the_json_line_has_exactly_the_agreed_keys() {
    let json = serde_json::to_value(judge(&[], &[])).unwrap();

    let keys: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let agreed = "mode driver_sha256 flows tagged right_pid wrong_pid keys_right keys_wrong keys_ambiguous keys_unknown reused_pids untagged bytes_right programs tcp udp v4 v6 outbound inbound \
                  older_than_driver open_at_stop events_lost etw_events etw_lost contexts_left pool_blocks_left bug_checks";
    assert_eq!(keys, format!("{agreed} no_frames").split_whitespace().collect());
    let with_packets = with(Counts::default());
    let json = serde_json::to_value(with_packets).unwrap();
    let keys: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let of_packets = "frames frames_joined frames_right frames_wrong frames_ambiguous frames_accepted frames_older frames_after_stop \
                      frames_without_report frames_dropped short_connections ports_reused";
    assert_eq!(keys, format!("{agreed} {of_packets}").split_whitespace().collect());
}

/// The verdict on a right flow whose packets are counted so.
fn with(counts: Counts) -> Verdict {
    let (reports, flows) = ([report()], [tagged()]);
    let sessions = Sessions { first: events_of(&flows), ..Sessions::default() };
    Verdict::new(&Evidence { frames: Frames::Judged(counts), ..evidence(&reports, &flows, &sessions) })
}

#[test]
fn a_packet_with_a_wrong_owner_is_a_complaint_and_is_told_of() {
    let verdict = with(Counts { frames_wrong: 1, details: vec!["given to process 43".into()], ..Counts::default() });

    assert_eq!(verdict.complaints(), ["1 packets were given to another process than their sender"]);
    assert_eq!(verdict.details, ["given to process 43"]);
}

#[test]
fn packets_fall_short_only_where_there_was_a_capture() {
    let short = |verdict: &Verdict| verdict.shortages().iter().any(|shortage| shortage.starts_with("only 0 packets"));

    assert!(short(&with(Counts::default())) && !short(&judge(&[report()], &[tagged()])));
}
