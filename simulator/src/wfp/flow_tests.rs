//! The rules of flows and contexts, without a driver.

use super::{super::Owner, *};

const OUT: Target = Target { layer: 16, callout: 1 };
const IN: Target = Target { layer: 12, callout: 2 };

fn spec(direction: Direction) -> Arc<FlowSpec> {
    Arc::new(FlowSpec {
        pid: Some(1),
        path: None,
        owner: Owner::default(),
        direction,
        protocol: 6,
        local: "10.0.0.1:1000".parse().unwrap(),
        remote: "10.0.0.2:80".parse().unwrap(),
    })
}

/// A table with one flow: its identity and handle.
fn one_flow() -> (Flows, FlowId, u64) {
    let mut flows = Flows::default();
    let id = flows.open(spec(Direction::Outbound), HandleReuse::Never);
    let handle = flows.get(id).unwrap().handle;
    (flows, id, handle)
}

fn associate(flows: &mut Flows, handle: u64, target: Target, context: u64) -> Associated {
    flows.associate(handle, target, context, DyingFlow::Refuse, Emptied::default())
}

#[test]
fn a_second_context_for_the_same_callout_is_refused() {
    let (mut flows, _, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    assert_eq!(associate(&mut flows, handle, OUT, 0x20), Associated::NameExists);
}

#[test]
fn each_callout_has_its_own_context() {
    let (mut flows, id, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    associate(&mut flows, handle, IN, 0x20);
    assert_eq!((flows.context(id, OUT), flows.context(id, IN)), (Some(0x10), Some(0x20)));
}

#[test]
fn associating_with_an_unknown_flow_is_refused() {
    let (mut flows, _, handle) = one_flow();
    assert_eq!(associate(&mut flows, handle + 1, OUT, 0x10), Associated::NoFlow);
}

#[test]
fn removing_is_immediate_while_nothing_is_classified() {
    let (mut flows, id, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    assert_eq!(flows.remove(handle, OUT), Removed::Now(Deletion { flow: id, target: OUT, context: 0x10 }));
}

#[test]
fn removing_twice_finds_no_context() {
    let (mut flows, _, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    flows.remove(handle, OUT);
    assert_eq!(flows.remove(handle, OUT), Removed::NoContext);
}

#[test]
fn removing_during_a_classify_waits_for_its_end() {
    let (mut flows, id, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    flows.enter(id, OUT);
    assert_eq!(flows.remove(handle, OUT), Removed::Later);
    assert_eq!(flows.leave(id, OUT), [Deletion { flow: id, target: OUT, context: 0x10 }]);
}

#[test]
fn removing_waits_for_the_last_of_several_classifies() {
    let (mut flows, id, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    flows.enter(id, OUT);
    flows.enter(id, OUT);
    flows.remove(handle, OUT);
    assert_eq!(flows.leave(id, OUT), []);
    assert_eq!(flows.leave(id, OUT), [Deletion { flow: id, target: OUT, context: 0x10 }]);
}

#[test]
fn a_classify_of_another_callout_does_not_defer_a_removal() {
    let (mut flows, id, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    flows.enter(id, IN);
    assert_eq!(flows.remove(handle, OUT), Removed::Now(Deletion { flow: id, target: OUT, context: 0x10 }));
}

#[test]
fn a_classify_that_starts_after_a_removal_gets_no_context() {
    let (mut flows, id, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    flows.enter(id, OUT);
    flows.remove(handle, OUT);
    assert_eq!(flows.context(id, OUT), None);
}

/// Takes a context off, and says at each step until its flowDeleteFn has returned whether another one is taken.
fn taken_at_each_step(emptied: Emptied) -> [bool; 3] {
    let (mut flows, id, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    let Removed::Now(deletion) = flows.remove(handle, OUT) else { panic!("nothing is classified") };
    let mut context = 0x10;
    let mut is_taken = |flows: &mut Flows| {
        context += 0x10;
        if flows.associate(handle, OUT, context, DyingFlow::Refuse, emptied) == Associated::NameExists {
            return false;
        }
        flows.get_mut(id).unwrap().slot(OUT).context = None;
        true
    };
    let waits = is_taken(&mut flows);
    flows.deletion_begins(deletion);
    let runs = is_taken(&mut flows);
    flows.deletion_ends(deletion);
    [waits, runs, is_taken(&mut flows)]
}

#[test]
fn a_context_that_is_taken_off_is_in_the_way_until_its_delete_function_is_called() {
    assert_eq!(taken_at_each_step(Emptied::BeforeDelete), [false, true, true]);
}

#[test]
fn a_context_that_is_taken_off_may_be_in_the_way_until_its_delete_function_has_returned() {
    assert_eq!(taken_at_each_step(Emptied::AfterDelete), [false, false, true]);
}

#[test]
fn a_context_that_is_taken_off_may_be_out_of_the_way_at_once() {
    assert_eq!(taken_at_each_step(Emptied::AtOnce), [true, true, true]);
}

#[test]
fn a_context_that_waits_for_a_classify_is_in_the_way() {
    let (mut flows, id, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    flows.enter(id, OUT);
    flows.remove(handle, OUT);
    let before = associate(&mut flows, handle, OUT, 0x20);
    let owed = flows.leave(id, OUT);
    flows.deletion_begins(owed[0]);
    assert_eq!((before, associate(&mut flows, handle, OUT, 0x20)), (Associated::NameExists, Associated::Done));
}

#[test]
fn the_end_of_a_flow_deletes_every_context() {
    let (mut flows, id, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    associate(&mut flows, handle, IN, 0x20);
    let owed = flows.end(id, FlowEnd::Waits).unwrap();
    assert_eq!(
        owed,
        [Deletion { flow: id, target: OUT, context: 0x10 }, Deletion { flow: id, target: IN, context: 0x20 }]
    );
}

#[test]
fn the_end_of_a_flow_waits_only_for_the_callout_being_classified() {
    let (mut flows, id, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    associate(&mut flows, handle, IN, 0x20);
    flows.enter(id, OUT);
    assert_eq!(flows.end(id, FlowEnd::Waits).unwrap(), [Deletion { flow: id, target: IN, context: 0x20 }]);
    assert_eq!(flows.leave(id, OUT), [Deletion { flow: id, target: OUT, context: 0x10 }]);
}

#[test]
fn the_end_of_a_flow_may_not_wait_for_a_classify() {
    let (mut flows, id, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    flows.enter(id, OUT);
    let owed = flows.end(id, FlowEnd::DoesNotWait).unwrap();
    assert_eq!(owed, [Deletion { flow: id, target: OUT, context: 0x10 }]);
    assert_eq!(flows.leave(id, OUT), []);
}

#[test]
fn the_end_of_a_flow_that_does_not_wait_pays_a_pending_removal() {
    let (mut flows, id, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    flows.enter(id, OUT);
    flows.remove(handle, OUT);
    let owed = flows.end(id, FlowEnd::DoesNotWait).unwrap();
    assert_eq!(owed, [Deletion { flow: id, target: OUT, context: 0x10 }]);
}

#[test]
fn a_flow_ends_once() {
    let (mut flows, id, _) = one_flow();
    flows.enter(id, OUT);
    flows.end(id, FlowEnd::Waits);
    assert_eq!(flows.end(id, FlowEnd::Waits), None);
}

#[test]
fn a_dying_flow_refuses_an_association() {
    let (mut flows, id, handle) = one_flow();
    flows.enter(id, IN);
    flows.end(id, FlowEnd::Waits);
    assert_eq!(flows.associate(handle, OUT, 0x10, DyingFlow::Refuse, Emptied::default()), Associated::Dying);
}

#[test]
fn a_dying_flow_deletes_a_late_context_when_its_classify_ends() {
    let (mut flows, id, handle) = one_flow();
    flows.enter(id, IN);
    flows.end(id, FlowEnd::Waits);
    assert_eq!(flows.associate(handle, OUT, 0x10, DyingFlow::DeleteLater, Emptied::default()), Associated::Done);
    assert_eq!(flows.leave(id, IN), [Deletion { flow: id, target: OUT, context: 0x10 }]);
}

#[test]
fn a_dying_flow_can_delete_a_late_context_at_once() {
    let (mut flows, id, handle) = one_flow();
    flows.enter(id, IN);
    flows.end(id, FlowEnd::Waits);
    let associated = flows.associate(handle, OUT, 0x10, DyingFlow::DeleteInline, Emptied::default());
    assert_eq!(associated, Associated::DoneAndDeleted(Deletion { flow: id, target: OUT, context: 0x10 }));
}

#[test]
fn a_late_context_of_a_dying_flow_cannot_be_removed() {
    let (mut flows, id, handle) = one_flow();
    flows.enter(id, IN);
    flows.end(id, FlowEnd::Waits);
    flows.associate(handle, OUT, 0x10, DyingFlow::DeleteLater, Emptied::default());
    assert_eq!(flows.remove(handle, OUT), Removed::NoContext);
}

#[test]
fn a_handle_is_used_again_at_once_when_asked_for() {
    let (mut flows, id, handle) = one_flow();
    flows.end(id, FlowEnd::Waits);
    let next = flows.open(spec(Direction::Outbound), HandleReuse::AtOnce);
    assert_eq!(flows.get(next).unwrap().handle, handle);
}

#[test]
fn a_handle_can_be_used_again_before_any_context_of_the_old_flow_is_deleted() {
    let (mut flows, id, handle) = one_flow();
    associate(&mut flows, handle, OUT, 0x10);
    let owed = flows.end(id, FlowEnd::Waits).unwrap();
    let next = flows.open(spec(Direction::Outbound), HandleReuse::AfterClassifies);
    assert_eq!((flows.get(next).unwrap().handle, owed.len()), (handle, 1));
    assert_eq!(associate(&mut flows, handle, OUT, 0x20), Associated::Done);
}

#[test]
fn a_handle_can_be_used_again_only_after_the_classifies_of_its_flow() {
    let (mut flows, id, handle) = one_flow();
    flows.enter(id, OUT);
    flows.end(id, FlowEnd::Waits);
    let during = flows.open(spec(Direction::Outbound), HandleReuse::AfterClassifies);
    flows.leave(id, OUT);
    let after = flows.open(spec(Direction::Outbound), HandleReuse::AfterClassifies);
    assert_ne!(flows.get(during).unwrap().handle, handle);
    assert_eq!(flows.get(after).unwrap().handle, handle);
}

#[test]
fn a_handle_is_not_used_again_by_default() {
    let (mut flows, id, handle) = one_flow();
    flows.end(id, FlowEnd::Waits);
    let next = flows.open(spec(Direction::Outbound), HandleReuse::Never);
    assert_ne!(flows.get(next).unwrap().handle, handle);
}

#[test]
fn a_handle_used_again_names_the_new_flow_while_the_old_one_dies() {
    let (mut flows, old, handle) = one_flow();
    flows.enter(old, OUT);
    flows.end(old, FlowEnd::Waits);
    let new = flows.open(spec(Direction::Outbound), HandleReuse::AtOnce);
    flows.leave(old, OUT);
    assert_eq!(flows.live(handle), Some(new));
}

#[test]
fn an_ended_flow_leaves_nothing_behind() {
    let (mut flows, id, _) = one_flow();
    flows.enter(id, OUT);
    flows.end(id, FlowEnd::Waits);
    flows.leave(id, OUT);
    assert!(flows.table.is_empty() && flows.by_handle.is_empty());
}

#[test]
fn only_flows_of_the_changed_layer_are_authorized_again() {
    let mut flows = Flows::default();
    let outbound = flows.open(spec(Direction::Outbound), HandleReuse::Never);
    let inbound = flows.open(spec(Direction::Inbound), HandleReuse::Never);
    flows.mark_for_reauthorization(Layer { point: Point::AuthConnect, family: Family::V4 });
    assert!(flows.get(outbound).unwrap().reauthorize);
    assert!(!flows.get(inbound).unwrap().reauthorize);
}
