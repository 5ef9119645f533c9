//! Windows refuses what the driver asks for: traffic goes on, and the driver leaves nothing behind.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Result, ensure};
use flowtag_simulator::{Options, computer::Fails, service::ServiceError, wfp::Verdict, windows};
use flowtag_tests::{
    rig::outbound,
    windivert::{NAME, WinDivert},
};

use super::{Case, ended};

/// `EPT_S_NOT_REGISTERED`.
const NOT_REGISTERED: u32 = 1753;
const STATUS_INSUFFICIENT_RESOURCES: u32 = 0xC000_009A;

pub const CASES: &[Case] = &[
    Case {
        name: "without the base filtering engine it does not start, with the error that its users see",
        run: no_bfe,
    },
    Case { name: "whatever fails while it starts, it leaves nothing behind", run: every_failure_at_start },
    Case { name: "whatever fails while a file is opened, it leaves nothing behind", run: every_failure_at_open },
    Case { name: "a flow whose context cannot be associated goes on", run: association_fails },
    Case { name: "a flow for which there is no memory goes on", run: no_memory },
    Case { name: "its files outlive the base filtering engine", run: bfe_stops },
];

fn no_bfe(image: &Path) -> Result<()> {
    let rig = WinDivert::installed(image, Options::default());
    rig.machine.stop_bfe()?;
    let error = rig.machine.start_service(NAME).err().and_then(|error| error.win32());
    ensure!(error.is_some_and(|error| error.0 == NOT_REGISTERED), "{error:?}");
    ensure!(rig.left_behind().is_empty(), "left behind: {:?}", rig.left_behind());
    Ok(())
}

/// The imports that can fail and that `rig` has called, with how often.
fn called(rig: &WinDivert) -> Vec<(&'static str, u64)> {
    let can_fail = windows::imports().all().filter(|export| export.fails != Fails::Never).map(|export| export.name);
    can_fail.map(|name| (name, rig.machine.faults().calls(name))).filter(|(_, calls)| *calls > 0).collect()
}

fn every_failure_at_start(image: &Path) -> Result<()> {
    let good = WinDivert::started(image, Options::default())?;
    let (mut wrong, mut tried) = (BTreeSet::new(), 0);
    for (import, calls) in called(&good) {
        for nth in 1..=calls {
            tried += 1;
            let rig = WinDivert::installed(image, Options::default());
            rig.machine.faults().fail(import, nth, None);
            match rig.machine.start_service(NAME) {
                Ok(_) => drop(rig.stop()),
                Err(ServiceError::Entry(_)) => {}
                Err(other) => drop(wrong.insert(format!("{import} #{nth}: {other}"))),
            }
            let left = rig.left_behind();
            if !left.is_empty() {
                wrong.insert(format!("{import} #{nth}: {}", left.join(", ")));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    ensure!(tried > 30, "only {tried} calls can fail while it starts");
    Ok(())
}

fn every_failure_at_open(image: &Path) -> Result<()> {
    let good = WinDivert::started(image, Options::default())?;
    let before = called(&good);
    let layer = good.open_flow_layer(true)?;
    let calls_of = |counts: &[(&str, u64)], name: &str| counts.iter().find(|(n, _)| *n == name).map_or(0, |(_, c)| *c);
    let opened: Vec<_> = called(&good).iter().map(|&(name, calls)| (name, calls - calls_of(&before, name))).collect();
    layer.close()?;
    let (mut wrong, mut tried) = (BTreeSet::new(), 0);
    for (import, calls) in opened {
        for nth in 1..=calls {
            tried += 1;
            let rig = WinDivert::started(image, Options::default())?;
            rig.machine.faults().fail(import, nth, None);
            if let Ok(layer) = rig.open() {
                let _ = layer.initialize().and_then(|()| layer.start(true));
                let _ = rig.machine.open_flow(&outbound());
                let _ = layer.close();
            }
            if let Err(error) = ended(&rig) {
                wrong.insert(format!("{import} #{nth}: {error:#}"));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    ensure!(tried > 30, "only {tried} calls can fail while a file is opened");
    Ok(())
}

fn association_fails(image: &Path) -> Result<()> {
    goes_on_without(image, "FwpsFlowAssociateContext0", Some(STATUS_INSUFFICIENT_RESOURCES))
}

fn no_memory(image: &Path) -> Result<()> {
    goes_on_without(image, "ExAllocatePoolWithTag", None)
}

/// However often `import` fails for flows, they go on, and the driver can be stopped.
fn goes_on_without(image: &Path, import: &str, status: Option<u32>) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    for nth in [1, 2, 3] {
        rig.machine.faults().fail(import, nth, status);
        for _ in 0..4 {
            let flow = rig.machine.open_flow(&outbound())?;
            rig.machine.close_flow(flow)?;
        }
    }
    ensure!(rig.machine.wfp().verdicts(Verdict::Block) == 0, "a flow was blocked");
    layer.events()?;
    layer.close()?;
    ended(&rig)
}

fn bfe_stops(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    let flow = rig.machine.open_flow(&outbound())?;
    rig.machine.stop_bfe()?;
    rig.machine.close_flow(flow)?;
    ensure!(layer.events()?.len() == 2, "contexts outlive the engine's objects");
    layer.close()?;
    ended(&rig)
}
