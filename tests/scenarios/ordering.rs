//! Orders that the driver must keep, watched at its imports.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use flowtag_simulator::{
    computer::{Call, Fails, Irql},
    wfp::{BusyUntil, FlowHandle, IrqlChoice},
    windows,
};

use flowtag_tests::rig::{Rig, outbound};

const DELAY: &str = "KeDelayExecutionThread";
const RUNDOWN: &str = "ExWaitForRundownProtectionRelease";
const UNREGISTER: &str = "FwpsCalloutUnregisterById0";

/// Long enough for an unload that does not wait any more to return.
const A_WHILE: Duration = Duration::from_millis(300);

/// Only a driver that hangs takes so long.
const TOO_LONG: Duration = Duration::from_secs(30);

/// What a thread that is kept inside an import and the thread that unloads know of each other.
#[derive(Default)]
struct Meeting {
    kept: AtomicBool,
    freed: AtomicBool,
    done: AtomicBool,
    unload_waited: AtomicBool,
    unloaded: AtomicBool,
}

/// Does `work` on another CPU, stops the driver when that CPU first calls `import`, and keeps it there until unload has
/// returned or has, in `wait`, waited for a while. True if it has returned.
fn unload_returns_during(rig: &Rig, import: &'static str, wait: &'static str, work: impl FnOnce(&Rig) + Send) -> bool {
    let meeting = Arc::new(Meeting::default());
    let too_early = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let here = thread::current().id();
            let (meeting_here, too_early) = (Arc::clone(&meeting), Arc::clone(&too_early));
            rig.machine.on_import(move |call: &Call<'_>| {
                let Meeting { kept, freed, done, unload_waited, unloaded } = &*meeting_here;
                if thread::current().id() == here {
                    if call.name() == import && !kept.swap(true, Ordering::SeqCst) {
                        await_any(&[unloaded, unload_waited], TOO_LONG);
                        too_early.store(await_any(&[unloaded], A_WHILE), Ordering::SeqCst);
                        freed.store(true, Ordering::SeqCst);
                    }
                } else if call.name() == wait {
                    unload_waited.store(true, Ordering::SeqCst);
                } else if call.name() == UNREGISTER && freed.load(Ordering::SeqCst) {
                    // The driver's last act on that CPU may be done, and the way back into WFP still to go.
                    await_any(&[done], TOO_LONG);
                }
            });
            work(rig);
            meeting.done.store(true, Ordering::SeqCst);
        });
        assert!(await_any(&[&meeting.kept], TOO_LONG), "{import} is not called");
        let unload = rig.machine.stop_service("flowtag");
        meeting.unloaded.store(true, Ordering::SeqCst);
        drop(worker.join());
        unload.unwrap();
    });
    too_early.load(Ordering::SeqCst)
}

/// Waits until one of `flags` is set; false if none is in time.
fn await_any(flags: &[&AtomicBool], limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if flags.iter().any(|flag| flag.load(Ordering::SeqCst)) {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn open_flow(rig: &Rig) -> FlowHandle {
    rig.open(&outbound())
}

#[test]
fn unload_waits_for_a_record_that_is_being_freed() {
    let rig = Rig::started();
    let flow = open_flow(&rig);
    assert!(!unload_returns_during(&rig, "ExFreePoolWithTag", DELAY, |rig| rig.close(flow)));
    rig.assert_clean();
}

#[test]
fn unload_waits_for_a_record_that_is_being_freed_when_its_context_still_holds_the_callout() {
    let rig = Rig::started();
    rig.set(|switches| switches.busy_until = BusyUntil::Returned);
    let flow = open_flow(&rig);
    assert!(!unload_returns_during(&rig, "ExFreePoolWithTag", DELAY, |rig| rig.close(flow)));
    rig.assert_clean();
}

#[test]
fn unload_waits_for_an_authorization_that_is_associating() {
    let rig = Rig::started();
    let authorize = |rig: &Rig| {
        open_flow(rig);
    };
    assert!(!unload_returns_during(&rig, "FwpsFlowAssociateContext0", RUNDOWN, authorize));
    rig.assert_clean();
}

#[test]
fn rundown_protection_is_held_only_at_dispatch_level() {
    let rig = Rig::started();
    rig.set(|switches| switches.irql = IrqlChoice::Random);
    rig.machine.on_import(|call| {
        if call.name() == "ExAcquireRundownProtection" {
            assert_eq!(call.cpu.irql(), Irql::DISPATCH, "a thread could be suspended inside the rundown");
        }
    });
    for _ in 0..20 {
        open_flow(&rig);
    }
    rig.stop();
}

#[test]
fn nothing_that_can_fail_follows_the_commit() {
    let rig = Rig::installed(&[]);
    let after_commit = Arc::new(Mutex::new(None::<Vec<&'static str>>));
    let log = Arc::clone(&after_commit);
    rig.machine.on_import(move |call| {
        let mut log = log.lock().unwrap();
        match log.as_mut() {
            Some(calls) => calls.push(call.name()),
            None if call.name() == "FwpmTransactionCommit0" => *log = Some(Vec::new()),
            None => {}
        }
    });
    rig.start().unwrap();
    let calls = after_commit.lock().unwrap().take().expect("a commit");
    let can_fail = |name: &&&str| windows::imports().named(name).is_some_and(|export| export.fails != Fails::Never);
    // Whether the session closes changes nothing: `leaving.rs`.
    assert_eq!(calls.iter().find(can_fail), Some(&"FwpmEngineClose0"));
    assert_eq!(calls.iter().filter(can_fail).count(), 1);
    rig.stop();
}

#[test]
fn a_flow_takes_a_bounded_block_of_pool() {
    let rig = Rig::started();
    let path = Some(vec![b'x'; 65_534]);
    rig.open(&flowtag_simulator::wfp::FlowSpec { path, ..outbound() });
    let largest = rig.machine.pool().live_blocks().into_iter().filter(|block| block.tag.to_string() == "'FtFl'");
    assert!(largest.map(|block| block.size).max().is_some_and(|size| size <= 384 + 640));
    rig.stop();
}
