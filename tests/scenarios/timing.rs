//! How long things take: in passes, and in the virtual time that only waiting lets pass.

use std::{thread, time::Duration};

use flowtag_simulator::wfp::{Removal, status};

use flowtag_tests::rig::{Rig, field, outbound};

const REMOVE: &str = "FwpsFlowRemoveContext0";
const DELAY: &str = "KeDelayExecutionThread";

/// Opens `flows` flows and stops the driver; the calls of [`REMOVE`] and of [`DELAY`] meanwhile.
fn unload(rig: &Rig, flows: usize) -> [u64; 2] {
    for _ in 0..flows {
        rig.open(&outbound());
    }
    let calls = || [REMOVE, DELAY].map(|import| rig.machine.faults().calls(import));
    let before = calls();
    rig.stop();
    let after = calls();
    [after[0] - before[0], after[1] - before[1]]
}

#[test]
fn a_full_ring_of_65536_flows_drains_in_one_pass_without_waiting() {
    let rig = Rig::with_settings(&[("TraceLevel", 0), ("MaxFlows", 65_536)]);
    assert_eq!(unload(&rig, 65_536), [2 * 65_536, 0]);
}

#[test]
fn an_unload_without_flows_removes_nothing_and_does_not_wait() {
    assert_eq!(unload(&Rig::started(), 0), [0, 0]);
}

/// The milliseconds of virtual time that `sc stop` takes, once Windows has been told to `hinder` it.
fn stopping_takes(hinder: impl Fn(&Rig)) -> u128 {
    let rig = Rig::started();
    rig.open(&outbound());
    hinder(&rig);
    let began = rig.machine.clock().since_start().as_millis();
    rig.stop();
    rig.machine.clock().since_start().as_millis() - began
}

#[test]
fn a_removal_that_fails_once_is_tried_again_after_ten_milliseconds() {
    let failing =
        |times| stopping_takes(|rig| rig.machine.faults().fail_times(REMOVE, 1, times, Some(status::UNSUCCESSFUL)));
    assert_eq!([failing(2), failing(4), failing(6)], [10, 10 + 20, 10 + 20 + 40]);
}

#[test]
fn a_callout_that_is_busy_once_is_unregistered_after_ten_milliseconds() {
    assert_eq!(stopping_takes(|rig| rig.set(|switches| switches.busy_answers = 1)), 10);
}

#[test]
fn no_wait_is_longer_than_a_second() {
    // 10 + 20 + … + 640 is 1,270, and from then on each wait is a second.
    let busy = |times| stopping_takes(|rig| rig.set(|switches| switches.busy_answers = times));
    assert_eq!([busy(7), busy(8), busy(17)], [1_270, 2_270, 11_270]);
}

#[test]
fn while_it_drains_a_line_comes_each_second() {
    let rig = Rig::started();
    rig.open(&outbound());
    rig.machine.faults().fail_times(REMOVE, 1, 2 * 12, Some(status::UNSUCCESSFUL));
    rig.stop();
    // The thirteenth pass removes the contexts, after the waits of 10, 20, …, 640 and five of 1,000 ms.
    let lines: Vec<_> = (8..=12)
        .map(|pass| {
            let (ms, failed) = (270 + 1_000 * (pass - 7), 2 * pass);
            format!("flowtag: draining live=1 ms={ms} removed=0 pending=0 unsuccessful={failed} other=0")
        })
        .collect();
    assert_eq!(rig.lines_of("draining")[..5], lines[..]);
}

#[test]
fn the_line_says_what_each_removal_has_answered() {
    const ACCESS_DENIED: u32 = 0xc000_0022;
    let rig = Rig::started();
    rig.open(&outbound());
    rig.open(&outbound());
    // Both contexts of the first flow go in the first pass; those of the other are refused.
    let refused = [(3, 3, status::UNSUCCESSFUL), (6, 5, status::PENDING), (11, 100, ACCESS_DENIED)];
    for (nth, times, answer) in refused {
        rig.machine.faults().fail_times(REMOVE, nth, times, Some(answer));
    }
    rig.stop();
    // The eighth pass, after waits of 10, 20, …, 640 ms: sixteen answers for the second flow.
    let line = "flowtag: draining live=1 ms=1270 removed=2 pending=5 unsuccessful=3 other=8";
    assert_eq!(rig.lines_of("draining")[0], line);
}

#[test]
fn while_many_flows_are_drained_a_line_comes_each_second_all_the_same() {
    let rig = Rig::started();
    for _ in 0..100 {
        rig.open(&outbound());
    }
    // Ten passes, the last at 3,270 ms, each in four parts.
    rig.machine.faults().fail_times(REMOVE, 1, 2 * 100 * 10, Some(status::UNSUCCESSFUL));
    rig.stop();
    let lines = rig.lines_of("draining");
    let times: Vec<_> = lines.iter().map(|line| field(line, "ms")).collect();
    assert_eq!(times, ["1270", "2270", "3270", "4270"]);
}

#[test]
fn the_lines_of_closed_flows_stop_two_seconds_after_draining_began() {
    let rig = Rig::started();
    let flows: Vec<_> = (0..3).map(|_| rig.open(&outbound())).collect();
    rig.set(|switches| switches.removal = Removal::PendingUntilTold);
    thread::scope(|scope| {
        let stop = scope.spawn(|| rig.machine.stop_service("flowtag").map(drop));
        let drained =
            |ms: u64| rig.lines_of("draining").iter().any(|line| field(line, "ms").parse::<u64>().unwrap() >= ms);
        while !drained(3_000) {
            assert!(!stop.is_finished(), "unload returned with contexts pending");
            thread::sleep(Duration::from_millis(1));
        }
        rig.machine.run_deferred_deletes().unwrap();
        stop.join().unwrap().unwrap();
    });
    assert!(rig.lines_of("close").is_empty(), "{} flows were open", flows.len());
    assert_eq!(rig.total("closed"), 3);
    rig.assert_clean();
}

#[test]
fn a_flow_that_is_let_go_of_later_than_two_seconds_has_no_line() {
    // The eighth pass is at 1,270 ms, the ninth at 2,270.
    for (passes, lines) in [(7, 1), (8, 0)] {
        let rig = Rig::started();
        rig.open(&outbound());
        rig.machine.faults().fail_times(REMOVE, 1, 2 * passes, Some(status::UNSUCCESSFUL));
        rig.stop();
        assert_eq!(rig.lines_of("close").len(), lines, "after {passes} passes in vain");
        assert_eq!(rig.total("closed"), 1);
    }
}
