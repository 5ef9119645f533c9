//! A whole life: start, flows established and deleted, the events read back, close, unload.

use std::path::Path;

use anyhow::{Result, ensure};
use flowtag_simulator::{Options, service::State};
use flowtag_tests::{
    rig::outbound,
    windivert::{Kind, WinDivert},
};

use super::Case;

pub const CASES: &[Case] =
    &[Case { name: "a flow is established and deleted, and both are read back", run: whole_life }];

fn whole_life(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    let flow = rig.machine.open_flow(&outbound())?;
    ensure!(rig.machine.wfp().contexts() == 1, "it hangs one context on the flow");
    rig.machine.close_flow(flow)?;
    let kinds: Vec<_> = layer.events()?.iter().map(|event| event.kind).collect();
    ensure!(kinds == [Kind::Established, Kind::Deleted], "{kinds:?}");
    layer.close()?;
    rig.settle();
    ensure!(rig.stop()? == State::Stopped, "stopped");
    ensure!(rig.left_behind().is_empty(), "left behind: {:?}", rig.left_behind());
    Ok(())
}
