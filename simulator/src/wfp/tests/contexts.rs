//! Contexts as the driver sees them: statuses, and when flowDeleteFn runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use super::*;

#[test]
fn a_context_without_a_value_is_refused() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    assert_eq!(rig.associate(rig.open_flow().0, OUT, callout, 0), status::INVALID_PARAMETER);
}

#[test]
fn a_callout_without_delete_function_is_refused_a_context() {
    let rig = Rig::new();
    let (_, callout) = rig.try_register(2, 0, 0);
    assert_eq!(rig.associate(rig.open_flow().0, OUT, callout, 7), status::INVALID_PARAMETER);
}

#[test]
fn a_context_at_another_layer_than_the_callouts_is_refused() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    assert_eq!(rig.associate(rig.open_flow().0, CONNECT, callout, 7), status::INVALID_PARAMETER);
}

#[test]
fn a_second_context_answers_name_exists() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    assert_eq!(rig.associate(flow.0, OUT, callout, 8), status::OBJECT_NAME_EXISTS);
}

#[test]
fn a_second_context_may_be_answered_success_and_the_first_one_stays() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    rig.set(|switches| switches.existing_context = ExistingContext::Folded);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    assert_eq!(rig.associate(flow.0, OUT, callout, 8), status::SUCCESS);
    rig.machine.close_flow(flow).unwrap();
    assert_eq!((deleted(), rig.machine.wfp().contexts()), (vec![7], 0));
}

#[test]
fn a_second_context_is_a_bug_check_if_the_driver_is_to_know_better() {
    for answer in [ExistingContext::NameExists, ExistingContext::Folded] {
        let (rig, callout) = Rig::inspecting(OUT, 0);
        rig.set(|switches| {
            switches.existing_context = answer;
            switches.second_context = SecondContext::Reported;
        });
        let flow = rig.open_flow();
        assert_eq!(rig.associate(flow.0, OUT, callout, 7), status::SUCCESS);
        let associate = windows::address("fwpkclnt.sys", "FwpsFlowAssociateContext0").unwrap();
        let arguments = [flow.0, OUT.id().into(), callout.into(), 8];
        let again = rig.machine.run(|cpu| cpu.call(associate, "FwpsFlowAssociateContext0", &arguments));
        let bug_check = again.expect_err("a bug check");
        assert!(
            bug_check.reason().starts_with("Associate on a flow that has a context of this callout"),
            "{bug_check}"
        );
    }
}

#[test]
fn a_context_whose_removal_is_pending_is_in_the_way_of_another_one() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    rig.set(|switches| switches.removal = Removal::PendingUntilTold);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    rig.remove(flow.0, OUT, callout);
    let meanwhile = rig.associate(flow.0, OUT, callout, 8);
    rig.machine.run_deferred_deletes().unwrap();
    let afterwards = rig.associate(flow.0, OUT, callout, 8);
    assert_eq!((meanwhile, afterwards, deleted()), (status::OBJECT_NAME_EXISTS, status::SUCCESS, vec![7]));
}

#[test]
fn an_unknown_flow_answers_not_found() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    assert_eq!(rig.associate(999, OUT, callout, 7), status::NOT_FOUND);
}

#[test]
fn removing_calls_the_delete_function_before_it_returns() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    let status = rig.remove(flow.0, OUT, callout);
    assert_eq!((status, deleted()), (status::SUCCESS, vec![7]));
}

#[test]
fn a_pending_removal_is_delivered_although_the_switch_has_changed() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    rig.set(|switches| switches.removal = Removal::PendingUntilTold);
    rig.remove(flow.0, OUT, callout);
    rig.set(|switches| switches.removal = Removal::AsDocumented);
    let status = rig.remove(flow.0, OUT, callout);
    assert_eq!((status, deleted()), (status::UNSUCCESSFUL, vec![7]));
}

#[test]
fn removing_without_a_context_is_unsuccessful() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    assert_eq!(rig.remove(rig.open_flow().0, OUT, callout), status::UNSUCCESSFUL);
}

#[test]
fn removing_inside_the_classify_is_pending_until_its_end() {
    let (rig, callout) = Rig::inspecting(OUT, CONDITIONAL);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    on_classify(move |told| {
        let status = from_driver("FwpsFlowRemoveContext0", [told.handle, OUT.id().into(), callout.into(), 0]);
        DELETED.with_borrow_mut(|all| all.push((0, 0, status.into())));
    });
    rig.send(flow);
    assert_eq!(deleted(), [status::PENDING.into(), 7]);
}

#[test]
fn a_removal_can_be_pending_until_told() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    rig.set(|switches| switches.removal = Removal::PendingUntilTold);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    let status = rig.remove(flow.0, OUT, callout);
    let before = deleted();
    rig.machine.run_deferred_deletes().unwrap();
    assert_eq!((status, before, deleted()), (status::PENDING, vec![], vec![7]));
}

#[test]
fn a_removal_pending_by_chance_completes_while_the_driver_tries_again() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    rig.set(|switches| switches.removal = Removal::PendingByChance);
    for context in 1..=20 {
        let flow = rig.open_flow();
        rig.associate(flow.0, OUT, callout, context);
        rig.remove(flow.0, OUT, callout);
    }
    for _ in 0..200 {
        rig.remove(999, OUT, callout);
    }
    assert_eq!((deleted().len(), rig.machine.wfp().contexts()), (20, 0));
}

#[test]
fn a_removal_can_report_an_error_and_yet_remove() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    rig.set(|switches| switches.removal_error = Some(status::INSUFFICIENT_RESOURCES));
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    let status = rig.remove(flow.0, OUT, callout);
    assert_eq!((status, deleted()), (status::INSUFFICIENT_RESOURCES, vec![7]));
}

#[test]
fn the_end_of_a_flow_deletes_its_contexts() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    rig.machine.close_flow(flow).unwrap();
    let expected = (u64::from(OUT.id()), u64::from(callout), 7);
    assert_eq!(DELETED.with_borrow(Clone::clone), [expected]);
}

/// A driver that hangs contexts 1 and 2 on the flow it is authorizing; returns the statuses.
fn associate_twice(rig: &Rig, first: u32, second: u32) -> Vec<Status> {
    let statuses = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
    let noted = Arc::clone(&statuses);
    on_classify(move |told| {
        for (index, callout) in [first, second].into_iter().enumerate() {
            let context = index as u64 + 1;
            let arguments = [told.handle, OUT.id().into(), callout.into(), context];
            noted[index].store(from_driver("FwpsFlowAssociateContext0", arguments), Ordering::Relaxed);
        }
    });
    rig.open_flow();
    statuses.iter().map(|status| status.load(Ordering::Relaxed)).collect()
}

/// A flow that ends during its first association, met with `dying` at the second.
fn ends_between_associations(dying: DyingFlow) -> (Vec<Status>, Vec<u64>) {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    let (first, second) = (rig.register(3, CONDITIONAL), rig.register(4, CONDITIONAL));
    rig.set(|switches| {
        switches.end_flow_after_associations = Some(1);
        switches.dying_flow = dying;
    });
    (associate_twice(&rig, first, second), deleted())
}

#[test]
fn a_flow_that_ends_between_two_associations_can_refuse_the_second() {
    let outcome = ends_between_associations(DyingFlow::Refuse);
    assert_eq!(outcome, (vec![status::SUCCESS, status::NOT_FOUND], vec![1]));
}

#[test]
fn a_flow_that_ends_between_two_associations_can_refuse_the_second_in_two_ways() {
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    let (first, second) = (rig.register(3, CONDITIONAL), rig.register(4, CONDITIONAL));
    rig.set(|switches| switches.dying_flow = DyingFlow::RefuseByChance);
    let opened = (0..20).flat_map(|_| {
        rig.set(|switches| switches.end_flow_after_associations = Some(1));
        associate_twice(&rig, first, second)
    });
    let mut seen: Vec<_> = opened.collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [status::SUCCESS, status::INVALID_PARAMETER, status::NOT_FOUND]);
}

#[test]
fn a_flow_that_ends_between_two_associations_can_delete_the_second_later() {
    let outcome = ends_between_associations(DyingFlow::DeleteLater);
    assert_eq!(outcome, (vec![status::SUCCESS, status::SUCCESS], vec![1, 2]));
}

#[test]
fn a_flow_that_ends_between_two_associations_can_delete_the_second_at_once() {
    let outcome = ends_between_associations(DyingFlow::DeleteInline);
    assert_eq!(outcome, (vec![status::SUCCESS, status::SUCCESS], vec![1, 2]));
}

#[test]
fn a_callout_with_contexts_is_busy_until_they_are_deleted() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    let busy = rig.unregister(callout);
    rig.remove(flow.0, OUT, callout);
    assert_eq!((busy, rig.unregister(callout)), (status::DEVICE_BUSY, status::SUCCESS));
}

#[test]
fn a_callout_is_busy_while_it_classifies() {
    let (rig, callout) = Rig::inspecting(CONNECT, 0);
    rig.set(|switches| switches.irql = IrqlChoice::Fixed(Irql::PASSIVE));
    on_classify(move |_| {
        from_driver("FwpsCalloutUnregisterById0", [callout.into(), 0, 0, 0]);
    });
    rig.open_flow();
    assert_eq!(rig.machine.wfp().answers("FwpsCalloutUnregisterById0", status::DEVICE_BUSY), 1);
}

#[test]
fn a_callout_can_be_busy_without_a_reason() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    rig.set(|switches| switches.busy_answers = 2);
    let answers = [(); 3].map(|()| rig.unregister(callout));
    assert_eq!(answers, [status::DEVICE_BUSY, status::DEVICE_BUSY, status::SUCCESS]);
}

#[test]
fn a_context_that_two_cpus_classify_is_deleted_after_both() {
    let (rig, callout) = Rig::inspecting(OUT, CONDITIONAL);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    let inside = Arc::new(AtomicU32::new(0));
    let released = Arc::new(AtomicU32::new(0));
    let classifying = [(); 2].map(|()| {
        let (machine, inside, released) = (rig.machine.clone(), Arc::clone(&inside), Arc::clone(&released));
        thread::spawn(move || {
            on_classify(move |_| {
                let turn = inside.fetch_add(1, Ordering::AcqRel);
                while released.load(Ordering::Acquire) <= turn {
                    thread::yield_now();
                }
            });
            machine.transport(flow, Direction::Outbound, &packet()).unwrap();
            deleted().len()
        })
    });
    while inside.load(Ordering::Acquire) < 2 {
        thread::yield_now();
    }

    let status = rig.remove(flow.0, OUT, callout);
    released.store(1, Ordering::Release);
    let contexts_while_one_runs = rig.machine.wfp().contexts();
    released.store(2, Ordering::Release);
    let deletions: usize = classifying.into_iter().map(|cpu| cpu.join().unwrap()).sum();

    assert_eq!((status, contexts_while_one_runs, deletions), (status::PENDING, 1, 1));
}
