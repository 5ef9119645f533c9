//! Hanging the record on the flow, and every way in which that goes wrong.

use flowtag_simulator::wfp::{DyingFlow, status};

use flowtag_tests::rig::{Rig, field, outbound};

const ASSOCIATE: &str = "FwpsFlowAssociateContext0";

/// Opens one flow with the `nth` association failing by `status`, and returns the totals' opened, `associate_failed`
/// and `already_tagged`. Unload has found nothing left.
fn totals_with_failure(nth: u64, status: u32) -> [u64; 3] {
    let rig = Rig::started();
    rig.fail(ASSOCIATE, nth, Some(status));
    rig.open(&outbound());
    rig.stop();
    ["opened", "associate_failed", "already_tagged"].map(|name| rig.total(name))
}

#[test]
fn the_first_association_failing_frees_the_record() {
    assert_eq!(totals_with_failure(1, status::INVALID_PARAMETER), [0, 1, 0]);
}

#[test]
fn the_first_association_failing_for_want_of_memory_frees_the_record() {
    assert_eq!(totals_with_failure(1, status::NO_MEMORY), [0, 1, 0]);
}

#[test]
fn the_first_association_failing_with_name_exists_frees_the_new_record() {
    assert_eq!(totals_with_failure(1, status::OBJECT_NAME_EXISTS), [0, 0, 1]);
}

#[test]
fn another_success_code_of_the_first_association_is_not_taken_for_success() {
    assert_eq!(totals_with_failure(1, status::PENDING), [0, 1, 0]);
}

#[test]
fn the_second_association_failing_removes_the_first() {
    assert_eq!(totals_with_failure(2, status::INVALID_PARAMETER), [0, 1, 0]);
}

#[test]
fn the_second_association_failing_with_name_exists_removes_the_first() {
    assert_eq!(totals_with_failure(2, status::OBJECT_NAME_EXISTS), [0, 0, 1]);
}

#[test]
fn the_removal_after_a_failed_second_association_may_be_pending() {
    let rig = Rig::started();
    rig.set(|switches| switches.removal = flowtag_simulator::wfp::Removal::PendingUntilTold);
    rig.fail(ASSOCIATE, 2, Some(status::INVALID_PARAMETER));
    rig.open(&outbound());
    assert_eq!(rig.machine.run_deferred_deletes().unwrap(), 1);
    rig.stop();
}

#[test]
fn the_removal_after_a_failed_second_association_may_fail_and_is_repeated_at_unload() {
    let rig = Rig::started();
    rig.fail(ASSOCIATE, 2, Some(status::INVALID_PARAMETER));
    rig.fail("FwpsFlowRemoveContext0", 1, Some(status::UNSUCCESSFUL));
    rig.open(&outbound());
    assert_eq!(rig.machine.wfp().contexts(), 1);
    rig.stop();
}

#[test]
fn a_flow_ending_between_the_two_associations_leaves_nothing_behind() {
    let rig = Rig::started();
    rig.set(|switches| switches.end_flow_after_associations = Some(1));
    rig.open(&outbound());
    assert_eq!(rig.machine.wfp().contexts(), 0);
    assert_eq!(rig.machine.wfp().flows().len(), 0);
    rig.stop();
}

#[test]
fn a_flow_ending_inside_the_second_association_is_opened_and_closed() {
    let rig = Rig::started();
    rig.set(|switches| switches.end_flow_after_associations = Some(2));
    let flow = rig.open(&outbound());
    assert_eq!(field(&rig.line("close", flow), "why"), "deleted");
    rig.stop();
    assert_eq!((rig.total("opened"), rig.total("closed")), (1, 1));
}

#[test]
fn an_association_with_a_dying_flow_may_be_deleted_inline() {
    let rig = Rig::started();
    rig.set(|switches| {
        switches.end_flow_after_associations = Some(1);
        switches.dying_flow = DyingFlow::DeleteInline;
    });
    let flow = rig.open(&outbound());
    rig.line("close", flow);
    rig.stop();
}

#[test]
fn an_association_with_a_dying_flow_may_be_deleted_later() {
    let rig = Rig::started();
    rig.set(|switches| {
        switches.end_flow_after_associations = Some(1);
        switches.dying_flow = DyingFlow::DeleteLater;
    });
    let flow = rig.open(&outbound());
    rig.line("close", flow);
    rig.stop();
}

#[test]
fn a_flow_that_ends_is_closed_once_though_two_contexts_are_deleted() {
    let rig = Rig::started();
    let flow = rig.open(&outbound());
    rig.close(flow);
    assert_eq!(field(&rig.line("close", flow), "why"), "deleted");
    assert_eq!(rig.machine.pool().used_by(flow_tag()).blocks, 0);
    rig.stop();
}

/// The pool tag of flow records, read off the only new block that a flow makes.
fn flow_tag() -> flowtag_simulator::kernel::pool::Tag {
    let rig = Rig::started();
    let before = rig.machine.pool().live_blocks();
    rig.open(&outbound());
    let after = rig.machine.pool().live_blocks();
    let new: Vec<_> = after.iter().filter(|block| before.iter().all(|old| old.address != block.address)).collect();
    assert_eq!(new.len(), 1, "a flow takes one pool block");
    new[0].tag
}

#[test]
fn a_reused_handle_is_another_flow() {
    let rig = Rig::started();
    rig.set(|switches| switches.reuse_handles = true);
    let first = rig.open(&outbound());
    rig.close(first);
    let second = rig.open(&outbound());
    assert_eq!(first, second);
    rig.close(second);
    assert_eq!(rig.lines_of("open").len(), 2);
    assert_eq!(rig.lines_of("close").len(), 2);
    rig.stop();
}
