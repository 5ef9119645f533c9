//! A run in which all is as it should be passes every claim; and with one thing wrong fails exactly the claim about that.

use std::net::SocketAddr;

use super::{CLAIMS, Word, judge};
use crate::{
    event::{Direction, Event, Flow, Loaded, Origin, Packet, Process as Owner, Told, Totals, Traffic, Why},
    flows::{ICMP, TCP, UDP},
    selftest::{
        evidence::{Evidence, Kind, Late, Life, Process, Settings, Step, TrueFlow, WithoutBfe},
        machine::{Answer, RUNNING, STOPPED},
        report::{Hello, Talk},
    },
    time::Time,
};

const SECOND: u64 = 10_000_000;
const STARTED: Time = Time(100 * SECOND);
const STOPPED_AT: Time = Time(200 * SECOND);
const ENDED: Time = Time(201 * SECOND);
const TOOL: u32 = 7;

fn at(second: u64) -> Time {
    Time(second * SECOND)
}

fn end(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn process(pid: u32, program: &str, launched: u64) -> Process {
    let hello = Hello { pid, parent: Some(TOOL), program: program.to_owned(), now: at(launched + 1) };
    Process { hello, parent: TOOL, launched: at(launched) }
}

/// One end of an exchange of 100 bytes out and 200 in.
fn flow(process: usize, protocol: u8, inbound: bool, ports: [u16; 2], times: [u64; 2]) -> TrueFlow {
    let first = if protocol == UDP && inbound { 30 } else { 0 };
    let [local, remote] = ports.map(end);
    let [opened, closed] = times.map(at);
    TrueFlow {
        process,
        talk: Talk { protocol, inbound, local, remote, sent: 100, received: 200, first, opened, closed },
    }
}

fn told(second: u64, event: Event) -> Told {
    Told { time: Some(at(second)), event }
}

/// The events about a flow, from its beginning to its end.
fn events(life: &Life, flow: &TrueFlow, handle: u64) -> Vec<Told> {
    let (talk, owner) = (&flow.talk, life.owner(flow));
    let is_named = !life.is_ambiguous(owner);
    let older = talk.opened < life.started;
    let path = format!(r"\device\harddiskvolume3{}", owner.hello.program.replace('/', r"\"));
    let process = Owner {
        id: owner.hello.pid,
        start_key: if is_named { 1_000 + flow.process as u64 } else { 0 },
        created: if is_named { owner.launched.later(SECOND / 2) } else { Time::FIRST },
        parent: if is_named { TOOL } else { 0 },
        path,
    };
    let (id, start_key) = (process.id, process.start_key);
    let of = Flow {
        handle,
        process,
        service_tag: 0,
        package_sid: "S-1-0-0".to_owned(),
        direction: if talk.inbound { Direction::In } else { Direction::Out },
        protocol: talk.protocol,
        local: talk.local,
        remote: talk.remote,
        interface: 1,
        compartment: 1,
        origin: if older { Origin::Reauthorized } else { Origin::New },
    };
    let packet = |direction| Event::FirstPacket(Packet { handle, process_id: id, start_key, direction, bytes: 1 });
    let traffic = Traffic {
        out_packets: 2,
        in_packets: 2,
        out_bytes: talk.sent,
        in_bytes: talk.received - talk.first,
        duration: SECOND,
    };
    let opened = talk.opened.max(life.started).0 / SECOND;
    let (closed, why) = if talk.closed > life.ended {
        (life.stopped.0 / SECOND, Why::Unload)
    } else {
        (talk.closed.0 / SECOND, Why::Ended)
    };
    vec![
        told(opened, Event::FlowOpen(of.clone())),
        told(opened, packet(Direction::Out)),
        told(opened, packet(Direction::In)),
        told(closed, Event::FlowClose(of, traffic, why)),
    ]
}

/// With all events that a life has to have.
fn complete(mut life: Life) -> Life {
    (life.stopped, life.ended) = (STOPPED_AT, ENDED);
    let Settings { trace_level, max_flows } = life.settings;
    let (trace_level, max_flows) = (trace_level.unwrap_or(2), max_flows.unwrap_or(65_536));
    life.told = vec![told(100, Event::Loaded(Loaded { version: "1".to_owned(), trace_level, max_flows }))];
    let in_vain =
        |flow: &TrueFlow| life.without_bfe.is_some_and(|times| (times.stopped..times.back).contains(&flow.talk.opened));
    let tagged: Vec<_> = life.flows.iter().chain(&life.echoes).filter(|flow| !in_vain(flow)).collect();
    // Of two with room for one the first has to go.
    let limited = life.kind == Kind::Limit;
    for (flow, index) in tagged.iter().zip(0..) {
        // The first two have the same handle one after the other.
        let handle = if limited { index } else { index.max(1) };
        let mut events = events(&life, flow, handle);
        if limited && index == 0 {
            let Event::FlowClose(_, _, why) = &mut events[3].event else { panic!("the last is FlowClose") };
            *why = Why::Evicted;
        }
        life.told.extend(events);
    }
    let opened = tagged.len() as u64;
    let totals = Totals { opened, closed: opened, evicted: u64::from(limited), ..Totals::default() };
    life.told.push(told(200, Event::Stopping { live_flows: 2 }));
    life.told.push(told(201, Event::Totals(totals)));
    life
}

/// A run in which all is as it should be.
pub fn right() -> Evidence {
    let (own, other) = ("/bin/flowtag", "/bin/again");
    let traffic = complete(Life {
        started: STARTED,
        processes: vec![
            process(10, own, 50),
            process(11, own, 60),
            process(12, own, 110),
            process(13, own, 120),
            process(12, other, 130),
            process(13, own, 140),
        ],
        flows: vec![
            // Passing, so that its handle is free again.
            flow(2, TCP, false, [1, 2], [115, 116]),
            flow(0, TCP, true, [2, 1], [117, 118]),
            flow(0, TCP, true, [4, 3], [90, 210]),
            flow(1, TCP, false, [3, 4], [90, 210]),
            flow(0, UDP, true, [6, 5], [125, 210]),
            flow(3, UDP, false, [5, 6], [125, 126]),
            flow(4, TCP, false, [7, 8], [135, 136]),
            flow(0, TCP, true, [8, 7], [135, 136]),
            flow(5, TCP, false, [9, 10], [145, 146]),
            flow(0, TCP, true, [10, 9], [145, 146]),
        ],
        echoes: vec![flow(2, ICMP, false, [8, 0], [115, 116])],
        ..Life::default()
    });
    let settings = Settings { trace_level: Some(1), max_flows: Some(1) };
    let many = [flow(0, TCP, false, [1, 2], [110, 120]), flow(0, TCP, false, [3, 4], [130, 140])];
    let limit = complete(Life {
        kind: Kind::Limit,
        settings,
        started: STARTED,
        processes: vec![process(20, own, 105)],
        flows: many.to_vec(),
        ..Life::default()
    });
    let bfe = complete(Life {
        kind: Kind::Bfe,
        started: STARTED,
        without_bfe: Some(WithoutBfe { stopped: at(110), back: at(120) }),
        processes: vec![process(30, own, 105)],
        flows: vec![
            flow(0, TCP, false, [1, 2], [115, 116]),
            flow(0, TCP, false, [3, 4], [125, 126]),
            flow(0, TCP, false, [5, 6], [106, 210]),
        ],
        ..Life::default()
    });
    let late = Late { at: at(150), told: traffic.told.clone() };
    let answer = |error, state| Answer { error, state, said: None };
    let asked = vec![
        (Step::Start, answer(0, RUNNING)),
        (Step::StartTwice, answer(1056, RUNNING)),
        (Step::Stop, answer(0, STOPPED)),
        (Step::StopTwice, answer(1062, STOPPED)),
        (Step::StartAgain, answer(0, RUNNING)),
        (Step::BfeStop, answer(0, STOPPED)),
        (Step::BfeStart, answer(0, RUNNING)),
        (Step::AfterBfe, answer(0, RUNNING)),
    ];
    Evidence { asked, lives: vec![traffic, limit, bfe], late: Some(late), ..Evidence::default() }
}

fn with(word: Word, evidence: &Evidence) -> Vec<&'static str> {
    judge(evidence).into_iter().filter(|(_, finding)| finding.word == word).map(|(claim, _)| claim.id).collect()
}

/// What the evidence says with this wrong in it.
fn but(break_it: impl FnOnce(&mut Evidence)) -> Evidence {
    let mut evidence = right();
    break_it(&mut evidence);
    evidence
}

#[track_caller]
fn assert_fails_only(claim: &str, break_it: impl FnOnce(&mut Evidence)) {
    let evidence = but(break_it);
    let told: Vec<_> = judge(&evidence).into_iter().filter(|(_, finding)| finding.word == Word::Fail).collect();
    let told: Vec<_> = told.into_iter().map(|(claim, finding)| (claim.id, finding.seen)).collect();
    assert!(told.len() == 1 && told[0].0 == claim, "{told:?} instead of {claim}");
}

fn answer_of(evidence: &mut Evidence, step: Step) -> &mut Answer {
    &mut evidence.asked.iter_mut().find(|(asked, _)| *asked == step).expect("it was asked").1
}

/// Changes a flow wherever the first life tells of it, and what the late session was told.
pub fn change_flow(evidence: &mut Evidence, local: u16, change: impl Fn(&mut Flow)) {
    let late = evidence.late.as_mut().map(|late| late.told.iter_mut());
    for told in evidence.lives[0].told.iter_mut().chain(late.into_iter().flatten()) {
        if let Event::FlowOpen(flow) | Event::FlowClose(flow, ..) = &mut told.event
            && flow.local == end(local)
        {
            change(flow);
        }
    }
}

fn change_close(evidence: &mut Evidence, local: u16, change: impl Fn(&mut Flow, &mut Traffic, &mut Why)) {
    for told in &mut evidence.lives[0].told {
        if let Event::FlowClose(flow, traffic, why) = &mut told.event
            && flow.local == end(local)
        {
            change(flow, traffic, why);
        }
    }
}

/// Takes all away that a life tells of a flow, and one from its totals.
fn forget(life: &mut Life, local: u16) {
    let of = |told: &Told| told.event.flow().is_some_and(|flow| flow.local == end(local));
    life.told.retain(|told| !of(told));
    change_totals(life, |totals| {
        totals.opened -= 1;
        totals.closed -= 1;
    });
}

fn change_totals(life: &mut Life, change: impl Fn(&mut Totals)) {
    for told in &mut life.told {
        if let Event::Totals(totals) = &mut told.event {
            change(totals);
        }
    }
}

#[test]
fn a_run_in_which_all_is_right_passes_every_claim() {
    let evidence = right();
    let all: Vec<_> = CLAIMS.iter().map(|claim| claim.id).collect();
    assert_eq!((with(Word::Fail, &evidence), with(Word::Unknown, &evidence)), (vec![], vec![]));
    assert_eq!(with(Word::Pass, &evidence), all);
}

#[test]
fn the_pages_have_the_claims_as_they_are() {
    const TOOL: &str = include_str!("../../../../docs/tool.md");
    const SIMULATOR: &str = include_str!("../../../../docs/simulator.md");
    for claim in &CLAIMS {
        let guess = if claim.is_guess { "*guess*: " } else { "" };
        let row = format!("| `{}` | {guess}{} |", claim.id, claim.text);
        assert!(TOOL.contains(&row), "docs/tool.md lacks: {row}");
        let row = format!("| {} | {} |", claim.id, claim.text);
        assert!(!claim.is_guess || SIMULATOR.contains(&row), "docs/simulator.md lacks: {row}");
    }
}

#[test]
fn no_two_claims_have_one_name() {
    let mut names: Vec<_> = CLAIMS.iter().map(|claim| claim.id).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CLAIMS.len());
}

#[test]
fn of_what_was_not_seen_nothing_is_claimed() {
    let evidence = Evidence { given_up: Some("nobody there".into()), ..Evidence::default() };
    assert_eq!(with(Word::Unknown, &evidence).len(), CLAIMS.len());
}

#[test]
fn a_service_that_answers_otherwise_fails_that_claim() {
    for (step, claim) in [
        (Step::Start, "start"),
        (Step::StartTwice, "start-twice"),
        (Step::Stop, "stop"),
        (Step::StopTwice, "stop-twice"),
        (Step::StartAgain, "start-again"),
    ] {
        assert_fails_only(claim, |evidence| answer_of(evidence, step).error = 31);
    }
}

#[test]
fn a_machine_that_stops_does_not_go_on() {
    assert_fails_only("no-crash", |evidence| evidence.crash = Some("bug check 0xD1".into()));
}

#[test]
fn what_is_no_event_is_told() {
    assert_fails_only("events", |evidence| evidence.wrong.push("FlowOpen has no ProcessId".into()));
}

#[test]
fn a_flow_that_nothing_tells_of_is_not_tagged() {
    assert_fails_only("tagged", |evidence| forget(&mut evidence.lives[0], 9));
}

#[test]
fn a_flow_with_another_port_is_not_tagged() {
    // Both ends tell of the one that is not.
    let evidence = but(|evidence| change_flow(evidence, 5, |flow| flow.remote = end(60)));
    assert!(with(Word::Fail, &evidence).contains(&"tagged"));
}

#[test]
fn a_flow_that_the_wrong_side_is_said_to_have_opened_has_the_wrong_direction() {
    assert_fails_only("direction", |evidence| change_flow(evidence, 5, |flow| flow.direction = Direction::In));
}

#[test]
fn a_flow_of_another_process_has_the_wrong_owner() {
    assert_fails_only("owner", |evidence| change_flow(evidence, 6, |flow| flow.process.id = 4));
}

#[test]
fn a_flow_of_another_program_has_the_wrong_path() {
    let curl = |flow: &mut Flow| r"\device\harddiskvolume3\bin\curl".clone_into(&mut flow.process.path);
    assert_fails_only("path", |evidence| change_flow(evidence, 6, curl));
}

#[test]
fn an_owner_created_at_another_time_or_by_another_process_is_another_one() {
    assert_fails_only("process", |evidence| change_flow(evidence, 6, |flow| flow.process.created = at(40)));
    assert_fails_only("process", |evidence| change_flow(evidence, 6, |flow| flow.process.created = at(52)));
    assert_fails_only("process", |evidence| change_flow(evidence, 6, |flow| flow.process.parent = 8));
}

#[test]
fn a_process_with_two_keys_without_one_or_with_anothers_fails() {
    for key in [5, 0, 1_001] {
        assert_fails_only("keys", |evidence| change_flow(evidence, 6, |flow| flow.process.start_key = key));
    }
}

#[test]
fn a_process_that_is_taken_for_the_one_before_with_its_id_fails() {
    // Another program, said to have been created when the first was.
    let first = |flow: &mut Flow| (flow.process.start_key, flow.process.created) = (1_002, at(110));
    let fails = with(Word::Fail, &but(|evidence| change_flow(evidence, 7, first)));
    assert!(fails.contains(&"reused"), "{fails:?}");
    // The same program, which nobody can tell from it.
    let named =
        |flow: &mut Flow| (flow.process.start_key, flow.process.created, flow.process.parent) = (9, at(140), TOOL);
    assert_fails_only("reused", |evidence| change_flow(evidence, 9, named));
}

#[test]
fn other_bytes_than_the_program_counted_fail() {
    assert_fails_only("bytes", |evidence| change_close(evidence, 5, |_, traffic, _| traffic.in_bytes += 20));
    assert_fails_only("bytes", |evidence| change_close(evidence, 5, |_, traffic, _| traffic.out_bytes = 0));
}

#[test]
fn a_first_packet_that_is_told_twice_or_never_fails() {
    let is_first = |told: &Told| matches!(told.event, Event::FirstPacket(_));
    assert_fails_only("first-packets", |evidence| {
        let index = evidence.lives[0].told.iter().position(is_first).expect("there is one");
        evidence.lives[0].told.remove(index);
    });
    assert_fails_only("first-packets", |evidence| {
        let index = evidence.lives[0].told.iter().position(is_first).expect("there is one");
        let again = evidence.lives[0].told[index].clone();
        evidence.lives[0].told.insert(index, again);
    });
}

#[test]
fn an_older_flow_that_is_told_as_a_new_one_fails_and_the_other_way_round() {
    assert_fails_only("older", |evidence| change_flow(evidence, 3, |flow| flow.origin = Origin::New));
    assert_fails_only("origin", |evidence| change_flow(evidence, 5, |flow| flow.origin = Origin::Reauthorized));
}

/// Changes the end of the echo request.
fn change_echo(evidence: &mut Evidence, change: impl Fn(&mut Flow, &mut Traffic)) {
    for told in &mut evidence.lives[0].told {
        if let Event::FlowClose(flow, traffic, _) = &mut told.event
            && flow.protocol == ICMP
        {
            change(flow, traffic);
        }
    }
}

#[test]
fn an_echo_request_that_nothing_tells_of_or_with_other_bytes_fails() {
    assert_fails_only("echo", |evidence| change_echo(evidence, |_, traffic| traffic.out_bytes -= 8));
    assert_fails_only("echo", |evidence| {
        let life = &mut evidence.lives[0];
        life.told.retain(|told| told.event.flow().is_none_or(|flow| flow.protocol != ICMP));
        change_totals(life, |totals| (totals.opened, totals.closed) = (totals.opened - 1, totals.closed - 1));
    });
}

#[test]
fn why_there_was_no_echo_request_is_told() {
    let evidence = but(|evidence| {
        evidence.lives[0].echoes.clear();
        evidence.lives[0].refused.push("a raw socket: access denied".to_owned());
    });
    let told = judge(&evidence).into_iter().find(|(claim, _)| claim.id == "echo").expect("it is one").1;
    assert_eq!((told.word, told.seen.as_str()), (Word::Unknown, "no echo requests: a raw socket: access denied"));
}

#[test]
fn a_flow_that_is_not_closed_or_otherwise_than_it_was_opened_fails() {
    // Of the other lives nothing else is judged by it.
    assert_fails_only("closed", |evidence| {
        let told = &mut evidence.lives[2].told;
        told.retain(|told| !matches!(told.event, Event::FlowClose(..)));
    });
    assert_fails_only("closed", |evidence| change_close(evidence, 5, |flow, _, _| flow.interface = 9));
}

#[test]
fn a_flow_that_ended_for_another_reason_fails() {
    assert_fails_only("why", |evidence| change_close(evidence, 3, |_, _, why| *why = Why::Ended));
    assert_fails_only("why", |evidence| change_close(evidence, 5, |_, _, why| *why = Why::Unload));
}

#[test]
fn a_live_flow_that_a_late_session_is_not_told_of_fails_and_the_end_of_one_alone() {
    let late = |evidence: &mut Evidence, keep: fn(&Event) -> bool| {
        let told = &mut evidence.late.as_mut().expect("there is one").told;
        told.retain(|told| told.event.flow().is_none_or(|flow| flow.local != end(3)) || keep(&told.event));
    };
    assert_fails_only("rundown", |evidence| late(evidence, |_| false));
    assert_fails_only("rundown", |evidence| late(evidence, |event| matches!(event, Event::FlowClose(..))));
}

#[test]
fn the_end_of_a_flow_that_the_late_session_was_not_told_of_in_time_is_no_fault() {
    let evidence = but(|evidence| {
        let told = &mut evidence.late.as_mut().expect("there is one").told;
        let of_first = |event: &Event| event.flow().is_some_and(|flow| flow.local == end(9));
        let close = told.iter().rposition(|told| of_first(&told.event)).expect("it was closed");
        let close = told.remove(close);
        told.retain(|told| !of_first(&told.event));
        // While the state was captured.
        let flow = told.iter().find_map(|told| told.event.flow().cloned()).expect("there is one");
        let traffic = Traffic { out_packets: 0, in_packets: 0, out_bytes: 0, in_bytes: 0, duration: 0 };
        told.insert(0, close);
        told.insert(1, Told { time: Some(at(150)), event: Event::FlowRundown(flow, traffic) });
    });
    assert_eq!(with(Word::Fail, &evidence), [""; 0]);
}

#[test]
fn totals_that_are_missing_unequal_or_not_those_of_the_events_fail() {
    assert_fails_only("totals", |evidence| change_totals(&mut evidence.lives[1], |totals| totals.closed -= 1));
    assert_fails_only("totals", |evidence| change_totals(&mut evidence.lives[1], |totals| totals.evicted += 1));
    assert_fails_only("totals", |evidence| {
        change_totals(&mut evidence.lives[1], |totals| (totals.opened, totals.closed) = (7, 7));
    });
    assert_fails_only("totals", |evidence| {
        evidence.lives[1].told.retain(|told| !matches!(told.event, Event::Totals(_)));
    });
}

#[test]
fn a_drain_of_more_than_two_seconds_fails() {
    assert_fails_only("drain", |evidence| {
        let last = evidence.lives[0].told.last_mut().expect("it is Totals");
        last.time = Some(at(203));
    });
}

#[test]
fn settings_that_are_not_as_set_fail() {
    for (life, change) in [(0, (3, 65_536)), (0, (2, 16)), (1, (2, 65_536))] {
        assert_fails_only("settings", |evidence| {
            let Event::Loaded(loaded) = &mut evidence.lives[life].told[0].event else { panic!("the first is Loaded") };
            (loaded.trace_level, loaded.max_flows) = change;
        });
    }
}

#[test]
fn more_flows_at_once_than_there_is_room_for_fail() {
    assert_fails_only("limit", |evidence| {
        // The first one's end comes behind the second one's beginning.
        let told = &mut evidence.lives[1].told;
        let close = told.remove(4);
        told.insert(5, close);
    });
}

#[test]
fn fewer_flows_than_there_is_room_for_say_nothing_about_the_limit() {
    let evidence = but(|evidence| evidence.lives[1].settings.max_flows = Some(20));
    assert!(with(Word::Unknown, &evidence).contains(&"limit"));
}

#[test]
fn flows_that_are_not_tagged_after_the_filter_engine_is_back_fail() {
    assert_fails_only("bfe", |evidence| forget(&mut evidence.lives[2], 3));
    assert_fails_only("bfe", |evidence| answer_of(evidence, Step::AfterBfe).state = STOPPED);
}

#[test]
fn a_filter_engine_that_windows_does_not_let_stop_says_nothing() {
    let evidence =
        but(|evidence| *answer_of(evidence, Step::BfeStop) = Answer { error: 5, state: RUNNING, said: None });
    let unknown = with(Word::Unknown, &evidence);
    assert!(unknown.contains(&"bfe") && unknown.contains(&"G4"), "{unknown:?}");
}

#[test]
fn guesses_that_are_wrong_are_told_one_by_one() {
    let capital = |flow: &mut Flow| flow.process.path = flow.process.path.replace("device", "Device");
    assert_fails_only("G1", |evidence| change_flow(evidence, 6, capital));
    assert_fails_only("G3", |evidence| change_flow(evidence, 3, |flow| flow.direction = Direction::In));
    assert_fails_only("G6", |evidence| {
        evidence.lives[0].flows.retain(|flow| flow.talk.local != end(10));
        forget(&mut evidence.lives[0], 10);
    });
    assert_fails_only("G7", |evidence| {
        for told in &mut evidence.lives[0].told {
            if let Event::FlowOpen(flow) | Event::FlowClose(flow, ..) = &mut told.event
                && flow.protocol == ICMP
            {
                flow.process.id = 4;
            }
        }
    });
    assert_fails_only("G9", |evidence| change_close(evidence, 1, |_, _, why| *why = Why::Unload));
    assert_fails_only("G8", |evidence| change_echo(evidence, |_, traffic| traffic.in_bytes = 0));
    assert_fails_only("G2", |evidence| change_flow(evidence, 6, |flow| flow.interface = 0));
    assert_fails_only("G4", |evidence| {
        // It is let go of, and tagged again.
        let life = &mut evidence.lives[2];
        let of = |told: &&Told| told.event.flow().is_some_and(|flow| flow.local == end(5));
        let again: Vec<_> = life.told.iter().filter(of).cloned().collect();
        life.told.extend(again);
        change_totals(life, |totals| (totals.opened, totals.closed) = (totals.opened + 1, totals.closed + 1));
    });
}

#[test]
fn where_nobody_can_listen_only_services_are_judged() {
    let evidence = but(|evidence| {
        evidence.no_events = Some("denied".into());
        evidence.late = None;
        for life in &mut evidence.lives {
            (life.told, life.flows) = (Vec::new(), Vec::new());
        }
    });
    assert_eq!(with(Word::Pass, &evidence), ["start", "start-twice", "stop-twice", "start-again", "no-crash"]);
    assert_eq!(with(Word::Fail, &evidence), [""; 0]);
}

#[test]
fn what_may_be_the_fault_of_a_session_that_lost_events_is_not_held_against_the_driver() {
    let evidence = but(|evidence| {
        forget(&mut evidence.lives[0], 9);
        evidence.lost = 3;
    });
    assert_eq!(with(Word::Fail, &evidence), ["events"]);
    assert_eq!(with(Word::Unknown, &evidence), ["tagged"]);
}
