//! Sessions, transactions, objects and notifications, through the imports.

use super::*;

#[test]
fn a_sublayer_needs_a_name() {
    assert_eq!(Rig::new().add_sublayer(9, false), status::FWP_NULL_DISPLAY_NAME);
}

#[test]
fn a_filter_needs_its_callout_to_be_added() {
    let rig = Rig::new();
    rig.register(2, 0);
    assert_eq!(rig.add_filter(2, OUT, action::CALLOUT_INSPECTION), status::FWP_CALLOUT_NOT_FOUND);
}

#[test]
fn a_filter_needs_an_action_that_exists() {
    let rig = Rig::new();
    rig.add_callout(2, OUT);
    assert_eq!(rig.add_filter(2, OUT, action::CONTINUE), status::FWP_INVALID_ACTION_TYPE);
}

#[test]
fn a_callout_hears_of_a_new_filter() {
    let (_rig, _) = Rig::inspecting(OUT, 0);
    let (kind, key) = NOTIFIED.with_borrow(|all| all[0]);
    assert!(kind == super::super::abi::notify::ADD_FILTER && key != 0);
}

#[test]
fn classify_finds_the_context_that_notify_gave_the_filter() {
    FILTER_CONTEXT.set(Some(0x5150));
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    rig.open_flow();
    assert_eq!(TOLD.with_borrow(|all| all[0].filter_context), 0x5150);
}

/// `STATUS_SUCCESS` accepts the filter, and any other status is an error (DDI `FWPS_CALLOUT_NOTIFY_FN2`): `STATUS_WAIT_1` too, which
/// passes `NT_SUCCESS`.
#[test]
fn a_callout_can_veto_a_filter() {
    for answer in [status::UNSUCCESSFUL, 1] {
        let rig = Rig::new();
        rig.register(2, 0);
        rig.add_callout(2, OUT);
        NOTIFY_ANSWER.set(answer);
        let status = rig.add_filter(2, OUT, action::CALLOUT_INSPECTION);
        assert_eq!((status, rig.machine.wfp().filters()), (status::FWP_CALLOUT_NOTIFICATION_FAILED, 0), "{answer:#x}");
    }
}

#[test]
fn closing_the_session_removes_filters_and_tells_their_callout() {
    let (rig, _) = Rig::inspecting(OUT, 0);
    let status = rig.close();
    let last = NOTIFIED.with_borrow(|all| *all.last().unwrap());
    let deleted = (super::super::abi::notify::DELETE_FILTER, 0);
    assert_eq!((status, rig.machine.wfp().filters(), last), (status::SUCCESS, 0, deleted));
}

#[test]
fn a_filter_takes_effect_when_its_transaction_is_committed() {
    let rig = Rig::new();
    rig.import("FwpmTransactionBegin0", &[rig.session, 0]);
    rig.add_callout(2, OUT);
    rig.add_filter(2, OUT, action::CALLOUT_INSPECTION);
    let before = rig.machine.wfp().filters();
    rig.import("FwpmTransactionCommit0", &[rig.session]);
    assert_eq!((before, rig.machine.wfp().filters()), (0, 1));
}

#[test]
fn a_commit_can_report_an_error_and_yet_take_effect() {
    let rig = Rig::new();
    rig.set(|switches| switches.commit_error = Some(status::FWP_TXN_ABORTED));
    rig.import("FwpmTransactionBegin0", &[rig.session, 0]);
    rig.add_sublayer(9, true);
    let status = rig.import("FwpmTransactionCommit0", &[rig.session]);
    assert_eq!((status, rig.add_sublayer(9, true)), (status::FWP_TXN_ABORTED, status::FWP_ALREADY_EXISTS));
}

#[test]
fn a_stopped_service_takes_filters_along_and_leaves_callouts_and_contexts() {
    let (rig, callout) = Rig::inspecting(OUT, CONDITIONAL);
    rig.associate(rig.open_flow().0, OUT, callout, 7);
    rig.machine.stop_bfe().unwrap();
    let wfp = rig.machine.wfp();
    assert_eq!((wfp.filters(), wfp.callouts(), wfp.contexts()), (0, 1, 1));
}

#[test]
fn a_stopped_service_ends_sessions() {
    let rig = Rig::new();
    rig.machine.stop_bfe().unwrap();
    assert_eq!((rig.close(), rig.open(0)), (status::FWP_SESSION_ABORTED, Err(status::EPT_NOT_REGISTERED)));
}

#[test]
fn removing_the_filters_has_flows_authorized_again_without_any_callout() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    let flow = rig.open_flow();
    rig.close();
    rig.send(flow);
    assert_eq!(told().len(), 1);
}

#[test]
fn management_above_passive_level_is_a_bug_check() {
    let rig = Rig::new();
    let close = windows::address("fwpkclnt.sys", "FwpmEngineClose0").unwrap();
    let outcome = rig.machine.run(|cpu| cpu.at_irql(Irql::DISPATCH, || cpu.call(close, "close", &[rig.session])));
    assert_eq!(outcome.unwrap_err().code(), 0xA);
}
