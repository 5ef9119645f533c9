//! Leaving the filter engine: it may fail for a moment or for good, and no later start may be kept out by it.

use std::time::Duration;

use flowtag_simulator::{
    service::ServiceError,
    wfp::status::{self, Status},
};

use flowtag_tests::rig::{Rig, field, outbound};

use crate::unload::{assert_lines_are_about_failures, stop};

/// Every step of deleting what is in the filter engine.
const STEPS: [&str; 7] = [
    "FwpmEngineOpen0",
    "FwpmTransactionBegin0",
    "FwpmFilterDeleteByKey0",
    "FwpmCalloutDeleteByKey0",
    "FwpmSubLayerDeleteByKey0",
    "FwpmProviderDeleteByKey0",
    "FwpmTransactionCommit0",
];
const CLOSE: &str = "FwpmEngineClose0";

/// What a step may answer that is over in a moment.
const PASSING: [Status; 3] = [status::RPC_CALL_FAILED, status::FWP_TIMEOUT, status::NO_MEMORY];

/// A driver that was stopped while its filters could not be deleted.
fn left_behind() -> Rig {
    const DELETE: &str = "FwpmFilterDeleteByKey0";
    let stopped_with_failures = |times| {
        let rig = Rig::started();
        rig.machine.faults().fail_times(DELETE, 1, times, Some(status::RPC_CALL_FAILED));
        stop(&rig);
        rig
    };
    // So many as there are tries: the next life has none of them.
    let tries = stopped_with_failures(u64::MAX / 2).machine.faults().calls(DELETE);
    let rig = stopped_with_failures(tries);
    assert_eq!((rig.machine.wfp().filters(), rig.machine.wfp().sessions()), (8, 0));
    rig
}

#[test]
fn a_step_that_fails_for_a_moment_is_tried_again() {
    for step in STEPS {
        for answer in PASSING {
            let rig = Rig::started();
            rig.machine.faults().fail_times(step, 1, 5, Some(answer));
            rig.stop();
            assert!(rig.lines_of("engine not closed").is_empty(), "{step}, {answer:#x}: {:?}", rig.lines());
        }
    }
}

#[test]
fn what_is_not_there_or_in_use_by_others_is_left_and_the_rest_deleted_at_once() {
    for (step, answer) in [
        ("FwpmFilterDeleteByKey0", status::FWP_FILTER_NOT_FOUND),
        ("FwpmCalloutDeleteByKey0", status::FWP_CALLOUT_NOT_FOUND),
        ("FwpmCalloutDeleteByKey0", status::FWP_IN_USE),
        ("FwpmSubLayerDeleteByKey0", status::FWP_SUBLAYER_NOT_FOUND),
        ("FwpmSubLayerDeleteByKey0", status::FWP_IN_USE),
        ("FwpmProviderDeleteByKey0", status::FWP_PROVIDER_NOT_FOUND),
        ("FwpmProviderDeleteByKey0", status::FWP_IN_USE),
    ] {
        let rig = Rig::started();
        rig.fail(step, 1, Some(answer));
        let took = stop(&rig);
        assert!(took.is_zero(), "{step}, {answer:#x}: {took:?}");
        assert_eq!(rig.machine.faults().calls("FwpmTransactionCommit0"), 2, "start's and one of leaving");
        assert!(rig.machine.wfp().managed_objects() <= 4, "{step}, {answer:#x}: more than it and what it names");
        assert!(rig.lines_of("engine not closed").is_empty(), "{step}, {answer:#x}: {:?}", rig.lines());
    }
}

#[test]
fn what_is_answered_of_other_objects_is_a_failure() {
    for answer in [status::FWP_SESSION_ABORTED, status::FWP_NO_TXN_IN_PROGRESS, status::FWP_WRONG_SESSION] {
        for step in &STEPS[2..6] {
            let rig = Rig::started();
            rig.fail(step, 1, Some(answer));
            rig.stop();
            assert_eq!(rig.machine.faults().calls("FwpmTransactionCommit0"), 2, "start's and the second of leaving");
            assert_eq!(rig.machine.faults().calls("FwpmTransactionAbort0"), 1, "{step}, {answer:#x}");
        }
    }
}

#[test]
fn an_abort_that_fails_does_not_keep_the_next_try_out() {
    let rig = Rig::started();
    rig.fail("FwpmFilterDeleteByKey0", 3, Some(status::RPC_CALL_FAILED));
    rig.fail("FwpmTransactionAbort0", 1, Some(status::RPC_CALL_FAILED));
    rig.stop();
}

#[test]
fn a_step_that_keeps_failing_is_given_up_after_five_seconds_and_said_to_be_tried_each_second() {
    for step in STEPS {
        let rig = Rig::started();
        rig.machine.faults().fail_times(step, 1, u64::MAX / 2, Some(status::RPC_CALL_FAILED));
        let took = stop(&rig);
        assert!((5.0..7.0).contains(&took.as_secs_f64()), "{step}: {took:?}");
        let tries = rig.lines_of("closing");
        assert!((3..=5).contains(&tries.len()), "{step}: {tries:?}");
        assert!(tries.iter().all(|line| field(line, "step") == step), "{tries:?}");
        assert!(
            tries.iter().all(|line| field(line, "ms").parse::<u64>().unwrap() < 5_000),
            "the last try is given up, and said once: {tries:?}"
        );
        let given_up = format!("flowtag: engine not closed step={step} status=0xc002001b");
        assert_eq!(rig.lines_of("engine not closed"), [given_up]);
        assert_eq!((rig.machine.wfp().contexts(), rig.machine.wfp().callouts()), (0, 0));
    }
}

#[test]
fn a_line_about_leaving_is_about_a_try_that_has_failed() {
    assert_lines_are_about_failures("closing", "FwpmTransactionBegin0", status::RPC_CALL_FAILED);
}

#[test]
fn a_session_that_does_not_close_is_not_closed_twice_and_keeps_no_later_start_out() {
    let rig = Rig::started();
    rig.fail(CLOSE, 1, Some(status::RPC_CALL_FAILED));
    let took = stop(&rig);
    assert!(took.is_zero(), "{took:?}");
    // One of start's, one of leaving's.
    assert_eq!((rig.machine.faults().calls(CLOSE), rig.machine.wfp().filters()), (2, 0));
    assert_eq!(
        rig.lines_of("engine not closed"),
        ["flowtag: engine not closed step=FwpmEngineClose0 status=0xc002001b"]
    );
    rig.start().unwrap();
    assert!(rig.lines_of("leftovers").is_empty());
    rig.machine.stop_service("flowtag").unwrap();
}

#[test]
fn a_session_that_does_not_close_has_no_transaction_that_keeps_the_next_try_out() {
    let rig = Rig::started();
    rig.fail("FwpmFilterDeleteByKey0", 3, Some(status::RPC_CALL_FAILED));
    rig.fail(CLOSE, 1, Some(status::RPC_CALL_FAILED));
    let took = stop(&rig);
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!((rig.machine.wfp().managed_objects(), rig.lines_of("closing").len()), (0, 0));
}

#[test]
fn no_transaction_is_left_open_when_leaving_is_given_up() {
    let rig = Rig::started();
    for step in ["FwpmFilterDeleteByKey0", "FwpmTransactionAbort0"] {
        rig.machine.faults().fail_times(step, 1, u64::MAX / 2, Some(status::RPC_CALL_FAILED));
    }
    stop(&rig);
    assert_eq!(rig.machine.wfp().sessions(), 0, "a session that ends aborts its transaction");
}

#[test]
fn leaving_an_engine_that_has_stopped_takes_no_time() {
    let rig = Rig::started();
    rig.machine.stop_bfe().unwrap();
    let took = stop(&rig);
    assert!(took.is_zero(), "{took:?}");
    assert!(rig.lines_of("engine not closed").is_empty(), "what it had it has taken along: {:?}", rig.lines());
    rig.assert_clean();
}

#[test]
fn what_an_earlier_life_could_not_delete_the_next_start_deletes_and_adds_anew() {
    let rig = left_behind();
    rig.start().unwrap();
    assert_eq!(rig.lines_of("leftovers").len(), 1);
    assert_eq!(rig.machine.wfp().filters(), 8);
    let flow = rig.open(&outbound());
    rig.line("open", flow);
    rig.stop();
}

#[test]
fn a_start_without_leftovers_says_nothing_of_them_and_deletes_nothing() {
    let rig = Rig::started();
    assert!(rig.lines_of("leftovers").is_empty());
    assert_eq!(rig.machine.faults().calls("FwpmFilterDeleteByKey0"), 0);
    rig.stop();
}

#[test]
fn leftovers_that_cannot_be_deleted_make_start_fail_with_that_step() {
    let rig = left_behind();
    rig.machine.faults().fail_times("FwpmCalloutDeleteByKey0", 1, 1, Some(status::FWP_WRONG_SESSION));
    let error = rig.start().unwrap_err();
    assert!(matches!(error, ServiceError::Entry(status::FWP_WRONG_SESSION)), "{error}");
    assert_eq!(rig.lines_of("load failed"), ["flowtag: load failed step=FwpmCalloutDeleteByKey0 status=0xc022000c"]);
    assert_eq!(rig.lines_of("leftovers"), ["flowtag: leftovers found"]);
    rig.assert_clean();
}

#[test]
fn while_another_copy_has_the_callouts_start_fails_and_leaves_its_objects_alone() {
    let rig = left_behind();
    rig.fail("FwpsCalloutRegister2", 1, Some(status::FWP_ALREADY_EXISTS));
    let deleted = rig.machine.faults().calls("FwpmFilterDeleteByKey0");
    rig.start().unwrap_err();
    assert_eq!(rig.lines_of("load failed"), ["flowtag: load failed step=FwpsCalloutRegister2 status=0xc0220009"]);
    assert_eq!(rig.machine.wfp().filters(), 8);
    assert_eq!(rig.machine.faults().calls("FwpmFilterDeleteByKey0"), deleted);
}
