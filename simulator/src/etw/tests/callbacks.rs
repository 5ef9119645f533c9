use std::{sync::mpsc, time::Duration};

use super::*;
use crate::{
    etw::switches::{AllLevels, AtRegistration, Unregister},
    interleave::{Crew, Explores, Job, Plan, Waits, explore::Explorer},
};

#[test]
fn a_provider_hears_that_a_session_wants_it() {
    let driver = Driver::registered();
    driver.start(Session::of(ID, INFORMATION, 3));
    assert_eq!(driver.heard(), [enabled(INFORMATION, 3)]);
}

#[test]
fn a_provider_without_a_callback_hears_nothing() {
    let driver = Driver::new();
    driver.register_as(ID, 0, 0).unwrap();
    driver.start(Session::default());
    assert_eq!(driver.heard(), []);
}

#[test]
fn a_provider_that_nobody_wants_hears_nothing_when_it_is_registered() {
    assert_eq!(Driver::registered().heard(), []);
}

#[test]
fn a_provider_hears_the_least_restrictive_of_all_sessions() {
    let driver = Driver::registered();
    driver.start(Session { all: 0b111, ..Session::of(ID, 3, 0b001) });
    driver.start(Session { all: 0b110, ..Session::of(ID, 1, 0b100) });
    let told = driver.heard();
    assert_eq!(told[0], Heard { code: 1, level: 3, any: 0b001, all: 0b111 });
    assert_eq!(told[1], Heard { code: 1, level: 3, any: 0b101, all: 0b110 });
}

#[test]
fn a_session_that_changes_or_stops_is_told_of_while_others_go_on_and_the_last_one_disables() {
    let driver = Driver::registered();
    let first = driver.start(Session::of(ID, 5, 1));
    let second = driver.start(Session::of(ID, 2, 2));
    driver.machine.change_session(first, |session| session.level = 3).unwrap();
    driver.machine.stop_session(first).unwrap();
    driver.machine.stop_session(second).unwrap();
    let expected = [enabled(5, 1), enabled(5, 3), enabled(3, 3), enabled(2, 2), DISABLED];
    assert_eq!(driver.heard(), expected);
}

#[test]
fn a_session_that_wants_everything_is_told_as_the_highest_level_and_all_keywords() {
    let driver = Driver::registered();
    driver.start(Session::of(ID, 0, 0));
    assert_eq!(driver.heard(), [enabled(255, u64::MAX)]);
}

#[test]
fn or_its_level_is_told_as_0() {
    let driver = Driver::registered();
    driver.machine.etw().set(|switches| switches.all_levels = AllLevels::Zero);
    driver.start(Session::of(ID, 2, 0));
    driver.start(Session::of(ID, 0, 0));
    assert_eq!(driver.heard(), [enabled(2, u64::MAX), enabled(0, u64::MAX)]);
}

#[test]
fn a_session_can_want_the_state_captured() {
    let driver = Driver::registered();
    let session = driver.start(Session::of(ID, 5, 1));
    driver.machine.capture_state(session).unwrap();
    assert_eq!(driver.heard()[1], Heard { code: 2, ..enabled(5, 1) });
}

#[test]
fn a_session_that_has_stopped_wants_no_state() {
    let driver = Driver::registered();
    let (_other, session) = (driver.start(Session::of(ID, 5, 1)), driver.start(Session::of(ID, 5, 1)));
    driver.machine.stop_session(session).unwrap();
    driver.heard();
    driver.machine.capture_state(session).unwrap();
    assert_eq!(driver.heard(), []);
}

#[test]
fn the_callback_runs_at_passive_level() {
    let driver = Driver::registered();
    *driver.deed.lock().unwrap() = Some(Box::new(|driver| {
        assert_eq!(driver.import("KfRaiseIrql", [2]), 0);
        driver.import("KeLowerIrql", [0]);
    }));
    driver.start(Session::of(ID, 5, 1));
}

/// The circumstances of the callback of a provider that a session wants already.
fn registered_with_a_session(at_registration: AtRegistration) -> (Arc<Driver>, Vec<(u64, ThreadId)>) {
    let driver = Driver::new();
    driver.machine.etw().set(|switches| switches.at_registration = at_registration);
    driver.start(Session::of(ID, 5, 1));
    driver.register();
    let circumstances = driver.circumstances.lock().unwrap().clone();
    (driver, circumstances)
}

#[test]
fn a_session_that_was_there_before_is_told_of_inside_the_registration() {
    let (driver, circumstances) = registered_with_a_session(AtRegistration::HandleFirst);
    assert_eq!(circumstances, [(driver.handle(), thread::current().id())]);
    assert_eq!(driver.heard(), [enabled(5, 1)]);
}

#[test]
fn or_before_there_is_a_handle() {
    let (driver, circumstances) = registered_with_a_session(AtRegistration::CallbackFirst);
    assert_eq!(circumstances, [(0, thread::current().id())]);
    assert_ne!(driver.handle(), 0);
}

#[test]
fn or_on_another_thread() {
    let (_, circumstances) = registered_with_a_session(AtRegistration::OtherThread);
    let [(handle, thread)] = circumstances[..] else { panic!("one call: {circumstances:?}") };
    assert!(handle == 0 && thread != thread::current().id());
}

#[test]
fn or_later() {
    let (driver, circumstances) = registered_with_a_session(AtRegistration::Later);
    assert_eq!(circumstances, []);
    driver.machine.deliver_notices().unwrap();
    assert_eq!(driver.heard(), [enabled(5, 1)]);
}

#[test]
fn what_is_told_later_comes_when_the_driver_waits() {
    let (driver, _) = registered_with_a_session(AtRegistration::Later);
    let interval = -10_000i64;
    driver.call("KeDelayExecutionThread", &[0, 0, &raw const interval as u64]).unwrap();
    assert_eq!(driver.heard(), [enabled(5, 1)]);
}

#[test]
fn what_happens_while_the_callback_runs_is_told_behind_it() {
    let driver = Driver::registered();
    *driver.deed.lock().unwrap() = Some(Box::new(|driver| {
        driver.start(Session::of(ID, 5, 4));
        assert_eq!(driver.heard.lock().unwrap().len(), 1, "not inside");
    }));
    driver.start(Session::of(ID, 3, 1));
    assert_eq!(driver.heard(), [enabled(3, 1), enabled(5, 5)]);
}

/// A driver whose callback runs on another thread until it is told to go on: that thread, and by what it goes on.
fn with_a_callback_that_runs(unregister: Unregister) -> (Arc<Driver>, thread::JoinHandle<()>, mpsc::Sender<()>) {
    let driver = Driver::registered();
    driver.machine.etw().set(|switches| switches.unregister = unregister);
    let (go_on, wait) = mpsc::channel();
    let (started, has_started) = mpsc::channel();
    *driver.deed.lock().unwrap() = Some(Box::new(move |_| {
        started.send(()).unwrap();
        wait.recv().unwrap();
    }));
    let other = Arc::clone(&driver);
    let session = thread::spawn(move || {
        other.start(Session::of(ID, 5, 1));
    });
    has_started.recv().unwrap();
    (driver, session, go_on)
}

#[test]
fn unregistering_waits_for_the_callback() {
    let (driver, session, go_on) = with_a_callback_that_runs(Unregister::Waits);
    let other = Arc::clone(&driver);
    let (done, ended) = mpsc::channel();
    let unregistering = thread::spawn(move || {
        other.unregister().unwrap();
        done.send(()).unwrap();
    });
    assert!(ended.recv_timeout(Duration::from_millis(50)).is_err(), "the callback still runs");
    go_on.send(()).unwrap();
    ended.recv().unwrap();
    unregistering.join().unwrap();
    session.join().unwrap();
}

#[test]
fn or_it_does_not_and_the_image_waits() {
    let (driver, session, go_on) = with_a_callback_that_runs(Unregister::Overtakes);
    assert_eq!(driver.unregister().unwrap(), 0);
    assert_eq!(driver.machine.device_objects().count(), 1, "kept");
    go_on.send(()).unwrap();
    session.join().unwrap();
    assert_eq!(driver.machine.device_objects().count(), 0, "let go");
}

#[test]
fn or_the_image_does_not_wait_either() {
    let (driver, session, go_on) = with_a_callback_that_runs(Unregister::OvertakesUnguarded);
    assert_eq!(driver.unregister().unwrap(), 0);
    assert_eq!(driver.machine.device_objects().count(), 0);
    go_on.send(()).unwrap();
    session.join().unwrap();
}

/// Whether in some order of threads a registration has ended while its callback runs.
fn is_overtaken_in_some_order(unregister: Unregister) -> bool {
    let explorer = Arc::new(Mutex::new(Explorer::default()));
    let crew = Crew::new(2);
    let mut overtaken = false;
    loop {
        let driver = Driver::registered();
        driver.machine.etw().set(|switches| switches.unregister = unregister);
        let (listening, leaving) = (Arc::clone(&driver), Arc::clone(&driver));
        let runs = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&runs);
        let listen: Job = Box::new(move || {
            listening.start(Session::default());
            Ok(())
        });
        let leave: Job = Box::new(move || {
            leaving.unregister().unwrap();
            let running = leaving.machine.etw().state().runs_on(leaving.handle()).is_some();
            seen.store(running.into(), Ordering::Relaxed);
            Ok(())
        });
        let plan = Plan { strategy: explorer.clone(), memory: None, waits: Waits::Early(1), seed: 0 };
        assert_eq!(crew.run(plan, vec![listen, leave]).failure, None);
        overtaken |= runs.load(Ordering::Relaxed) != 0;
        if !explorer.lock().unwrap().next_run() {
            return overtaken;
        }
    }
}

#[test]
fn in_no_order_of_threads_is_a_callback_overtaken_unless_it_is_to_be() {
    assert!(!is_overtaken_in_some_order(Unregister::Waits));
    assert!(is_overtaken_in_some_order(Unregister::Overtakes));
}

#[test]
fn unregistering_inside_the_callback_would_wait_for_ever() {
    let driver = Driver::registered();
    *driver.deed.lock().unwrap() = Some(Box::new(|driver| {
        driver.import("EtwUnregister", [driver.handle()]);
    }));
    let outcome = driver.machine.start_session(Session::of(ID, 5, 1));
    assert_violation(outcome, "inside the enable callback");
}

#[test]
fn a_provider_that_is_gone_hears_nothing() {
    let driver = Driver::registered();
    let session = driver.start(Session::of(ID, 5, 1));
    driver.unregister().unwrap();
    driver.heard();
    driver.machine.stop_session(session).unwrap();
    assert_eq!(driver.heard(), []);
}
