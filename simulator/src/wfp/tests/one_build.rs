//! Where no document decides, and a disassembly of one build of Windows shows what that one does: see docs/simulator.md.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use super::*;
use crate::{kernel::pool::Tag, referee::BugCheck};

const NON_PAGED: u64 = 0x40;
const TAG: Tag = Tag(u32::from_le_bytes(*b"Test"));

/// What a removal inside the classify is answered, and what has been deleted then and afterwards.
fn removed_inside_a_classify(answer: PendingAnswer) -> (Status, usize, Vec<u64>) {
    let (rig, callout) = Rig::inspecting(OUT, CONDITIONAL);
    rig.set(|switches| switches.pending_answer = answer);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    let seen = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
    let noted = Arc::clone(&seen);
    on_classify(move |told| {
        let status = from_driver("FwpsFlowRemoveContext0", [told.handle, OUT.id().into(), callout.into(), 0]);
        noted[0].store(status, Ordering::Relaxed);
        noted[1].store(deleted().len() as u32, Ordering::Relaxed);
    });
    rig.send(flow);
    (seen[0].load(Ordering::Relaxed), seen[1].load(Ordering::Relaxed) as usize, deleted())
}

#[test]
fn a_removal_that_is_pending_may_answer_success() {
    assert_eq!(removed_inside_a_classify(PendingAnswer::Folded), (status::SUCCESS, 0, vec![7]));
    assert_eq!(removed_inside_a_classify(PendingAnswer::Pending), (status::PENDING, 0, vec![7]));
}

#[test]
fn a_removal_without_a_visible_reason_to_be_pending_may_answer_success() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    rig.set(|switches| {
        switches.removal = Removal::PendingUntilTold;
        switches.pending_answer = PendingAnswer::Folded;
    });
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    assert_eq!((rig.remove(flow.0, OUT, callout), deleted()), (status::SUCCESS, vec![]));
}

#[test]
fn removing_from_an_unknown_flow_answers_not_found() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    assert_eq!(rig.remove(999, OUT, callout), status::NOT_FOUND);
}

#[test]
fn removing_from_an_unknown_flow_may_answer_what_is_documented_for_one_without_a_context() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    rig.set(|switches| switches.unknown_flow = UnknownFlow::Unsuccessful);
    assert_eq!(rig.remove(999, OUT, callout), status::UNSUCCESSFUL);
}

/// A classify on another CPU, which ends when it is let go.
struct Classify {
    let_go: Arc<AtomicBool>,
    cpu: thread::JoinHandle<Result<(), BugCheck>>,
}

impl Classify {
    /// One is running when this returns.
    fn begun(machine: &Machine, flow: crate::wfp::FlowHandle) -> Self {
        let (begun, let_go) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (machine, has_begun, may_end) = (machine.clone(), Arc::clone(&begun), Arc::clone(&let_go));
        let cpu = thread::spawn(move || {
            on_classify(move |_| {
                has_begun.store(true, Ordering::Release);
                wait_for(&may_end);
            });
            machine.transport(flow, Direction::Outbound, &packet()).map(drop)
        });
        wait_for(&begun);
        Self { let_go, cpu }
    }

    fn end(self) {
        self.let_go.store(true, Ordering::Release);
        self.cpu.join().unwrap().expect("no bug check");
    }
}

fn wait_for(flag: &AtomicBool) {
    while !flag.load(Ordering::Acquire) {
        thread::yield_now();
    }
}

#[test]
fn a_context_that_waits_for_a_classify_is_given_to_no_other_classify_and_is_in_the_way_of_another_context() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    let classify = Classify::begun(&rig.machine, flow);
    assert_eq!(rig.remove(flow.0, OUT, callout), status::PENDING);
    rig.send(flow);
    let meanwhile = rig.associate(flow.0, OUT, callout, 8);
    classify.end();
    let afterwards = rig.associate(flow.0, OUT, callout, 9);
    assert_eq!((told()[0].flow_context, meanwhile, afterwards), (0, status::OBJECT_NAME_EXISTS, status::SUCCESS));
}

/// What unregistering its callout answers inside flowDeleteFn, called by a removal at `PASSIVE_LEVEL`.
fn unregistered_inside_the_delete_function(rig: &Rig, callout: u32) -> Status {
    let seen = Arc::new(AtomicU32::new(0));
    let noted = Arc::clone(&seen);
    on_delete(move |_| {
        noted.store(from_driver("FwpsCalloutUnregisterById0", [callout.into(), 0, 0, 0]), Ordering::Relaxed);
    });
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    rig.remove(flow.0, OUT, callout);
    seen.load(Ordering::Relaxed)
}

#[test]
fn a_callout_is_not_busy_any_more_when_the_delete_function_of_its_last_context_is_called() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    assert_eq!(unregistered_inside_the_delete_function(&rig, callout), status::SUCCESS);
}

#[test]
fn a_callout_may_be_busy_until_the_delete_function_of_its_last_context_has_returned() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    rig.set(|switches| switches.busy_until = BusyUntil::Returned);
    assert_eq!(unregistered_inside_the_delete_function(&rig, callout), status::DEVICE_BUSY);
}

#[test]
fn a_registered_callout_keeps_the_device_object_of_its_driver() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    let Rig { machine, device, .. } = rig;
    drop(device);
    let kept = machine.device_objects().count();
    let unregister = windows::address("fwpkclnt.sys", "FwpsCalloutUnregisterById0").unwrap();
    machine.run(|cpu| cpu.call(unregister, "FwpsCalloutUnregisterById0", &[callout.into()])).unwrap();
    assert_eq!((kept, machine.device_objects().count()), (1, 0));
}

#[test]
fn a_delete_function_that_runs_keeps_the_device_object_though_the_callout_is_gone_and_who_unmaps_the_image_waits() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    let flow = rig.open_flow();
    rig.associate(flow.0, OUT, callout, 7);
    let Rig { machine, device, .. } = rig;
    let (unmapped, too_early) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (seen, noted, unloading) = (Arc::clone(&unmapped), Arc::clone(&too_early), machine.clone());
    let device = Cell::new(Some(device));
    on_delete(move |_| {
        from_driver("FwpsCalloutUnregisterById0", [callout.into(), 0, 0, 0]);
        drop(device.take());
        let (machine, unmapped) = (unloading.clone(), Arc::clone(&seen));
        thread::spawn(move || {
            assert_eq!(machine.run(|cpu| machine.device_objects().wait_until_gone(cpu)).unwrap(), None);
            unmapped.store(true, Ordering::Release);
        });
        thread::sleep(Duration::from_millis(50));
        noted.store(seen.load(Ordering::Acquire), Ordering::Release);
    });
    let remove = windows::address("fwpkclnt.sys", "FwpsFlowRemoveContext0").unwrap();
    let arguments = [flow.0, OUT.id().into(), callout.into()];
    machine.run(|cpu| cpu.call(remove, "FwpsFlowRemoveContext0", &arguments)).unwrap();
    wait_for(&unmapped);
    assert_eq!(machine.wfp().answers("FwpsCalloutUnregisterById0", status::SUCCESS), 1);
    assert!(!too_early.load(Ordering::Acquire), "the image is unmapped while its flowDeleteFn runs");
}

#[test]
fn what_is_no_device_object_of_the_machine_stops_it_when_a_callout_is_registered_for_it() {
    for device in [0, 0xDE_71CE] {
        let rig = Rig::new();
        let callout = callout(2, 0, 0);
        let register = windows::address("fwpkclnt.sys", "FwpsCalloutRegister2").unwrap();
        let arguments = [device, &raw const callout as u64, 0];
        let outcome = rig.machine.run(|cpu| cpu.call(register, "FwpsCalloutRegister2", &arguments));
        let bug_check = outcome.expect_err("a bug check");
        assert!(bug_check.reason().contains("which is no device object"), "{bug_check}");
    }
}

#[test]
fn a_callout_whose_key_is_taken_keeps_no_device_object() {
    let rig = Rig::new();
    rig.register(2, 0);
    assert_eq!(rig.try_register(2, 0, 0).0, status::FWP_ALREADY_EXISTS);
    let (id, Rig { machine, device, .. }) = (0x101, rig);
    drop(device);
    let unregister = windows::address("fwpkclnt.sys", "FwpsCalloutUnregisterById0").unwrap();
    machine.run(|cpu| cpu.call(unregister, "FwpsCalloutUnregisterById0", &[id])).unwrap();
    assert_eq!(machine.device_objects().count(), 0);
}

#[test]
fn a_callout_that_was_to_leave_and_is_busy_gets_no_further_context() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    rig.associate(rig.open_flow().0, OUT, callout, 7);
    assert_eq!(rig.unregister(callout), status::DEVICE_BUSY);
    assert_eq!(rig.associate(rig.open_flow().0, OUT, callout, 8), status::INVALID_PARAMETER);
}

#[test]
fn a_callout_that_was_to_leave_and_is_busy_may_get_further_contexts() {
    let (rig, callout) = Rig::inspecting(OUT, 0);
    rig.set(|switches| switches.refuse_contexts_when_leaving = false);
    rig.associate(rig.open_flow().0, OUT, callout, 7);
    rig.unregister(callout);
    assert_eq!(rig.associate(rig.open_flow().0, OUT, callout, 8), status::SUCCESS);
}

/// The IRQLs at which 40 flows are authorized.
fn irqls_of_authorizations(choice: Option<IrqlChoice>) -> Vec<Irql> {
    thread_local! {
        static SEEN: RefCell<Vec<Irql>> = const { RefCell::new(Vec::new()) };
    }
    let (rig, _) = Rig::inspecting(CONNECT, 0);
    if let Some(choice) = choice {
        rig.set(|switches| switches.irql = choice);
    }
    SEEN.take();
    on_classify(|_| SEEN.with_borrow_mut(|seen| seen.push(irql())));
    for _ in 0..40 {
        rig.open_flow();
    }
    let mut seen = SEEN.take();
    seen.sort_unstable();
    seen.dedup();
    seen
}

#[test]
fn flows_are_authorized_at_dispatch_level_and_lower_if_asked_for() {
    assert_eq!(irqls_of_authorizations(None), [Irql::DISPATCH]);
    assert_eq!(irqls_of_authorizations(Some(IrqlChoice::Fixed(Irql::PASSIVE))), [Irql::PASSIVE]);
    assert_eq!(irqls_of_authorizations(Some(IrqlChoice::Random)), [Irql::PASSIVE, Irql::DISPATCH]);
}

/// A classify reads its context, a block of pool, after its flow has ended on another CPU: flowDeleteFn frees the block.
fn reads_its_context_after_the_end_of_the_flow(end: FlowEnd) -> Result<(), BugCheck> {
    let (rig, callout) = Rig::inspecting(OUT, CONDITIONAL);
    rig.set(|switches| switches.flow_end = end);
    let flow = rig.open_flow();
    let context = rig.machine.pool().allocate(NON_PAGED, 16, TAG, 0).expect("memory");
    rig.associate(flow.0, OUT, callout, context);
    let frees = |machine: Machine| {
        move |context| machine.pool().free(context, TAG, irql(), 0, &|_| String::new()).expect("allocated once")
    };
    let machine = rig.machine.clone();
    on_delete(frees(machine.clone()));
    on_classify(move |told| {
        let machine = machine.clone();
        let other_cpu = thread::spawn(move || {
            on_delete(frees(machine.clone()));
            machine.close_flow(flow).expect("no bug check");
        });
        other_cpu.join().unwrap();
        // SAFETY: legal if the engine keeps the context; else the mistake that it must catch.
        unsafe { ptr::with_exposed_provenance::<u64>(told.flow_context as usize).read_volatile() };
    });
    rig.machine.transport(flow, Direction::Outbound, &packet()).map(drop)
}

#[test]
fn the_end_of_a_flow_waits_for_its_classifies_unless_told_otherwise() {
    assert!(reads_its_context_after_the_end_of_the_flow(FlowEnd::default()).is_ok());
}

#[test]
fn a_context_freed_at_the_end_of_a_flow_that_does_not_wait_is_read_after_its_end() {
    let bug_check = reads_its_context_after_the_end_of_the_flow(FlowEnd::DoesNotWait).expect_err("a bug check");
    assert_eq!(bug_check.code(), 0xD5, "{bug_check}");
}
