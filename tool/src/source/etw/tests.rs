//! Sessions and files on the machine of [`fake`](super::fake).

use std::path::Path;

use windows_sys::Win32::{
    Foundation::{ERROR_ACCESS_DENIED, ERROR_INVALID_FUNCTION, ERROR_NO_SYSTEM_RESOURCES},
    System::Services::{SERVICE_START_PENDING, SERVICE_STOPPED},
};

use super::{
    Failure,
    fake::{self, Turn, Written},
    file, live,
    record::PROVIDER,
};
use crate::{
    event::{Event, Told},
    source::Unreadable,
};

/// `Stopping`, with so many flows.
fn stopping(live_flows: u32) -> Written {
    let schema = b"\x17\0\0Stopping\0LiveFlows\0\x08".to_vec();
    Written { provider: PROVIDER, schema, payload: live_flows.to_le_bytes().to_vec() }
}

/// How many flows each event has, or what is said in its place.
fn said(items: impl Iterator<Item = Result<Told, Unreadable>>) -> Vec<String> {
    let said = items.map(|item| match item {
        Ok(Told { event: Event::Stopping { live_flows }, .. }) => live_flows.to_string(),
        Ok(told) => panic!("{told:?}"),
        Err(error) => error.to_string(),
    });
    said.collect()
}

fn asked(machine: &Turn) -> Vec<String> {
    machine.with(|world| world.asked.clone())
}

/// What is said of a live source that cannot be had.
fn refused() -> Failure {
    live("live", false).err().expect("it is refused")
}

fn fails(machine: &Turn, function: &'static str, code: u32) {
    machine.with(|world| world.failing.push((function, code)));
}

#[test]
fn a_session_is_made_and_read_before_the_driver_is_asked_for_the_flows_that_it_has() {
    let machine = fake::machine();
    machine.with(|world| world.state = vec![stopping(1)]);
    let mut stream = live("live", false).unwrap();
    assert_eq!(said(stream.by_ref().take(1)), ["1"]);
    assert_eq!(
        asked(&machine),
        [
            // EVENT_TRACE_REAL_TIME_MODE and EVENT_TRACE_INDEPENDENT_SESSION_MODE; no file; the system's clock.
            "start flowtag 1 mode=0x8000100 clock=2 file=0",
            // All events but `Packet`.
            "enable flowtag 1 level=5 any=0xb all=0x0",
            // PROCESS_TRACE_MODE_REAL_TIME and PROCESS_TRACE_MODE_EVENT_RECORD: no raw times.
            "open flowtag 1 mode=0x10000100",
            "capture flowtag 1 level=5 any=0xb all=0x0",
        ]
    );
}

#[test]
fn each_packet_is_an_event_if_it_is_asked_for() {
    let machine = fake::machine();
    drop(live("live", true).unwrap());
    assert!(asked(&machine).contains(&"enable flowtag 1 level=5 any=0xf all=0x0".into()));
}

#[test]
fn a_session_is_stopped_when_nobody_reads_any_more() {
    let machine = fake::machine();
    let stream = live("live", false).unwrap();
    machine.with(|world| world.events = vec![stopping(1)]);
    drop(stream);
    assert_eq!(machine.with(|world| (world.sessions.len(), world.mutexes.len())), (0, 0));
}

#[test]
fn ctrl_c_ends_the_session_and_what_it_had_is_read() {
    let machine = fake::machine();
    let stream = live("live", false).unwrap();
    machine.with(|world| world.events = vec![stopping(1), stopping(2)]);
    assert!(machine.control_c());
    assert_eq!(said(stream), ["1", "2"]);
    assert_eq!(asked(&machine).iter().filter(|asked| *asked == "stop flowtag 1").count(), 1);
}

#[test]
fn another_thread_ends_the_session_and_what_it_had_is_read() {
    let machine = fake::machine();
    let stream = live("live", false).unwrap();
    let stop = stream.stop();
    machine.with(|world| world.events = vec![stopping(1), stopping(2)]);
    assert!(stop.now());
    assert_eq!(said(stream), ["1", "2"]);
    assert_eq!(machine.with(|world| world.sessions.len()), 0);
    assert!(stop.now(), "a session that has gone is nobody's harm");
    assert_eq!(asked(&machine).iter().filter(|asked| *asked == "stop flowtag 1").count(), 1);
}

#[test]
fn the_next_ctrl_c_is_windows_own() {
    let machine = fake::machine();
    let stream = live("live", false).unwrap();
    assert!(machine.control_c());
    assert!(!machine.control_c());
    drop(stream);
}

#[test]
fn the_events_end_when_somebody_else_stops_the_session() {
    let machine = fake::machine();
    let stream = live("live", false).unwrap();
    machine.with(|world| world.sessions.clear());
    assert_eq!(said(stream), [""; 0]);
}

#[test]
fn what_a_run_that_was_killed_has_left_is_stopped_first() {
    let machine = fake::machine();
    machine.with(|world| world.sessions = vec!["flowtag 1".into(), "another".into(), "flowtag 3".into()]);
    let stream = live("live", false).unwrap();
    assert_eq!(
        asked(&machine)[..3],
        ["stop flowtag 1", "stop flowtag 3", "start flowtag 1 mode=0x8000100 clock=2 file=0"]
    );
    assert_eq!(machine.with(|world| world.sessions.clone()), ["another", "flowtag 1"]);
    drop(stream);
}

#[test]
fn two_runs_do_not_take_each_others_session() {
    let machine = fake::machine();
    let first = live("live", false).unwrap();
    let second = live("live", false).unwrap();
    assert_eq!(machine.with(|world| world.sessions.clone()), ["flowtag 1", "flowtag 2"]);
    drop(first);
    assert_eq!(machine.with(|world| world.sessions.clone()), ["flowtag 2"]);
    drop(second);
}

#[test]
fn a_ninth_run_is_told_that_there_is_no_room() {
    let machine = fake::machine();
    machine.with(|world| world.mutexes = (1..=8).map(|number| (format!(r"Global\flowtag {number}"), 0)).collect());
    assert_eq!(refused(), Failure::NoRoom);
    assert!(asked(&machine).is_empty());
}

#[test]
fn a_mutex_that_another_user_has_is_not_touched() {
    let machine = fake::machine();
    fails(&machine, "CreateMutexW", ERROR_ACCESS_DENIED);
    assert_eq!(refused(), Failure::NoRoom);
}

#[test]
fn who_may_not_is_told_what_to_become() {
    let machine = fake::machine();
    fails(&machine, "StartTraceW", ERROR_ACCESS_DENIED);
    let told = refused().to_string();
    assert!(told.contains("Run as administrator") && told.contains("Performance Log Users"), "{told}");
}

#[test]
fn a_session_that_cannot_be_used_is_stopped() {
    for (function, code, expected) in [
        ("enable", ERROR_ACCESS_DENIED, Failure::Denied),
        ("enable", ERROR_NO_SYSTEM_RESOURCES, Failure::NoRoom),
        ("OpenTraceW", 87, Failure::Other { call: "OpenTraceW", code: 87 }),
        ("capture", 87, Failure::Other { call: "EnableTraceEx2", code: 87 }),
    ] {
        let machine = fake::machine();
        fails(&machine, function, code);
        assert_eq!(refused(), expected, "{function}");
        assert!(machine.with(|world| world.sessions.is_empty()), "{function}");
    }
}

#[test]
fn a_machine_with_as_many_sessions_as_it_can_have_is_told_apart() {
    let machine = fake::machine();
    fails(&machine, "StartTraceW", ERROR_NO_SYSTEM_RESOURCES);
    assert_eq!(refused(), Failure::NoSession);
}

#[test]
fn a_session_that_is_left_over_and_stays_is_named() {
    let machine = fake::machine();
    fails(&machine, "StartTraceW", 183);
    assert!(refused().to_string().contains("`logman stop \"flowtag 1\" -ets`"));
}

#[test]
fn a_provider_that_is_not_registered_has_no_state() {
    let machine = fake::machine();
    fails(&machine, "capture", ERROR_INVALID_FUNCTION);
    assert!(live("live", false).is_ok());
}

#[test]
fn whatever_is_answered_for_the_state_of_a_driver_that_does_not_run_is_no_failure() {
    let machine = fake::machine();
    machine.with(|world| world.service = Some(SERVICE_STOPPED));
    fails(&machine, "capture", 87);
    assert!(live("live", false).is_ok());
}

#[test]
fn a_driver_that_does_not_run_is_said_first_and_waited_for() {
    for (state, expected) in [(Some(SERVICE_STOPPED), "`sc start flowtag`"), (None, "`sc create flowtag`")] {
        let machine = fake::machine();
        machine.with(|world| world.service = state);
        let mut stream = live("live", false).unwrap();
        machine.with(|world| world.events = vec![stopping(1)]);
        let said = said(stream.by_ref().take(2));
        assert!(said[0].contains(expected) && said[0].contains("Waiting"), "{said:?}");
        assert_eq!(said[1], "1");
    }
}

#[test]
fn a_driver_that_is_starting_is_just_waited_for() {
    let machine = fake::machine();
    machine.with(|world| (world.service, world.events) = (Some(SERVICE_START_PENDING), vec![stopping(1)]));
    assert_eq!(said(live("live", false).unwrap().take(1)), ["1"]);
}

#[test]
fn what_was_lost_is_the_last_that_is_said() {
    let machine = fake::machine();
    let stream = live("live", false).unwrap();
    machine.with(|world| (world.lost, world.events) = ((7, 2), vec![stopping(1)]));
    assert!(machine.control_c());
    let said = said(stream);
    assert_eq!((said.len(), said[0].as_str()), (2, "1"));
    assert!(said[1].contains("7 events and 2 buffers"), "{said:?}");
}

#[test]
fn a_file_is_read_to_its_end() {
    let machine = fake::machine();
    machine.with(|world| (world.events, world.lost) = (vec![stopping(1), stopping(2)], (3, 0)));
    let said = said(file("trace.etl", Path::new("trace.etl")).unwrap());
    assert_eq!(said[..2], ["1", "2"]);
    assert!(said[2].contains("trace.etl: ETW had no room for all: 3 events"), "{said:?}");
    // PROCESS_TRACE_MODE_EVENT_RECORD.
    assert_eq!(asked(&machine)[0], "open trace.etl mode=0x10000000");
}

#[test]
fn other_providers_in_a_file_are_passed_over_and_not_counted() {
    let machine = fake::machine();
    let other = Written { provider: 1, schema: Vec::new(), payload: vec![1] };
    let cut = Written { payload: vec![1], ..stopping(1) };
    machine.with(|world| world.events = vec![other, stopping(1), cut, stopping(2)]);
    let said = said(file("trace.etl", Path::new("trace.etl")).unwrap());
    assert_eq!((said[0].as_str(), said[2].as_str()), ("1", "2"));
    assert!(said[1].starts_with("trace.etl: event 2: "), "{said:?}");
}

#[test]
fn a_file_that_windows_does_not_open_is_no_matter_of_rights() {
    let machine = fake::machine();
    fails(&machine, "OpenTraceW", ERROR_ACCESS_DENIED);
    let told = file("trace.etl", Path::new("trace.etl")).err();
    assert_eq!(told, Some(Failure::Other { call: "OpenTraceW", code: ERROR_ACCESS_DENIED }));
}

#[test]
fn a_file_that_cannot_be_read_any_further_says_so_behind_what_was_read() {
    let machine = fake::machine();
    fails(&machine, "ProcessTrace", 23);
    machine.with(|world| world.events = vec![stopping(1)]);
    let said = said(file("trace.etl", Path::new("trace.etl")).unwrap());
    assert_eq!((said.len(), said[0].as_str()), (2, "1"));
    assert!(said[1].starts_with("trace.etl: "), "{said:?}");
}
