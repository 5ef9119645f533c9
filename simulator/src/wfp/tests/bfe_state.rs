//! The service of the base filtering engine comes and goes, and who has subscribed hears of it.

use std::{
    mem,
    rc::Rc,
    sync::{Mutex, PoisonError},
    thread::{self, ThreadId},
};

use super::*;
use crate::wfp::{BfeStop, Told::Later};

const STOPPED: u64 = 0;
const START_PENDING: u64 = 1;
const STOP_PENDING: u64 = 2;
const RUNNING: u64 = 3;

/// What the driver does in its callback, with the state.
type OnChange = Box<dyn Fn(u64)>;

thread_local! {
    /// Context, state and IRQL of each callback.
    static CHANGES: RefCell<Vec<(u64, u64, Irql)>> = const { RefCell::new(Vec::new()) };
    static ON_CHANGE: RefCell<Option<OnChange>> = const { RefCell::new(None) };
}

extern "win64" fn changed(context: u64, state: u64) {
    CHANGES.with_borrow_mut(|all| all.push((context, state, irql())));
    ON_CHANGE.with_borrow(|act| {
        if let Some(act) = act {
            act(state);
        }
    });
}

fn on_change(act: impl Fn(u64) + 'static) {
    ON_CHANGE.set(Some(Box::new(act)));
}

fn rig() -> Rig {
    CHANGES.take();
    ON_CHANGE.take();
    Rig::new()
}

fn subscribe(rig: &Rig, context: u64) -> u64 {
    let mut handle = 0u64;
    let callback = changed as *const () as u64;
    let arguments = [rig.device.address(), callback, context, &raw mut handle as u64];
    assert_eq!(rig.import("FwpmBfeStateSubscribeChanges0", &arguments), status::SUCCESS);
    handle
}

fn unsubscribe(rig: &Rig, handle: u64) -> Status {
    rig.import("FwpmBfeStateUnsubscribeChanges0", &[handle])
}

fn state(rig: &Rig) -> u64 {
    rig.import("FwpmBfeStateGet0", &[]).into()
}

fn states() -> Vec<u64> {
    CHANGES.take().iter().map(|(_, state, _)| *state).collect()
}

/// Why the machine stops when the driver calls `import` at `PASSIVE_LEVEL`.
fn stops(rig: &Rig, import: &'static str, arguments: &[u64]) -> String {
    let address = windows::address("fwpkclnt.sys", import).unwrap();
    let outcome = rig.machine.run(|cpu| cpu.call(address, import, arguments));
    outcome.expect_err("the machine stops").reason().to_owned()
}

#[test]
fn a_subscriber_hears_of_every_state_of_a_restart() {
    let rig = rig();
    subscribe(&rig, 0);
    rig.machine.stop_bfe().unwrap();
    assert_eq!(states(), [STOP_PENDING, STOPPED]);
    rig.machine.start_bfe().unwrap();
    assert_eq!(states(), [START_PENDING, RUNNING]);
}

#[test]
fn a_service_that_runs_does_not_start_and_one_that_has_stopped_does_not_stop() {
    let rig = rig();
    subscribe(&rig, 0);
    rig.machine.start_bfe().unwrap();
    assert!(states().is_empty());
    rig.machine.stop_bfe().unwrap();
    rig.machine.stop_bfe().unwrap();
    assert_eq!(states(), [STOP_PENDING, STOPPED]);
}

/// What is told on another CPU, which stops the service and starts it again.
fn restarted_by_another_cpu(machine: &Machine) -> Vec<u64> {
    let machine = machine.clone();
    let restarting = thread::spawn(move || {
        machine.stop_bfe().and_then(|()| machine.start_bfe()).unwrap();
        states()
    });
    restarting.join().unwrap()
}

#[test]
fn a_service_on_its_way_to_another_state_neither_stops_nor_starts() {
    for on_its_way in [STOP_PENDING, START_PENDING] {
        let rig = rig();
        subscribe(&rig, 0);
        let machine = rig.machine.clone();
        let told_elsewhere = Rc::new(RefCell::new(Vec::new()));
        let told = Rc::clone(&told_elsewhere);
        on_change(move |state| {
            if state == on_its_way {
                told.borrow_mut().extend(restarted_by_another_cpu(&machine));
            }
        });
        rig.machine.stop_bfe().and_then(|()| rig.machine.start_bfe()).unwrap();
        assert_eq!((told_elsewhere.take(), states()), (vec![], vec![STOP_PENDING, STOPPED, START_PENDING, RUNNING]));
    }
}

#[test]
fn a_change_is_told_at_passive_level_with_the_subscribers_context() {
    let rig = rig();
    subscribe(&rig, 0x5EED);
    subscribe(&rig, 0xFEED);
    rig.machine.stop_bfe().unwrap();
    let told = CHANGES.take();
    assert_eq!(told.iter().map(|(context, ..)| *context).collect::<Vec<_>>(), [0x5EED, 0xFEED, 0x5EED, 0xFEED]);
    assert!(told.iter().all(|(.., irql)| *irql == Irql::PASSIVE));
}

#[test]
fn who_has_unsubscribed_hears_nothing() {
    let rig = rig();
    let handle = subscribe(&rig, 0);
    assert_eq!(unsubscribe(&rig, handle), status::SUCCESS);
    rig.machine.stop_bfe().unwrap();
    assert!(states().is_empty());
}

#[test]
fn a_handle_ends_its_own_subscription_once() {
    let rig = rig();
    let handles = [subscribe(&rig, 1), subscribe(&rig, 2)];
    assert_eq!(unsubscribe(&rig, handles[0]), status::SUCCESS);
    assert_eq!(unsubscribe(&rig, handles[0]), status::INVALID_HANDLE);
    rig.machine.stop_bfe().unwrap();
    assert!(CHANGES.take().iter().all(|(context, ..)| *context == 2));
}

#[test]
fn the_state_that_is_asked_for_is_the_one_that_was_told_last() {
    let rig = rig();
    subscribe(&rig, 0);
    let asked = || state(&rig);
    assert_eq!(asked(), RUNNING);
    rig.machine.stop_bfe().unwrap();
    assert_eq!(asked(), STOPPED);
    on_change(|told| assert_eq!(u64::from(from_driver("FwpmBfeStateGet0", [0; 4])), told));
    rig.machine.start_bfe().unwrap();
    assert_eq!(states(), [STOP_PENDING, STOPPED, START_PENDING, RUNNING]);
}

#[test]
fn asking_for_the_state_before_subscribing_stops_the_machine() {
    let text = stops(&rig(), "FwpmBfeStateGet0", &[]);
    assert!(text.contains("FwpmBfeStateSubscribeChanges0, which must be called first"), "{text}");
}

#[test]
fn unsubscribing_inside_the_callback_stops_the_machine() {
    let rig = rig();
    let handle = subscribe(&rig, 0);
    on_change(move |_| {
        from_driver("FwpmBfeStateUnsubscribeChanges0", [handle, 0, 0, 0]);
    });
    let text = rig.machine.stop_bfe().unwrap_err().reason().to_owned();
    assert!(text.contains("may deadlock"), "{text}");
}

#[test]
fn subscribing_for_what_is_no_device_object_stops_the_machine() {
    let rig = rig();
    let mut handle = 0u64;
    let arguments = [0x1234, changed as *const () as u64, 0, &raw mut handle as u64];
    let text = stops(&rig, "FwpmBfeStateSubscribeChanges0", &arguments);
    assert!(text.contains("no device object"), "{text}");
}

#[test]
fn a_session_is_opened_when_the_engine_runs_again_and_not_before() {
    thread_local! {
        static OPENED: RefCell<Vec<Status>> = const { RefCell::new(Vec::new()) };
    }
    let rig = rig();
    subscribe(&rig, 0);
    let open = windows::address("fwpkclnt.sys", "FwpmEngineOpen0").unwrap();
    on_change(move |_| {
        // SAFETY: an import stub is a win64 function.
        let open: extern "win64" fn(u64, u64, u64, u64, *mut u64) -> Status = unsafe { std::mem::transmute(open) };
        let mut handle = 0u64;
        OPENED.with_borrow_mut(|all| all.push(open(0, 10, 0, 0, &raw mut handle)));
    });
    rig.machine.stop_bfe().unwrap();
    rig.machine.start_bfe().unwrap();
    let refused = status::EPT_NOT_REGISTERED;
    assert_eq!(OPENED.take(), [refused, refused, refused, status::SUCCESS]);
}

#[test]
fn sessions_live_until_the_engine_has_stopped() {
    let rig = rig();
    subscribe(&rig, 0);
    let session = rig.session;
    on_change(move |state| {
        let expected = if state == STOP_PENDING { status::SUCCESS } else { status::FWP_SESSION_ABORTED };
        assert_eq!(from_driver("FwpmTransactionBegin0", [session, 0, 0, 0]), expected);
    });
    rig.machine.stop_bfe().unwrap();
    assert_eq!(states(), [STOP_PENDING, STOPPED]);
}

#[test]
fn a_driver_that_leaves_subscribed_stops_the_machine() {
    let leave = |rig: &Rig| rig.machine.run(|cpu| cpu.check_left(cpu.machine().left()));
    let subscribed = rig();
    subscribe(&subscribed, 0);
    let text = leave(&subscribed).unwrap_err().reason().to_owned();
    assert!(text.contains("subscribed"), "{text}");
    let unsubscribed = rig();
    let handle = subscribe(&unsubscribed, 0);
    unsubscribe(&unsubscribed, handle);
    leave(&unsubscribed).unwrap();
}

/// A machine whose engine's stop ends this, with callout 2 and its context 7 on a flow.
fn with_context(ends: BfeStop) -> (Rig, u32, crate::wfp::FlowHandle) {
    rig();
    let (rig, callout) = Rig::inspecting(OUT, CONDITIONAL);
    rig.set(|switches| switches.bfe_stop = ends);
    let flow = rig.open_flow();
    assert_eq!(rig.associate(flow.0, OUT, callout, 7), status::SUCCESS);
    (rig, callout, flow)
}

/// The contexts that the stop has deleted, on the CPU that stops the engine.
fn stopped_by_another_cpu(machine: &Machine) -> Vec<u64> {
    let machine = machine.clone();
    let stopping = thread::spawn(move || {
        machine.stop_bfe().unwrap();
        deleted()
    });
    stopping.join().unwrap()
}

#[test]
fn a_stop_that_ends_contexts_deletes_them_and_leaves_flows_and_callouts() {
    let (rig, callout, flow) = with_context(BfeStop::EndsContexts);
    rig.machine.stop_bfe().unwrap();
    assert_eq!(DELETED.take(), [(OUT.id().into(), callout.into(), 7)]);
    let wfp = rig.machine.wfp();
    assert_eq!((wfp.contexts(), wfp.callouts(), wfp.is_live(flow)), (0, 1, true));
    assert_eq!(rig.associate(flow.0, OUT, callout, 8), status::SUCCESS);
}

#[test]
fn contexts_end_after_stop_pending_is_told_and_before_stopped_is() {
    let (rig, ..) = with_context(BfeStop::EndsContexts);
    subscribe(&rig, 0);
    on_change(|state| assert_eq!(deleted().len(), usize::from(state == STOPPED)));
    rig.machine.stop_bfe().unwrap();
    assert_eq!(states(), [STOP_PENDING, STOPPED]);
}

#[test]
fn filters_are_gone_when_contexts_end() {
    let (rig, ..) = with_context(BfeStop::EndsCallouts);
    let machine = rig.machine.clone();
    on_delete(move |_| assert_eq!((machine.wfp().filters(), NOTIFIED.with_borrow(Vec::len)), (0, 2)));
    rig.machine.stop_bfe().unwrap();
    assert_eq!(deleted(), [7]);
}

#[test]
fn a_context_that_is_classified_ends_behind_the_classify_and_not_inside_the_stop() {
    let (rig, _, flow) = with_context(BfeStop::EndsContexts);
    let machine = rig.machine.clone();
    on_classify(move |_| assert!(stopped_by_another_cpu(&machine).is_empty()));
    rig.send(flow);
    assert_eq!(deleted(), [7]);
}

#[test]
fn a_stop_that_ends_callouts_leaves_neither_contexts_nor_registrations() {
    let (rig, callout, flow) = with_context(BfeStop::EndsCallouts);
    rig.machine.stop_bfe().unwrap();
    assert_eq!((deleted(), rig.machine.wfp().callouts()), (vec![7], 0));
    assert_eq!(rig.unregister(callout), status::FWP_CALLOUT_NOT_FOUND);
    assert_eq!(rig.associate(flow.0, OUT, callout, 8), status::INVALID_PARAMETER);
    assert_eq!(rig.remove(flow.0, OUT, callout), status::UNSUCCESSFUL);
}

#[test]
fn a_callout_that_has_ended_is_registered_again_under_another_id() {
    let (rig, old, flow) = with_context(BfeStop::EndsCallouts);
    rig.machine.stop_bfe().unwrap();
    let new = rig.register(2, CONDITIONAL);
    assert_ne!(new, old);
    assert_eq!(rig.associate(flow.0, OUT, new, 8), status::SUCCESS);
}

#[test]
fn the_end_of_a_callout_gives_its_device_object_back() {
    let (rig, ..) = with_context(BfeStop::EndsCallouts);
    let Rig { machine, device, .. } = rig;
    machine.stop_bfe().unwrap();
    drop(device);
    assert_eq!(machine.device_objects().count(), 0);
}

#[test]
fn a_callout_that_classifies_while_it_ends_is_busy_until_its_context_is_deleted() {
    let (rig, callout, flow) = with_context(BfeStop::EndsCallouts);
    let machine = rig.machine.clone();
    on_classify(move |_| {
        stopped_by_another_cpu(&machine);
        let unregistered = from_driver("FwpsCalloutUnregisterById0", [callout.into(), 0, 0, 0]);
        assert_eq!((unregistered, machine.wfp().callouts()), (status::DEVICE_BUSY, 1));
    });
    rig.set(|switches| switches.irql = IrqlChoice::Fixed(Irql::PASSIVE));
    rig.send(flow);
    assert_eq!((deleted(), rig.machine.wfp().callouts()), (vec![7], 0));
}

#[test]
fn a_callout_that_ends_takes_no_contexts_from_its_own_delete_function() {
    let (rig, callout, flow) = with_context(BfeStop::EndsCallouts);
    on_delete(move |_| {
        let again = [flow.0, OUT.id().into(), callout.into(), 8];
        assert_eq!(from_driver("FwpsFlowAssociateContext0", again), status::INVALID_PARAMETER);
    });
    rig.machine.stop_bfe().unwrap();
    assert_eq!(deleted(), [7]);
}

/// What a callback on any thread notes: state, what the engine's state is then, and the thread.
#[derive(Default)]
struct Heard(Mutex<Vec<(u64, u64, ThreadId)>>);

impl Heard {
    fn take(&self) -> Vec<(u64, u64, ThreadId)> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn subscribe(&self, rig: &Rig) -> u64 {
        let mut handle = 0u64;
        let context = std::ptr::from_ref(self).expose_provenance() as u64;
        let arguments = [rig.device.address(), heard as *const () as u64, context, &raw mut handle as u64];
        assert_eq!(rig.import("FwpmBfeStateSubscribeChanges0", &arguments), status::SUCCESS);
        handle
    }
}

extern "win64" fn heard(context: u64, state: u64) {
    // SAFETY: the test's own, which outlives the machine's calls.
    let heard = unsafe { &*ptr::with_exposed_provenance::<Heard>(context as usize) };
    let now = from_driver("FwpmBfeStateGet0", [0; 4]).into();
    assert_eq!(irql(), Irql::PASSIVE);
    heard.0.lock().unwrap_or_else(PoisonError::into_inner).push((state, now, thread::current().id()));
}

#[test]
fn what_is_told_later_is_told_by_another_thread_in_order_when_the_engine_runs_again() {
    let (heard, rig) = (Heard::default(), rig());
    heard.subscribe(&rig);
    rig.set(|switches| switches.bfe_told = Later);
    rig.machine.stop_bfe().unwrap();
    rig.machine.start_bfe().unwrap();
    let before = heard.take();
    assert_eq!((before.len(), rig.machine.tell_bfe_states().unwrap()), (0, 4));
    let heard = heard.take();
    let told: Vec<_> = heard.iter().map(|(state, now, _)| (*state, *now)).collect();
    assert_eq!(told, [STOP_PENDING, STOPPED, START_PENDING, RUNNING].map(|state| (state, RUNNING)));
    assert!(heard.iter().all(|(.., thread)| *thread != thread::current().id()));
}

#[test]
fn who_unsubscribes_or_subscribes_before_it_is_told_hears_nothing_of_it() {
    let (heard, rig) = (Heard::default(), rig());
    let earlier = heard.subscribe(&rig);
    rig.set(|switches| switches.bfe_told = Later);
    rig.machine.stop_bfe().unwrap();
    heard.subscribe(&rig);
    assert_eq!(unsubscribe(&rig, earlier), status::SUCCESS);
    rig.machine.tell_bfe_states().unwrap();
    assert!(heard.take().is_empty());
}
