//! Many CPUs at once: each context is deleted exactly once, and no classify sees one that is being deleted.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const CONTEXTS: usize = 4096;

/// What has become of a context.
const FRESH: u32 = 0;
const ASSOCIATED: u32 = 1;
const DELETED: u32 = 2;

static CONTEXT: [AtomicU32; CONTEXTS] = [const { AtomicU32::new(FRESH) }; CONTEXTS];
static NEXT: AtomicU32 = AtomicU32::new(1);
/// Classifies that saw a dead context, and contexts deleted twice.
static MISTAKES: AtomicU32 = AtomicU32::new(0);

fn mistake_unless(state: &AtomicU32, from: u32, to: u32) {
    if state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_err() {
        MISTAKES.fetch_add(1, Ordering::Relaxed);
    }
}

extern "win64" fn classify_fn(_: u64, _: u64, _: u64, _: u64, _: u64, flow_context: u64, _: u64) {
    for _ in 0..20 {
        mistake_unless(&CONTEXT[flow_context as usize], ASSOCIATED, ASSOCIATED);
    }
}

extern "win64" fn flow_delete_fn(_: u64, _: u64, context: u64) {
    mistake_unless(&CONTEXT[context as usize], ASSOCIATED, DELETED);
}

/// One CPU opens, uses and closes flows, and takes contexts off flows that others use.
fn cpu(machine: &Machine, callout: u32) {
    let associate = windows::address("fwpkclnt.sys", "FwpsFlowAssociateContext0").unwrap();
    let remove = windows::address("fwpkclnt.sys", "FwpsFlowRemoveContext0").unwrap();
    let target = [u64::from(OUT.id()), u64::from(callout)];
    for _ in 0..400 {
        let flow = machine.open_flow(&spec()).unwrap();
        let context = u64::from(NEXT.fetch_add(1, Ordering::Relaxed));
        CONTEXT[context as usize].store(ASSOCIATED, Ordering::Release);
        let arguments = [flow.0, target[0], target[1], context];
        let status = machine.run(|cpu| cpu.call(associate, "associate", &arguments) as Status).unwrap();
        if status != status::SUCCESS {
            CONTEXT[context as usize].store(DELETED, Ordering::Release);
        }
        for other in machine.wfp().flows().into_iter().rev().take(3) {
            machine.transport(other, Direction::Outbound, &packet()).unwrap();
        }
        let other = machine.random_below(flow.0) + 1;
        machine.run(|cpu| cpu.call(remove, "remove", &[other, target[0], target[1]])).unwrap();
        if machine.random_below(2) == 0 {
            machine.close_flow(flow).unwrap();
        }
    }
}

#[test]
fn every_context_is_deleted_once_and_never_during_its_classify() {
    let rig = Rig::new();
    rig.set(|switches| {
        switches.irql = IrqlChoice::Random;
        switches.removal = Removal::PendingByChance;
        switches.handle_reuse = HandleReuse::AtOnce;
    });
    let callout = FwpsCallout {
        callout_key: key(2),
        flags: CONDITIONAL,
        classify_fn: classify_fn as *const () as u64,
        notify_fn: notify_fn as *const () as u64,
        flow_delete_fn: flow_delete_fn as *const () as u64,
        ..FwpsCallout::default()
    };
    let mut id = 0u32;
    rig.import("FwpsCalloutRegister2", &[rig.device.address(), &raw const callout as u64, &raw mut id as u64]);
    rig.add_callout(2, OUT);
    rig.add_filter(2, OUT, action::CALLOUT_INSPECTION);

    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| cpu(&rig.machine, id));
        }
    });
    for flow in rig.machine.wfp().flows() {
        rig.machine.close_flow(flow).unwrap();
    }
    rig.machine.run_deferred_deletes().unwrap();

    let left = CONTEXT.iter().filter(|context| context.load(Ordering::Acquire) == ASSOCIATED).count();
    assert_eq!((MISTAKES.load(Ordering::Acquire), left, rig.machine.wfp().contexts()), (0, 0, 0));
}
