//! `sc stop`: giving everything back, whatever Windows answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use flowtag_simulator::wfp::{
    Removal,
    status::{self, Status},
};

use flowtag_tests::rig::{Rig, SERVICE, field, inbound, outbound, over_v6};

const REMOVE: &str = "FwpsFlowRemoveContext0";

/// Stops the driver; how long that takes by the machine's clock.
pub fn stop(rig: &Rig) -> Duration {
    let began = rig.machine.clock().since_start();
    rig.machine.stop_service(SERVICE).unwrap();
    rig.machine.clock().since_start().saturating_sub(began)
}

/// A driver with one open flow of each kind.
fn with_open_flows() -> Rig {
    let rig = Rig::started();
    for spec in [outbound(), inbound(), over_v6(outbound()), over_v6(inbound())] {
        rig.open(&spec);
    }
    rig
}

/// Unloads a driver for which an import of unload fails a few times: what a line says of it comes before the try that succeeds, with
/// which unload is over by the machine's clock.
pub fn assert_lines_are_about_failures(event: &str, import: &str, status: Status) {
    for failures in 1..=10 {
        let rig = Rig::started();
        rig.machine.faults().fail_times(import, 1, failures, Some(status));
        let took = stop(&rig);
        rig.assert_clean();
        for line in rig.lines_of(event) {
            let said = Duration::from_millis(field(&line, "ms").parse().unwrap());
            assert!(said < took, "{failures} failures: the try after {took:?} succeeded: {line}");
        }
    }
}

#[test]
fn open_flows_are_closed_by_unload() {
    let rig = with_open_flows();
    rig.stop();
    let closes = rig.lines_of("close");
    assert_eq!(closes.len(), 4);
    assert!(closes.iter().all(|line| field(line, "why") == "unload"));
    assert_eq!((rig.total("opened"), rig.total("closed")), (4, 4));
}

#[test]
fn flows_live_on_untagged_after_unload() {
    let rig = Rig::started();
    let flow = rig.open(&outbound());
    rig.stop();
    rig.send(flow, 10);
    rig.close(flow);
    rig.assert_clean();
}

#[test]
fn unload_repeats_removals_that_fail_although_the_context_is_there() {
    let rig = with_open_flows();
    rig.machine.faults().fail_times(REMOVE, 1, 20, Some(status::UNSUCCESSFUL));
    rig.stop();
    assert_eq!(rig.total("closed"), 4);
}

#[test]
fn unload_repeats_removals_that_fail_in_undocumented_ways() {
    let rig = with_open_flows();
    rig.machine.faults().fail_times(REMOVE, 1, 20, Some(status::NO_MEMORY));
    rig.stop();
}

#[test]
fn a_removal_said_to_be_pending_that_never_happens_is_repeated() {
    let rig = with_open_flows();
    rig.machine.faults().fail_times(REMOVE, 1, 8, Some(status::PENDING));
    rig.stop();
}

#[test]
fn a_removal_that_reports_an_error_and_yet_removed_is_no_leak() {
    let rig = with_open_flows();
    rig.set(|switches| switches.removal_error = Some(status::UNSUCCESSFUL));
    rig.stop();
}

#[test]
fn unload_waits_for_pending_removals() {
    let rig = with_open_flows();
    rig.set(|switches| switches.removal = Removal::PendingUntilTold);
    thread::scope(|scope| {
        let stop = scope.spawn(|| rig.machine.stop_service("flowtag").map(drop));
        while rig.lines_of("draining").is_empty() {
            assert!(!stop.is_finished(), "unload returned with contexts pending");
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(rig.machine.run_deferred_deletes().unwrap(), 8);
        stop.join().unwrap().unwrap();
    });
    rig.assert_clean();
}

#[test]
fn removals_pending_by_chance_are_waited_for() {
    for seed in 0..8 {
        let options = flowtag_simulator::Options { seed, ..Default::default() };
        let rig = Rig::with_options(options, &[("TraceLevel", 1)]);
        rig.start().unwrap();
        rig.set(|switches| switches.removal = Removal::PendingByChance);
        for _ in 0..50 {
            rig.open(&outbound());
        }
        rig.stop();
    }
}

#[test]
fn a_callout_that_stays_busy_is_unregistered_in_the_end() {
    let rig = with_open_flows();
    rig.set(|switches| switches.busy_answers = 25);
    rig.stop();
}

#[test]
fn a_callout_that_another_thread_is_using_is_unregistered_in_the_end() {
    let rig = with_open_flows();
    rig.machine.faults().fail_times("FwpsCalloutUnregisterById0", 3, 5, Some(status::FWP_IN_USE));
    rig.stop();
}

#[test]
fn while_a_callout_stays_busy_a_line_is_traced_each_second() {
    let rig = Rig::started();
    rig.set(|switches| switches.busy_answers = 200);
    rig.stop();
    let lines = rig.lines_of("unregistering");
    assert!(lines.len() >= 2, "{:?}", rig.lines());
    let times: Vec<u64> = lines.iter().map(|line| field(line, "ms").parse().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 1_000), "{times:?}");
}

#[test]
fn a_line_about_a_busy_callout_is_about_a_try_that_has_failed() {
    assert_lines_are_about_failures("unregistering", "FwpsCalloutUnregisterById0", status::FWP_IN_USE);
}

#[test]
fn the_totals_are_the_last_that_is_said() {
    let rig = with_open_flows();
    rig.set(|switches| switches.busy_answers = 200);
    rig.stop();
    assert!(!rig.lines_of("unregistering").is_empty(), "{:?}", rig.lines());
    assert!(rig.lines().last().unwrap().starts_with("flowtag: totals "), "{:?}", rig.lines());
}

#[test]
fn a_callout_that_is_already_gone_counts_as_unregistered() {
    let rig = Rig::started();
    rig.fail("FwpsCalloutUnregisterById0", 1, Some(status::FWP_CALLOUT_NOT_FOUND));
    rig.machine.stop_service("flowtag").unwrap_err();
    let verdict =
        rig.machine.referee().verdict().expect("the callout that was not really gone is found by the referee");
    assert!(verdict.reason().contains("callout"), "{verdict}");
}

#[test]
fn with_the_base_filtering_engine_stopped_unload_still_gives_everything_back() {
    let rig = with_open_flows();
    rig.machine.stop_bfe().unwrap();
    rig.stop();
    assert_eq!(rig.total("closed"), 4);
}

#[test]
fn an_engine_that_fails_to_close_does_not_stop_unload() {
    let rig = with_open_flows();
    rig.fail("FwpmEngineClose0", 1, Some(status::EPT_NOT_REGISTERED));
    rig.machine.stop_service("flowtag").unwrap();
    assert_eq!(rig.lines_of("engine not closed").len(), 1);
    assert_eq!((rig.machine.wfp().contexts(), rig.machine.wfp().callouts()), (0, 0));
}

#[test]
fn an_unload_that_never_ends_is_ended_by_the_referee() {
    let rig = with_open_flows();
    rig.machine.faults().fail_times(REMOVE, 1, u64::MAX / 2, Some(status::UNSUCCESSFUL));
    rig.machine.stop_service("flowtag").unwrap_err();
    let verdict = rig.machine.referee().verdict().unwrap();
    assert_eq!(verdict.code(), 0xE2, "{verdict}");
}

#[test]
fn ten_thousand_open_flows_are_drained() {
    let rig = Rig::with_settings(&[("TraceLevel", 0)]);
    for _ in 0..10_000 {
        rig.open(&outbound());
    }
    rig.stop();
    assert_eq!((rig.total("opened"), rig.total("closed")), (10_000, 10_000));
}

#[test]
fn the_image_stays_for_as_long_as_its_device_object_is_referenced() {
    let rig = Rig::installed(&[]);
    let (device, unbound) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (its_device, has_unbound) = (Arc::clone(&device), Arc::clone(&unbound));
    rig.machine.on_import(move |call| match call.name() {
        "FwpsCalloutRegister2" => its_device.store(call.arg(0), Ordering::Relaxed),
        "WdfVersionUnbind" => has_unbound.store(true, Ordering::Relaxed),
        _ => {}
    });
    rig.start().unwrap();
    let device = device.load(Ordering::Relaxed);
    assert!(rig.machine.device_objects().reference(device), "callouts are registered for a device object");
    thread::scope(|scope| {
        let stop = scope.spawn(|| rig.machine.stop_service("flowtag"));
        while !unbound.load(Ordering::Relaxed) {
            assert!(!stop.is_finished(), "unload has not unbound from the framework");
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(100));
        assert!(rig.machine.image().is_some(), "the image is unmapped while its device object is referenced");
        rig.machine.device_objects().dereference(device);
        stop.join().unwrap().unwrap();
    });
    assert!(rig.machine.image().is_none());
    rig.assert_clean();
}
