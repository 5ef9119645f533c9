use super::super::trace::Counted;
use super::*;

fn report() -> Report {
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
    }
}

fn tagged() -> Tagged {
    Tagged {
        pid: 42,
        direction: Direction::Outbound,
        protocol: Some(Protocol::Tcp),
        ends: Some(("127.0.0.1:5000".parse().unwrap(), "127.0.0.1:80".parse().unwrap())),
        path: "-".into(),
        counted: Some(Counted { packets: (1, 1), bytes: (10, 20) }),
    }
}

/// The driver ran from second 1 to second 4.
fn judge(reports: &[Report], tagged: &[Tagged]) -> Verdict {
    judge_with(reports, tagged, 0, Remains::default())
}

fn judge_with(reports: &[Report], tagged: &[Tagged], events_lost: u64, remains: Remains) -> Verdict {
    let driver_sha256 = String::new();
    Verdict::new(&Evidence {
        mode: Mode::Live,
        driver_sha256,
        reports,
        tagged,
        started: 1.0,
        stopped: 4.0,
        events_lost,
        remains,
    })
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
        let counted = Some(Counted { packets: (1, 1), bytes });
        let verdict = judge(&[report()], &[Tagged { counted, ..tagged() }]);

        assert_eq!(verdict.bytes_right, 0);
        assert!(verdict.complaints()[0].contains("other bytes"));
    }
}

#[test]
fn a_flow_the_driver_never_closed_has_no_right_bytes() {
    let verdict = judge(&[report()], &[Tagged { counted: None, ..tagged() }]);

    assert_eq!(verdict.bytes_right, 0);
}

#[test]
fn the_bytes_of_a_flow_older_than_the_driver_are_not_judged() {
    let old = Report { opened: Some(0.5), ..report() };
    let verdict = judge(&[old], &[Tagged { counted: Some(Counted::default()), ..tagged() }]);

    assert_eq!((verdict.older_than_driver, verdict.bytes_right), (1, 0));
    assert_eq!(verdict.complaints(), [""; 0]);
}

#[test]
fn the_first_datagram_of_an_accepted_udp_flow_is_allowed_for_and_must_be_missing() {
    let accepted = Report { protocol: Protocol::Udp, role: Direction::Inbound, first: 5, ..report() };
    let traced = |bytes| Tagged {
        protocol: Some(Protocol::Udp),
        direction: Direction::Inbound,
        counted: Some(Counted { packets: (1, 1), bytes }),
        ..tagged()
    };

    assert_eq!(judge(std::slice::from_ref(&accepted), &[traced((10, 15))]).bytes_right, 1);
    assert_eq!(judge(&[accepted], &[traced((10, 20))]).bytes_right, 0);
}

#[test]
fn a_first_message_is_allowed_for_in_no_other_flow() {
    let tcp = Report { role: Direction::Inbound, first: 5, ..report() };
    let counted = Some(Counted { packets: (1, 1), bytes: (10, 15) });
    let verdict = judge(&[tcp], &[Tagged { direction: Direction::Inbound, counted, ..tagged() }]);

    assert_eq!(verdict.bytes_right, 0);
}

#[test]
fn two_flows_with_the_same_addresses_are_told_apart_by_what_they_did() {
    let second = Report { sent: 1, received: 2, ..report() };
    let counted = Some(Counted { packets: (1, 1), bytes: (1, 2) });
    let verdict = judge(&[second, report()], &[tagged(), Tagged { counted, ..tagged() }]);

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
fn the_json_line_has_exactly_the_agreed_keys() {
    let json = serde_json::to_value(judge(&[], &[])).unwrap();

    let keys: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let agreed = "mode driver_sha256 flows tagged right_pid wrong_pid untagged bytes_right programs tcp udp v4 v6 outbound inbound \
                  older_than_driver open_at_stop events_lost contexts_left pool_blocks_left bug_checks";
    assert_eq!(keys, agreed.split_whitespace().collect());
}
