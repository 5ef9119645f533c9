//! `cargo xtask demo`.

use std::{ffi::OsString, process::Command};

use anyhow::Result;

use crate::{driver, probes, process, setup, target::Target, workspace};

/// Builds all that the demo needs and becomes `flowtag-sim demo`, with our arguments after its own.
pub fn run(arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let target = Target::default();
    setup::ensure(target, setup::TRAFFIC_PROGRAMS)?;
    let image = driver::build(target)?;
    let simulator = workspace::build_binary("flowtag-sim")?;
    let flowtag = workspace::build_binary("flowtag")?;
    let probes = probes::build()?;

    let mut demo = Command::new(simulator);
    demo.arg("demo").arg("--driver").arg(image).arg("--probes").arg(probes);
    demo.arg("--annotate").arg(flowtag).arg("--folder").arg(workspace::target_folder().join("demo")).args(arguments);
    Err(process::become_command(&mut demo))
}
