//! The filter engine's service comes and goes: before the driver, in the middle of a start, while it runs, while it unloads.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use flowtag_simulator::{
    Machine,
    service::{StartType, State},
    wfp::{BfeStop, Told, status},
};

use flowtag_tests::rig::{Rig, SERVICE, field, outbound};

use crate::{start::STEPS, unload::assert_lines_are_about_failures};

/// Each call of the engine that start makes, and whoever adds the filters anew: its name, and which call of it.
fn steps() -> impl Iterator<Item = (&'static str, u64)> {
    let of_engine = STEPS.into_iter().filter(|(import, _)| import.starts_with("Fwpm"));
    let steps = [("FwpmBfeStateGet0", 1)].into_iter().chain(of_engine);
    steps.flat_map(|(import, times)| (1..=times).map(move |nth| (import, nth)))
}

/// Does `what` on another processor, once, when the `nth` next call of an import has been made and not been answered.
pub fn amidst(rig: &Rig, import: &'static str, nth: u64, what: impl Fn(&Machine) + Send + Sync + 'static) {
    let calls = AtomicU64::new(0);
    rig.machine.on_import(move |call| {
        if call.name() == import && calls.fetch_add(1, Ordering::Relaxed) + 1 == nth {
            let machine = call.machine.clone();
            thread::scope(|scope| scope.spawn(|| what(&machine)).join().unwrap());
        }
    });
}

fn stop(machine: &Machine) {
    machine.stop_bfe().unwrap();
}

fn restart(machine: &Machine) {
    machine.stop_bfe().unwrap();
    machine.start_bfe().unwrap();
}

/// The filters are there, and a flow that is opened is tagged.
fn assert_tags(rig: &Rig) {
    assert_eq!((rig.machine.wfp().filters(), rig.machine.wfp().sessions()), (8, 0));
    assert_eq!(count(rig, "leftovers found"), 0, "they were added once: {:?}", rig.lines());
    let flow = rig.open(&outbound());
    rig.line("open", flow);
}

fn count(rig: &Rig, line: &str) -> usize {
    rig.lines().iter().filter(|printed| *printed == &format!("flowtag: {line}")).count()
}

#[test]
fn a_start_before_the_engine_runs_succeeds_and_waits_for_it() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    stop(&rig.machine);
    rig.start().unwrap();
    assert_eq!((rig.lines_of("waiting"), rig.machine.wfp().filters()), (vec!["flowtag: waiting bfe=0".to_owned()], 0));
    rig.machine.start_bfe().unwrap();
    assert_eq!(count(&rig, "filters added"), 1);
    assert_tags(&rig);
    rig.stop();
}

#[test]
fn a_driver_that_the_kernel_starts_at_boot_tags_what_comes_when_the_engine_runs() {
    for start in [StartType::Boot, StartType::System, StartType::Auto] {
        let rig = Rig::installed(&[("TraceLevel", 1)]);
        rig.machine.change_service(SERVICE, |config| config.start = start).unwrap();
        for (name, outcome) in rig.machine.start_services() {
            assert_eq!(outcome.unwrap().state, State::Running, "{name}, {start:?}");
        }
        assert_tags(&rig);
        rig.stop();
    }
}

#[test]
fn a_driver_that_still_waits_unloads_at_once_and_asks_the_engine_nothing() {
    let rig = Rig::installed(&[]);
    stop(&rig.machine);
    rig.start().unwrap();
    let began = rig.machine.clock().since_start();
    rig.stop();
    assert_eq!(rig.machine.clock().since_start(), began);
    assert_eq!(rig.machine.faults().calls("FwpmEngineOpen0"), 0);
    assert!(rig.lines_of("engine not closed").is_empty());
}

#[test]
fn a_start_with_the_engine_running_says_nothing_of_it() {
    let rig = Rig::started();
    assert_eq!((rig.lines_of("waiting").len(), count(&rig, "filters added")), (0, 0));
    rig.stop();
}

#[test]
fn an_engine_that_stops_and_starts_gets_the_filters_again() {
    let rig = Rig::started();
    stop(&rig.machine);
    assert_eq!(rig.lines_of("waiting"), ["flowtag: waiting bfe=2"]);
    assert_eq!(count(&rig, "filters added"), 0);
    rig.machine.start_bfe().unwrap();
    assert_eq!((rig.lines_of("waiting").len(), count(&rig, "filters added")), (1, 1));
    assert_tags(&rig);
    rig.stop();
}

#[test]
fn a_flow_that_is_tagged_keeps_its_tag_while_the_engine_restarts() {
    let rig = Rig::started();
    let flow = rig.open(&outbound());
    rig.send(flow, 10);
    restart(&rig.machine);
    rig.send(flow, 10);
    rig.close(flow);
    let close = rig.line("close", flow);
    assert_eq!((field(&close, "packets"), field(&close, "why")), ("2/0", "deleted"));
    rig.stop();
}

#[test]
fn each_restart_is_said_and_none_leaves_anything_behind() {
    let rig = Rig::started();
    for times in 1..=20 {
        restart(&rig.machine);
        assert_eq!((rig.lines_of("waiting").len(), count(&rig, "filters added")), (times, times));
        assert_eq!((rig.machine.wfp().callouts(), rig.machine.wfp().sessions()), (8, 0));
    }
    assert_tags(&rig);
    rig.stop();
}

#[test]
fn an_engine_that_stops_in_the_middle_of_start_is_waited_for() {
    for (import, nth) in steps() {
        let rig = Rig::installed(&[("TraceLevel", 1)]);
        amidst(&rig, import, nth, stop);
        rig.start().unwrap_or_else(|error| panic!("{import}, call {nth}: {error}"));
        assert_eq!(rig.lines_of("waiting").len(), 1, "{import}, call {nth}: {:?}", rig.lines());
        rig.machine.start_bfe().unwrap();
        assert_tags(&rig);
        rig.stop();
    }
}

#[test]
fn an_engine_that_restarts_in_the_middle_of_start_gets_the_filters() {
    for (import, nth) in steps() {
        let rig = Rig::installed(&[("TraceLevel", 1)]);
        amidst(&rig, import, nth, restart);
        rig.start().unwrap_or_else(|error| panic!("{import}, call {nth}: {error}"));
        assert_tags(&rig);
        rig.stop();
    }
}

#[test]
fn an_engine_that_restarts_while_filters_are_added_anew_gets_them_once_more() {
    for (import, nth) in steps() {
        let rig = Rig::started();
        stop(&rig.machine);
        // The state is asked for at each change, and START_PENDING comes first.
        amidst(&rig, import, if import == "FwpmBfeStateGet0" { 3 } else { nth }, restart);
        rig.machine.start_bfe().unwrap();
        assert_tags(&rig);
        rig.stop();
    }
}

#[test]
fn no_two_add_filters_at_once_however_often_the_engine_restarts() {
    let rig = Rig::started();
    let [adds, inside, met] = [0; 3].map(|none| Arc::new(AtomicU64::new(none)));
    let hooked = [&adds, &inside, &met].map(Arc::clone);
    rig.machine.on_import(move |call| {
        let [adds, inside, met] = &hooked;
        match call.name() {
            "FwpmEngineOpen0" => drop(met.fetch_add(inside.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed)),
            "FwpmEngineClose0" => drop(inside.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
        // Each restart tells four states, and each of them may be heard while filters are added.
        if call.name() == "FwpmFilterAdd0" && adds.fetch_add(1, Ordering::Relaxed) < 3 {
            let machine = call.machine.clone();
            thread::scope(|scope| scope.spawn(|| restart(&machine)).join().unwrap());
        }
    });
    restart(&rig.machine);
    assert!(adds.load(Ordering::Relaxed) > 3, "restarted in the middle");
    assert_eq!(met.load(Ordering::Relaxed), 0, "somebody came in while another one was there");
    assert_tags(&rig);
    rig.stop();
}

#[test]
fn filters_that_a_running_engine_refuses_are_said_and_added_at_its_next_start() {
    let rig = Rig::started();
    rig.fail("FwpmTransactionBegin0", 1, Some(status::FWP_TIMEOUT));
    restart(&rig.machine);
    let refused = "flowtag: filters not added step=FwpmTransactionBegin0 status=0xc0220012";
    assert_eq!(rig.lines_of("filters not"), [refused]);
    assert_eq!((rig.machine.wfp().filters(), count(&rig, "filters added")), (0, 0));
    restart(&rig.machine);
    assert_eq!((rig.lines_of("filters not").len(), count(&rig, "filters added")), (1, 1));
    assert_tags(&rig);
    rig.stop();
}

#[test]
fn a_subscription_that_is_refused_is_said_and_the_driver_works_without() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    rig.fail("FwpmBfeStateSubscribeChanges0", 1, Some(status::INSUFFICIENT_RESOURCES));
    rig.start().unwrap();
    assert_eq!(rig.lines_of("not subscribed"), ["flowtag: not subscribed status=0xc000009a"]);
    assert_tags(&rig);
    rig.stop();
    assert_eq!(rig.machine.faults().calls("FwpmBfeStateUnsubscribeChanges0"), 0);
}

#[test]
fn without_a_subscription_a_start_before_the_engine_runs_fails_with_its_status() {
    let rig = Rig::installed(&[]);
    rig.fail("FwpmBfeStateSubscribeChanges0", 1, Some(status::INSUFFICIENT_RESOURCES));
    stop(&rig.machine);
    rig.start().unwrap_err();
    assert_eq!(rig.lines_of("load failed"), ["flowtag: load failed step=FwpmEngineOpen0 status=0xc0020036"]);
    rig.assert_clean();
}

#[test]
fn a_subscription_that_does_not_end_is_ended_for_as_long_as_it_takes_with_a_line_each_second() {
    let rig = Rig::started();
    rig.machine.faults().fail_times("FwpmBfeStateUnsubscribeChanges0", 1, 10, Some(status::UNSUCCESSFUL));
    rig.stop();
    let lines = rig.lines_of("unsubscribing");
    assert!((2..=6).contains(&lines.len()), "{:?}", rig.lines());
    assert!(lines.iter().all(|line| field(line, "status") == "0xc0000001"), "{lines:?}");
    let times: Vec<u64> = lines.iter().map(|line| field(line, "ms").parse().unwrap()).collect();
    assert!(times[0] >= 1_000 && times.windows(2).all(|pair| pair[1] > pair[0]), "{times:?}");
}

#[test]
fn a_line_about_a_subscription_is_about_a_try_that_has_failed() {
    assert_lines_are_about_failures("unsubscribing", "FwpmBfeStateUnsubscribeChanges0", status::UNSUCCESSFUL);
}

/// Starts the engine on another processor, and holds that one up in its `nth` call of an import until this one, which unloads the
/// driver, calls `until`.
fn start_engine_while_unloading(rig: &Rig, import: &'static str, nth: u64, until: &'static str) {
    let meeting = Arc::new(Meeting::default());
    let hooked = Arc::clone(&meeting);
    rig.machine.on_import(move |call| {
        if call.name() == until {
            hooked.note(|seen| seen.called_until = true);
        }
        if call.name() == import {
            let is_nth = hooked.note(|seen| {
                seen.calls += 1;
                seen.calls == nth
            });
            if is_nth {
                hooked.wait_for(|seen| seen.called_until || seen.has_unloaded);
            }
        }
    });
    thread::scope(|scope| {
        let starts = scope.spawn(|| {
            let started = rig.machine.start_bfe();
            meeting.note(|seen| seen.has_started = true);
            started.unwrap();
        });
        meeting.wait_for(|seen| seen.calls >= nth || seen.has_started);
        let unloaded = rig.machine.stop_service(SERVICE);
        meeting.note(|seen| seen.has_unloaded = true);
        starts.join().unwrap();
        unloaded.unwrap();
    });
    let seen = meeting.seen.lock().unwrap();
    assert!(seen.calls >= nth && seen.called_until, "they do not meet: {seen:?}");
    rig.assert_clean();
}

/// Where two processors wait for each other. Neither waits for one that has come to its end: it would wait for ever.
#[derive(Default)]
struct Meeting {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    calls: u64,
    called_until: bool,
    has_started: bool,
    has_unloaded: bool,
}

impl Meeting {
    fn note<T>(&self, what: impl FnOnce(&mut Seen) -> T) -> T {
        let noted = what(&mut self.seen.lock().unwrap());
        self.changed.notify_all();
        noted
    }

    fn wait_for(&self, what: impl Fn(&Seen) -> bool) {
        drop(self.changed.wait_while(self.seen.lock().unwrap(), |seen| !what(seen)).unwrap());
    }
}

#[test]
fn an_unload_waits_for_the_one_who_adds_filters_and_deletes_them() {
    let rig = Rig::started();
    stop(&rig.machine);
    start_engine_while_unloading(&rig, "FwpmFilterAdd0", 1, "ExWaitForRundownProtectionRelease");
    assert_eq!((count(&rig, "filters added"), rig.machine.faults().calls("FwpmFilterAdd0")), (1, 16));
}

#[test]
fn a_change_that_is_told_when_the_driver_has_left_adds_nothing() {
    let rig = Rig::started();
    stop(&rig.machine);
    // START_PENDING is told first.
    start_engine_while_unloading(&rig, "ExAcquireRundownProtection", 2, "WdfObjectDelete");
    assert_eq!(rig.machine.faults().calls("FwpmFilterAdd0"), 8, "those of start");
}

#[test]
fn flows_whose_contexts_end_with_the_engine_are_closed_and_tagged_when_they_are_authorized_again() {
    for ends in [BfeStop::EndsContexts, BfeStop::EndsCallouts] {
        let rig = Rig::started();
        rig.set(|switches| switches.bfe_stop = ends);
        let flow = rig.open(&outbound());
        stop(&rig.machine);
        assert_eq!(field(&rig.line("close", flow), "why"), "deleted", "{ends:?}");
        rig.machine.start_bfe().unwrap();
        assert_eq!((rig.machine.wfp().callouts(), rig.machine.wfp().contexts()), (8, 0), "{ends:?}");
        rig.send(flow, 10);
        let opens = rig.lines_of("open");
        assert_eq!(opens.len(), 2, "{ends:?}: {opens:?}");
        assert_eq!(field(&opens[1], "origin"), "reauth", "{ends:?}");
        assert_tags(&rig);
        rig.stop();
    }
}

#[test]
fn callouts_that_end_with_the_engine_are_unregistered_once_more_at_unload_or_not_at_all() {
    for runs_again in [true, false] {
        let rig = Rig::started();
        rig.set(|switches| switches.bfe_stop = BfeStop::EndsCallouts);
        rig.open(&outbound());
        stop(&rig.machine);
        if runs_again {
            rig.machine.start_bfe().unwrap();
        }
        rig.stop();
        assert!(rig.lines_of("unregistering").is_empty(), "{:?}", rig.lines());
    }
}

#[test]
fn callouts_that_the_engine_does_not_take_anew_are_said_and_registered_at_its_next_start() {
    let rig = Rig::started();
    rig.set(|switches| switches.bfe_stop = BfeStop::EndsCallouts);
    rig.fail("FwpsCalloutRegister2", 3, Some(status::INSUFFICIENT_RESOURCES));
    restart(&rig.machine);
    let refused = "flowtag: filters not added step=FwpsCalloutRegister2 status=0xc000009a";
    assert_eq!(rig.lines_of("filters not"), [refused]);
    restart(&rig.machine);
    assert_tags(&rig);
    rig.stop();
}

#[test]
fn states_that_are_told_late_end_with_the_filters_in_the_engine() {
    let rig = Rig::started();
    rig.set(|switches| switches.bfe_told = Told::Later);
    for _ in 0..3 {
        restart(&rig.machine);
        restart(&rig.machine);
        rig.machine.tell_bfe_states().unwrap();
        assert_tags(&rig);
    }
    rig.stop();
}

#[test]
fn an_engine_that_has_the_filters_is_not_asked_again() {
    let rig = Rig::started();
    rig.set(|switches| switches.bfe_told = Told::Later);
    restart(&rig.machine);
    let before = rig.machine.faults().calls("FwpmEngineOpen0");
    rig.machine.tell_bfe_states().unwrap();
    let asked = rig.machine.faults().calls("FwpmEngineOpen0") - before;
    assert_eq!(
        asked, 3,
        "the two states of a stop and the first of a start may mean that all is gone; that it runs does not"
    );
    rig.stop();
}

#[test]
fn a_callout_that_is_registered_anew_in_name_only_is_still_unregistered_at_unload() {
    for hollow in [status::PENDING, status::OBJECT_NAME_EXISTS] {
        let rig = Rig::started();
        rig.fail("FwpsCalloutRegister2", 1, Some(hollow));
        restart(&rig.machine);
        rig.stop();
    }
}
