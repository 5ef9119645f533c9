//! A session that comes late asks for the live flows; meanwhile these come and go, and the driver does.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use flowtag_simulator::{
    etw::{
        Event, SessionId,
        switches::{AtRegistration, Unregister},
        tracelogging::Value,
    },
    wfp::{FlowHandle, Removal},
};

use flowtag_tests::rig::{Rig, outbound};

const FLOW: u64 = 1;
const INFORMATION: u8 = 4;

fn silent() -> Rig {
    Rig::with_settings(&[("TraceLevel", 0)])
}

/// The flows of the events with this name, in their order.
fn flows(events: &[Event], name: &str) -> Vec<u64> {
    events.iter().filter(|event| event.name() == name).map(|event| event.number("FlowHandle")).collect()
}

/// A session begins, and asks for the live flows.
fn late(rig: &Rig) -> SessionId {
    let session = rig.listen(INFORMATION, FLOW);
    rig.machine.capture_state(session).unwrap();
    session
}

/// Has something happen at the `nth` call of an import from now on.
fn at(rig: &Rig, import: &'static str, nth: usize, happens: impl FnOnce() + Send + 'static) {
    let calls = AtomicUsize::new(0);
    let happens = Mutex::new(Some(happens));
    rig.machine.on_import(move |call| {
        if call.name() == import && calls.fetch_add(1, Ordering::Relaxed) + 1 == nth {
            let happens = happens.lock().unwrap_or_else(PoisonError::into_inner).take();
            happens.expect("once")();
        }
    });
}

#[test]
fn a_session_that_comes_late_gets_each_live_flow_with_its_counters() {
    let rig = silent();
    let open: Vec<_> = (0..3).map(|_| rig.open(&outbound())).collect();
    rig.send(open[1], 517);
    rig.receive(open[1], 33);
    rig.close(open[0]);
    let session = late(&rig);
    let events = rig.events(session);
    assert_eq!(flows(&events, "FlowRundown"), [open[1].0, open[2].0]);
    let number = |name| events[0].number(name);
    assert_eq!(["OutPackets", "InPackets", "OutBytes", "InBytes"].map(number), [1, 1, 517, 33]);
    assert_eq!((number("ProcessId"), number("Origin")), (4242, 0));
    let path = r"\device\harddiskvolume3\windows\curl.exe".encode_utf16().collect();
    assert_eq!(events[0].field("ProcessPath"), &Value::Utf16(path));
    assert_eq!((events[0].level, events[0].keyword), (4, 1));
    rig.close(open[1]);
    assert_eq!(flows(&rig.events(session), "FlowClose"), [open[1].0]);
    rig.stop();
    assert_eq!(flows(&rig.events(session), "FlowClose"), [open[2].0]);
}

#[test]
fn a_thousand_flows_are_captured_each_once() {
    let rig = silent();
    let open: Vec<_> = (0..1_000).map(|_| rig.open(&outbound()).0).collect();
    assert_eq!(flows(&rig.events(late(&rig)), "FlowRundown"), open);
    rig.stop();
}

#[test]
fn who_does_not_ask_gets_no_flows_and_who_asks_without_wanting_them_neither() {
    let rig = silent();
    rig.open(&outbound());
    let session = rig.listen(INFORMATION, FLOW);
    assert_eq!(rig.events(session), []);
    let others = rig.listen(5, 2);
    rig.machine.stop_session(session).unwrap();
    rig.machine.capture_state(others).unwrap();
    assert_eq!(rig.events(others), []);
    rig.stop();
}

#[test]
fn a_flow_that_has_been_let_go_of_is_not_captured() {
    let rig = Rig::with_settings(&[("TraceLevel", 0), ("MaxFlows", 16)]);
    rig.set(|switches| switches.removal = Removal::PendingUntilTold);
    let open: Vec<_> = (0..16).map(|_| rig.open(&outbound()).0).collect();
    // One has to make room, and its contexts stay for now.
    rig.open(&outbound());
    let captured = flows(&rig.events(late(&rig)), "FlowRundown");
    assert_eq!(captured.len(), 15);
    assert!(captured.iter().all(|flow| open.contains(flow)));
    rig.machine.run_deferred_deletes().unwrap();
    rig.set(|switches| switches.removal = Removal::default());
    rig.stop();
}

#[test]
fn a_flow_that_ends_while_it_is_captured_is_closed_after_it() {
    let rig = silent();
    let open: Vec<_> = (0..3).map(|_| rig.open(&outbound())).collect();
    let machine = rig.machine.clone();
    let (first, last) = (open[0], open[2]);
    at(&rig, "EtwWriteTransfer", 1, move || {
        machine.close_flow(first).unwrap();
        machine.close_flow(last).unwrap();
    });
    let events = rig.events(late(&rig));
    assert_eq!(flows(&events, "FlowRundown"), open.iter().map(|flow| flow.0).collect::<Vec<_>>());
    for flow in [first, last] {
        let of_flow: Vec<_> = events.iter().filter(|event| event.number("FlowHandle") == flow.0).collect();
        assert_eq!([of_flow[0].name(), of_flow[1].name()], ["FlowRundown", "FlowClose"]);
    }
    rig.stop();
}

#[test]
fn a_session_may_want_the_flows_before_the_driver_has_its_handle() {
    for at_registration in
        [AtRegistration::HandleFirst, AtRegistration::CallbackFirst, AtRegistration::OtherThread, AtRegistration::Later]
    {
        let rig = Rig::installed(&[("TraceLevel", 0)]);
        rig.machine.etw().set(|switches| switches.at_registration = at_registration);
        let session = rig.listen(INFORMATION, FLOW);
        rig.start().unwrap();
        rig.machine.deliver_notices().unwrap();
        let flow = rig.open(&outbound());
        assert_eq!(flows(&rig.events(session), "FlowOpen"), [flow.0], "{at_registration:?}");
        rig.stop();
    }
}

#[test]
fn unload_waits_for_a_capture() {
    for unregister in [Unregister::Waits, Unregister::Overtakes] {
        let rig = silent();
        rig.machine.etw().set(|switches| switches.unregister = unregister);
        for _ in 0..200 {
            rig.open(&outbound());
        }
        let session = rig.listen(INFORMATION, FLOW);
        let captures = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&captures);
        rig.machine.on_import(move |call| {
            if call.name() == "EtwWriteTransfer" {
                seen.store(true, Ordering::Relaxed);
            }
        });
        thread::scope(|scope| {
            scope.spawn(|| {
                while !captures.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                rig.machine.stop_service("flowtag").unwrap();
            });
            rig.machine.capture_state(session).unwrap();
        });
        rig.assert_clean();
        let events = rig.events(session);
        assert_eq!(flows(&events, "FlowClose").len(), 200, "{unregister:?}");
    }
}

#[test]
fn a_capture_that_is_asked_for_when_unload_has_ended_them_gives_no_flow_and_ends() {
    let rig = silent();
    rig.open(&outbound());
    let session = rig.listen(INFORMATION, FLOW);
    let machine = rig.machine.clone();
    at(&rig, "EtwUnregister", 1, move || machine.capture_state(session).unwrap());
    rig.stop();
    assert_eq!(flows(&rig.events(session), "FlowRundown"), [0; 0]);
}

/// What a session that comes and captures at any moment knows of each flow.
fn assert_each_is_known(events: &[Event], opened: &[FlowHandle]) {
    let mut known: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for event in events {
        known.entry(event.number("FlowHandle")).or_default().push(event.name());
    }
    for flow in opened {
        let names = known.get(&flow.0).unwrap_or_else(|| panic!("nothing is known of {flow:?}"));
        assert_eq!(names.last(), Some(&"FlowClose"), "{names:?}");
        assert_eq!(names.iter().filter(|name| **name == "FlowClose").count(), 1, "{names:?}");
        assert!(names.len() > 1, "{flow:?} was never told of while it lived");
    }
}

#[test]
fn no_flow_is_missed_by_a_session_that_begins_while_flows_are_tagged() {
    for seed in 0..5 {
        let options = flowtag_simulator::Options { seed, ..Default::default() };
        let rig = Rig::with_options(options, &[("TraceLevel", 0)]);
        rig.start().unwrap();
        let before: Vec<_> = (0..100).map(|_| rig.open(&outbound())).collect();
        let begun = AtomicBool::new(false);
        let (session, meanwhile) = thread::scope(|scope| {
            let opener = scope.spawn(|| {
                let mut opened = Vec::new();
                while opened.len() < 20 || !begun.load(Ordering::Relaxed) {
                    opened.push(rig.open(&outbound()));
                }
                opened
            });
            let session = late(&rig);
            begun.store(true, Ordering::Relaxed);
            (session, opener.join().unwrap())
        });
        rig.stop();
        assert_each_is_known(&rig.events(session), &[before, meanwhile].concat());
    }
}
