//! The service of the base filtering engine comes and goes, and who has subscribed hears of it.

use super::*;

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
