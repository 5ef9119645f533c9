//! Bugs of this driver that the referee sees. Each is pinned to what it does and no more: a new one fails the check.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::{Result, bail, ensure};
use flowtag_simulator::{
    BugCheck, Options,
    computer::Irql,
    service::{ServiceError, State},
    wfp::{BusyUntil, IrqlChoice, Removal},
};
use flowtag_tests::{
    rig::outbound,
    windivert::{NAME, WinDivert},
};

use super::{Case, SOON};

/// `FWP_E_ALREADY_EXISTS`.
const ALREADY_EXISTS: u32 = 0x8032_0009;
const STATUS_INVALID_PARAMETER: u32 = 0xC000_000D;

const WDF_VIOLATION: u32 = 0x10D;
const UNLOADED_WITH_CALLBACKS: u32 = 0xCE;
const FREED_MEMORY: u32 = 0xD5;

pub const CASES: &[Case] = &[
    Case { name: "its bug: an unload right behind a close leaves two sub-layers", run: two_sublayers_left },
    Case { name: "its bug: a callout that is busy is left registered, and its file freed", run: busy_callout_ignored },
    Case { name: "its bug: it unloads with a callout whose flowDeleteFn ran at the wrong moment", run: callout_left },
    Case {
        name: "its bug: a removal that reports an error gives one reference too many back",
        run: reference_too_many,
    },
];

/// Its last reference to a closed file goes in a work item. An unload that comes first finds two sub-layers in use, does
/// not look at the status, and leaves them; the next start fails with `FWP_E_ALREADY_EXISTS`, an error that its users do
/// report (-2144206839, `GoodbyeDPI` issue 752; the cause was not found there).
fn two_sublayers_left(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    rig.settle();
    let unloaded = AtomicBool::new(false);
    rig.machine.on_import(move |call| match call.name() {
        // The end of the unload routine's work.
        "FwpmProviderDeleteByKey0" => unloaded.store(true, Ordering::Release),
        "WdfObjectDereferenceActual" => wait_until(|| unloaded.load(Ordering::Acquire)),
        _ => {}
    });
    layer.close()?;
    ensure!(rig.stop()? == State::Stopped, "it did not stop");
    let left = rig.left_behind();
    ensure!(left == ["2 objects of the filtering engine"], "left behind: {left:?}");
    let again = rig.machine.start_service(NAME).err().and_then(|error| error.win32());
    ensure!(again.is_some_and(|error| error.0 == ALREADY_EXISTS), "the next start: {again:?}");
    Ok(())
}

/// It does not look at what `FwpsCalloutUnregisterByKey0` answers. While a classify runs that is `STATUS_DEVICE_BUSY`;
/// the file's context is freed all the same, and the classify takes its lock there.
fn busy_callout_ignored(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    rig.settle();
    let (begun, closed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let classifying = Arc::new(AtomicU32::new(0));
    let (begins, ends, first) = (Arc::clone(&begun), Arc::clone(&closed), Arc::clone(&classifying));
    rig.machine.on_import(move |call| {
        // The first import that its classifyFn calls, before it knows whether its file is still there.
        let here = thread::current().name() == Some("classify");
        if here && call.name() == "KeQueryPerformanceCounter" && first.fetch_add(1, Ordering::Relaxed) == 0 {
            begins.store(true, Ordering::Release);
            wait_until(|| ends.load(Ordering::Acquire));
        }
    });
    let outcome = thread::scope(|scope| -> Result<_> {
        let classify = thread::Builder::new().name("classify".into());
        let classify = classify.spawn_scoped(scope, || rig.machine.open_flow(&outbound()))?;
        wait_until(|| begun.load(Ordering::Acquire));
        layer.close()?;
        rig.settle();
        closed.store(true, Ordering::Release);
        Ok(classify.join().expect("no panic there"))
    })?;
    caught(outcome.err(), FREED_MEMORY, "KeAcquireInStackQueuedSpinLock")
}

/// The same status ignored in another place: where a context counts until its flowDeleteFn has returned, the file that
/// goes inside it cannot unregister its callout. Where Windows lets callouts go before flowDeleteFn is called, as in the
/// one build that is known, nobody sees this bug.
fn callout_left(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    rig.machine.open_flow(&outbound())?;
    rig.machine.wfp().set(|switches| {
        switches.removal = Removal::PendingUntilTold;
        switches.busy_until = BusyUntil::Returned;
        // At DISPATCH_LEVEL the file goes later.
        switches.irql = IrqlChoice::Fixed(Irql::PASSIVE);
    });
    layer.close()?;
    rig.settle();
    rig.machine.run_deferred_deletes()?;
    rig.settle();
    ensure!(rig.machine.wfp().callouts() > 0, "its callouts are gone");
    match rig.stop() {
        Err(ServiceError::BugCheck(bug_check)) => caught(Some(bug_check), UNLOADED_WITH_CALLBACKS, "callouts"),
        other => bail!("it stopped: {other:?}"),
    }
}

/// A removal that reports an error other than `STATUS_UNSUCCESSFUL` and yet calls flowDeleteFn: both give the file's
/// reference back.
fn reference_too_many(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    rig.machine.open_flow(&outbound())?;
    rig.machine.wfp().set(|switches| switches.removal_error = Some(STATUS_INVALID_PARAMETER));
    let closed = layer.close();
    rig.settle();
    // Its work item has a reference, too: either it finds none left to give back, or the file is gone before it looks.
    let bug_check = closed.err().or_else(|| rig.machine.referee().verdict());
    caught(bug_check.clone(), WDF_VIOLATION, "WdfObjectDereference")
        .or_else(|_| caught(bug_check, FREED_MEMORY, "FxDr"))
}

/// The referee caught the bug that was to be, and no other.
fn caught(bug_check: Option<BugCheck>, code: u32, what: &str) -> Result<()> {
    let Some(bug_check) = bug_check else { bail!("the referee saw nothing") };
    ensure!(
        bug_check.code() == code && bug_check.reason().contains(what),
        "the referee saw something else: {bug_check}"
    );
    Ok(())
}

fn wait_until(reached: impl Fn() -> bool) {
    let started = Instant::now();
    while !reached() && started.elapsed() < SOON {
        thread::yield_now();
    }
}
