//! Orders that the driver must keep, watched at its imports.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use flowtag_simulator::{
    kernel::{Call, Fails, Irql, exports},
    wfp::FlowHandle,
};

use flowtag_tests::rig::{Rig, outbound};

/// Long enough for an unload that waits for nothing to return.
const A_WHILE: Duration = Duration::from_millis(300);

/// Does `work` on another CPU, stops the driver when that CPU first calls `import`, and keeps it there for a while.
/// True if unload has returned meanwhile.
fn unload_returns_during(rig: &Rig, import: &'static str, work: impl FnOnce(&Rig) + Send) -> bool {
    let (reached, wait_until_reached) = mpsc::channel();
    let stopped = Arc::new(AtomicBool::new(false));
    let too_early = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let here = thread::current().id();
            let (stopped, too_early) = (Arc::clone(&stopped), Arc::clone(&too_early));
            let reached = Mutex::new(Some(reached));
            rig.machine.on_import(move |call: &Call<'_>| {
                if thread::current().id() != here || call.name() != import {
                    return;
                }
                let Some(reached) = reached.lock().unwrap().take() else { return };
                reached.send(()).unwrap();
                thread::sleep(A_WHILE);
                too_early.store(stopped.load(Ordering::SeqCst), Ordering::SeqCst);
            });
            work(rig);
        });
        wait_until_reached.recv().unwrap();
        let unload = rig.machine.stop_service("flowtag");
        stopped.store(true, Ordering::SeqCst);
        drop(worker.join());
        unload.unwrap();
    });
    too_early.load(Ordering::SeqCst)
}

fn open_flow(rig: &Rig) -> FlowHandle {
    rig.open(&outbound())
}

#[test]
fn unload_waits_for_a_record_that_is_being_freed() {
    let rig = Rig::started();
    let flow = open_flow(&rig);
    assert!(!unload_returns_during(&rig, "ExFreePoolWithTag", |rig| rig.close(flow)));
    rig.assert_clean();
}

#[test]
fn unload_waits_for_an_authorization_that_is_associating() {
    let rig = Rig::started();
    let authorize = |rig: &Rig| {
        open_flow(rig);
    };
    assert!(!unload_returns_during(&rig, "FwpsFlowAssociateContext0", authorize));
    rig.assert_clean();
}

#[test]
fn rundown_protection_is_held_only_at_dispatch_level() {
    let rig = Rig::started();
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
    let can_fail = |name: &&&str| exports::all().any(|export| export.name == **name && export.fails != Fails::Never);
    assert_eq!(calls.iter().find(can_fail), None);
    rig.stop();
}

#[test]
fn a_flow_takes_a_bounded_block_of_pool() {
    let rig = Rig::started();
    let path = Some(vec![b'x'; 65_534]);
    rig.open(&flowtag_simulator::wfp::FlowSpec { path, ..outbound() });
    let largest = rig.machine.pool().live_blocks().into_iter().filter(|block| block.tag.to_string() == "'FtFl'");
    assert!(largest.map(|block| block.size).max().is_some_and(|size| size <= 256 + 320));
    rig.stop();
}
