//! What goes wrong with the driver has an event beside its line.

use flowtag_simulator::{
    etw::{Event, SessionId},
    wfp::status,
};

use flowtag_tests::rig::Rig;

const DRIVER: u64 = 8;
const ERROR: u8 = 2;
const WARNING: u8 = 3;
const INFORMATION: u8 = 4;

/// The driver is to be started, and a session hears of it, up to this level.
fn heard(level: u8) -> (Rig, SessionId) {
    let rig = Rig::installed(&[]);
    let session = rig.listen(level, DRIVER);
    (rig, session)
}

/// The events with this name.
fn named<'a>(events: &'a [Event], name: &str) -> Vec<&'a Event> {
    events.iter().filter(|event| event.name() == name).collect()
}

/// A step that failed, and its answer.
fn step(event: &Event) -> (String, u64) {
    (event.text("Step"), event.number("Status"))
}

/// One warning says that this step failed, with this answer.
fn assert_failed(events: &[Event], failed: &str, answer: u32) {
    let [event] = named(events, "Failed")[..] else { panic!("{failed}: {events:?}") };
    assert_eq!((step(event), event.level), ((failed.to_owned(), answer.into()), WARNING));
}

#[test]
fn a_start_that_fails_has_an_event_with_step_and_status() {
    let (rig, session) = heard(ERROR);
    rig.fail("FwpsCalloutRegister2", 3, Some(status::NO_MEMORY));
    rig.start().unwrap_err();
    let [event] = &rig.events(session)[..] else { panic!("one event") };
    assert_eq!((event.name(), event.level), ("LoadFailed", ERROR));
    assert_eq!(step(event), ("FwpsCalloutRegister2".to_owned(), status::NO_MEMORY.into()));
    rig.assert_clean();
}

#[test]
fn what_a_start_does_without_has_an_event() {
    for (failed, answer) in [
        ("FwpmBfeStateSubscribeChanges0", status::NO_MEMORY),
        ("PsSetCreateProcessNotifyRoutineEx2", status::NO_MEMORY),
        ("ZwQuerySystemInformation", status::NO_MEMORY),
        ("FwpsCalloutRegister2", status::INVALID_PARAMETER),
        ("FwpmEngineClose0", status::RPC_CALL_FAILED),
    ] {
        let (rig, session) = heard(WARNING);
        rig.fail(failed, 1, Some(answer));
        rig.start().unwrap();
        assert_failed(&rig.events(session), failed, answer);
    }
}

#[test]
fn filters_that_are_not_added_anew_have_an_event() {
    let (rig, session) = heard(WARNING);
    rig.start().unwrap();
    rig.fail("FwpmTransactionBegin0", 1, Some(status::FWP_TIMEOUT));
    rig.machine.stop_bfe().unwrap();
    rig.machine.start_bfe().unwrap();
    assert_failed(&rig.events(session), "FwpmTransactionBegin0", status::FWP_TIMEOUT);
    rig.stop();
}

#[test]
fn filters_that_stay_when_the_driver_goes_have_an_event() {
    let (rig, session) = heard(WARNING);
    rig.start().unwrap();
    rig.machine.faults().fail_times("FwpmTransactionBegin0", 1, u64::MAX / 2, Some(status::RPC_CALL_FAILED));
    rig.machine.stop_service("flowtag").unwrap();
    assert_failed(&rig.events(session), "FwpmTransactionBegin0", status::RPC_CALL_FAILED);
}

#[test]
fn each_line_about_a_step_of_unload_that_is_tried_again_has_an_event() {
    for (tried, name) in [
        ("FwpmBfeStateUnsubscribeChanges0", "unsubscribing"),
        ("PsSetCreateProcessNotifyRoutineEx2", "unwatching"),
        ("FwpmTransactionBegin0", "closing"),
        ("FwpsCalloutUnregisterById0", "unregistering"),
    ] {
        let (rig, session) = heard(INFORMATION);
        rig.start().unwrap();
        rig.machine.faults().fail_times(tried, 1, 10, Some(status::NO_MEMORY));
        rig.stop();
        let events = rig.events(session);
        let told: Vec<_> = named(&events, "Retrying").into_iter().map(step).collect();
        let lines = rig.lines_of(name).len();
        assert!(lines > 0, "{tried}: {:?}", rig.lines());
        assert_eq!(told, vec![(tried.to_owned(), status::NO_MEMORY.into()); lines]);
    }
}
