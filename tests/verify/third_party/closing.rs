//! Files that are closed, and a driver that is stopped, at awkward moments.

use std::{
    path::Path,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use flowtag_simulator::{
    Options,
    io::OpenError,
    service::State,
    wfp::{Removal, Verdict},
};
use flowtag_tests::{
    rig::outbound,
    windivert::{NAME, Refused, TAG, WinDivert},
};

use super::{Case, SOON, ended};

const STATUS_NO_SUCH_DEVICE: u32 = 0xC000_000E;
const STATUS_CANCELLED: u32 = 0xC000_0120;
const STATUS_UNSUCCESSFUL: u32 = 0xC000_0001;

pub const CASES: &[Case] = &[
    Case { name: "closing a file removes its contexts from flows that go on", run: close_with_flows },
    Case { name: "closing a file ends a request that waits", run: close_with_request },
    Case { name: "a request that waits can be cancelled", run: cancel_request },
    Case { name: "a removal that is pending keeps the closed file alive until flowDeleteFn", run: pending_removal },
    Case { name: "a stop with an open file waits for its close", run: stop_with_open_file },
    Case { name: "flows come and go on other CPUs while files are opened and closed", run: close_amidst },
    Case {
        name: "a flow that ends inside its association is deleted when the classify ends",
        run: ends_in_association,
    },
    Case { name: "a context that could not be removed goes with its flow", run: removal_fails },
];

fn close_with_flows(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    let flows: Vec<_> = (0..50).map(|_| rig.machine.open_flow(&outbound())).collect::<Result<_, _>>()?;
    ensure!(rig.machine.wfp().contexts() == 50, "contexts");
    layer.close()?;
    rig.settle();
    ensure!(rig.machine.wfp().contexts() == 0 && rig.machine.wfp().callouts() == 0, "{:?}", rig.left_behind());
    for flow in flows {
        rig.machine.close_flow(flow)?;
    }
    ended(&rig)
}

fn close_with_request(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    let mut waiting = layer.receive(1)?;
    layer.close()?;
    match waiting.events(Duration::ZERO) {
        Err(Refused::Status(STATUS_CANCELLED)) => ended(&rig),
        other => bail!("the request: {other:?}"),
    }
}

fn cancel_request(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(false)?;
    let (mut first, mut second) = (layer.receive(1)?, layer.receive(1)?);
    ensure!(first.cancel()?, "it waits, and cannot be cancelled");
    ensure!(matches!(first.events(Duration::ZERO), Err(Refused::Status(STATUS_CANCELLED))), "the cancelled request");
    rig.machine.open_flow(&outbound())?;
    ensure!(second.events(SOON)?.is_some_and(|events| events.len() == 1), "the other request");
    layer.close()?;
    ended(&rig)
}

fn pending_removal(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    rig.machine.open_flow(&outbound())?;
    rig.machine.wfp().set(|switches| switches.removal = Removal::PendingUntilTold);
    layer.close()?;
    rig.settle();
    ensure!(rig.machine.wfp().contexts() == 1 && rig.machine.wfp().callouts() == 2, "{:?}", rig.left_behind());
    ensure!(rig.machine.run_deferred_deletes()? == 1, "one flowDeleteFn was owed");
    rig.settle();
    ensure!(rig.machine.wfp().callouts() == 0, "its callouts, once the last context is gone");
    ended(&rig)
}

fn removal_fails(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    let flow = rig.machine.open_flow(&outbound())?;
    rig.machine.faults().fail("FwpsFlowRemoveContext0", 1, Some(STATUS_UNSUCCESSFUL));
    layer.close()?;
    ensure!(rig.machine.wfp().contexts() == 1, "the context that was not removed");
    rig.machine.close_flow(flow)?;
    ended(&rig)
}

fn stop_with_open_file(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    let flow = rig.machine.open_flow(&outbound())?;
    ensure!(rig.stop()? == State::StopPending, "it stopped although a program has a file open");
    match rig.open() {
        Err(OpenError::Refused(STATUS_NO_SUCH_DEVICE)) => {}
        other => bail!("another open while it is stopping: {:?}", other.map(drop)),
    }
    rig.machine.close_flow(flow)?;
    ensure!(layer.events()?.len() == 2, "it still does its work");
    let slowed = hold_unload_until_file_is_gone(&rig);
    layer.close()?;
    ensure!(slowed.load(Ordering::Relaxed) > 0, "it was not unloaded");
    let state = rig.machine.query_service(NAME).map(|status| status.state);
    ensure!(state == Ok(State::Stopped), "it goes with its last file: {state:?}");
    ensure!(rig.left_behind().is_empty(), "left behind: {:?}", rig.left_behind());
    Ok(())
}

/// The driver's unload does not wait for its own files (see `known_bugs.rs`): has it come late enough.
fn hold_unload_until_file_is_gone(rig: &WinDivert) -> Arc<AtomicU64> {
    let held = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&held);
    rig.machine.on_import(move |call| {
        if call.name() == "FwpsInjectionHandleDestroy0" && counter.fetch_add(1, Ordering::Relaxed) == 0 {
            call.machine.workers().wait_until_idle();
        }
    });
    held
}

/// Closing waits for the classifies that run (see `known_bugs.rs` for one that does not).
fn close_amidst(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let (done, flows, closing) = (AtomicBool::new(false), AtomicU64::new(0), RwLock::new(()));
    thread::scope(|scope| {
        let live = || -> Result<()> {
            while !done.load(Ordering::Relaxed) {
                let _not_now = closing.read().expect("nobody panics");
                let flow = rig.machine.open_flow(&outbound())?;
                rig.machine.close_flow(flow)?;
                flows.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        let others: Vec<_> = (0..2).map(|_| scope.spawn(live)).collect();
        let round = || -> Result<()> {
            let layer = rig.open_flow_layer(true)?;
            let before = flows.load(Ordering::Relaxed);
            let started = Instant::now();
            while flows.load(Ordering::Relaxed) < before + 20 && started.elapsed() < SOON {
                thread::yield_now();
            }
            let _alone = closing.write().expect("nobody panics");
            ensure!(!layer.events()?.is_empty(), "no event of {} flows", flows.load(Ordering::Relaxed) - before);
            layer.close()?;
            rig.settle();
            Ok(())
        };
        let rounds = (0..20).try_for_each(|_| round());
        done.store(true, Ordering::Relaxed);
        others.into_iter().try_for_each(|other| other.join().expect("no panic there"))?;
        rounds
    })?;
    ensure!(rig.machine.wfp().verdicts(Verdict::Block) == 0, "it blocked what it should only look at");
    ended(&rig)
}

/// It associates while it holds the lock that its flowDeleteFn takes: were that called inside, it would wait for itself.
/// That it works on Windows supports the guess that the engine holds flowDeleteFn back until the classify ends.
fn ends_in_association(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    rig.machine.wfp().set(|switches| switches.end_flow_after_associations = Some(1));
    rig.machine.open_flow(&outbound())?;
    ensure!(rig.machine.wfp().contexts() == 0, "the context of a flow that has ended");
    ensure!(layer.events()?.len() == 2, "it heard of both");
    ensure!(
        rig.machine.pool().used_by(flowtag_simulator::kernel::pool::Tag(TAG)).blocks == 1,
        "only its filter is left"
    );
    layer.close()?;
    ended(&rig)
}
