//! Hanging the record on the flow, and every way in which that goes wrong.

use flowtag_simulator::wfp::{DyingFlow, HandleReuse, status};

use flowtag_tests::rig::{Rig, field, outbound};

const ASSOCIATE: &str = "FwpsFlowAssociateContext0";

/// The totals of a flow that is not tagged because Windows refused a context.
const FAILED: [(&str, u64); 4] = [("opened", 0), ("associate_failed", 1), ("busy", 0), ("gone", 0)];
/// The same because Windows has a context of it already.
const BUSY: [(&str, u64); 4] = [("opened", 0), ("associate_failed", 0), ("busy", 1), ("gone", 0)];
/// The same because it has ended.
const GONE: [(&str, u64); 4] = [("opened", 0), ("associate_failed", 0), ("busy", 0), ("gone", 1)];

/// Opens one flow with the `nth` association failing by `status`; unload finds nothing left, and this is counted.
fn assert_failure_is_counted(nth: u64, status: u32, expected: [(&str, u64); 4]) {
    let rig = Rig::started();
    rig.fail(ASSOCIATE, nth, Some(status));
    rig.open(&outbound());
    rig.stop();
    assert_eq!(expected.map(|(name, _)| (name, rig.total(name))), expected, "association {nth}: {status:#x}");
}

#[test]
fn an_association_failing_for_want_of_memory_frees_the_record() {
    for nth in [1, 2] {
        assert_failure_is_counted(nth, status::NO_MEMORY, FAILED);
        assert_failure_is_counted(nth, status::INSUFFICIENT_RESOURCES, FAILED);
    }
}

#[test]
fn an_association_failing_with_name_exists_frees_the_new_record() {
    for nth in [1, 2] {
        assert_failure_is_counted(nth, status::OBJECT_NAME_EXISTS, BUSY);
    }
}

#[test]
fn an_association_with_a_flow_that_has_ended_is_no_failure() {
    for nth in [1, 2] {
        assert_failure_is_counted(nth, status::NOT_FOUND, GONE);
        assert_failure_is_counted(nth, status::INVALID_PARAMETER, GONE);
    }
}

#[test]
fn another_success_code_of_an_association_is_not_taken_for_success() {
    for nth in [1, 2] {
        assert_failure_is_counted(nth, status::PENDING, FAILED);
    }
}

#[test]
fn the_first_association_that_windows_refuses_says_why() {
    let rig = Rig::started();
    for status in [status::NO_MEMORY, status::INSUFFICIENT_RESOURCES] {
        rig.fail(ASSOCIATE, 1, Some(status));
        rig.open(&outbound());
    }
    let line = format!("flowtag: lost first=associate_failed status={:#x} (totals at unload)", status::NO_MEMORY);
    assert_eq!(rig.lines_of("lost"), [line]);
    rig.stop();
}

#[test]
fn a_flow_that_ends_while_it_is_tagged_is_no_loss() {
    let rig = Rig::started();
    rig.fail(ASSOCIATE, 1, Some(status::NOT_FOUND));
    rig.open(&outbound());
    rig.stop();
    assert!(rig.lines_of("lost").is_empty());
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

/// Opens a flow that ends inside its `nth` association; it is neither opened nor closed, and counted.
fn assert_gone(nth: u32, dying_flow: DyingFlow) {
    let rig = Rig::started();
    rig.set(|switches| {
        switches.end_flow_after_associations = Some(nth);
        switches.dying_flow = dying_flow;
    });
    rig.open(&outbound());
    rig.stop();
    let totals = ["opened", "closed", "gone", "associate_failed"].map(|name| rig.total(name));
    assert_eq!(totals, [0, 0, 1, 0], "association {nth}, {dying_flow:?}");
    assert!(rig.lines_of("open").is_empty() && rig.lines_of("close").is_empty());
}

#[test]
fn a_flow_that_ends_inside_an_association_is_not_opened() {
    for nth in [1, 2] {
        for dying_flow in [DyingFlow::Refuse, DyingFlow::DeleteInline, DyingFlow::DeleteLater] {
            assert_gone(nth, dying_flow);
        }
    }
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
    rig.set(|switches| switches.handle_reuse = HandleReuse::AtOnce);
    let first = rig.open(&outbound());
    rig.close(first);
    let second = rig.open(&outbound());
    assert_eq!(first, second);
    rig.close(second);
    assert_eq!(rig.lines_of("open").len(), 2);
    assert_eq!(rig.lines_of("close").len(), 2);
    rig.stop();
}
