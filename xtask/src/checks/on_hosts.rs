//! Checks that run the driver on hosts that nobody here wrote: the subcommands of `flowtag-hosts`.

use std::process::Command;

use anyhow::{Context, Result};

use super::{Request, Row, on_the_driver::run_for_row};
use crate::{driver, package, setup, target::Target, tool, wine_stand_ins, workspace};

/// Makes the command that runs a host, with what it needs built.
type Prepare = fn(&Request) -> Result<Command>;

/// The hosts.
pub const HOSTS: [(&str, Prepare); 3] = [("wine", wine), ("speakeasy", speakeasy), ("arm64", arm64)];

/// Runs the host of this name.
pub fn run(name: &str, request: &Request) -> Result<Row> {
    let host = HOSTS.into_iter().find(|(host, _)| *host == name);
    let (_, prepare) = host.with_context(|| format!("there is no host {name}"))?;
    run_for_row(&mut prepare(request)?, request.quick)
}

/// The x64 image as a service of Wine's, and the command as it is for Windows beside the one for this machine.
fn wine(request: &Request) -> Result<Command> {
    let stand_ins = wine_stand_ins::build()?;
    let inf = stand_ins.join("flowtag.inf");
    package::write_inf(Target::X64, &inf)?;
    setup::for_windows_programs()?;
    let tools = [("FLOWTAG_EXE", tool::build()?), ("FLOWTAG_TOOL", workspace::build_binary("flowtag")?)];
    let mut command = host("wine", request)?;
    command.env("FLOWTAG_WINE_STAND_INS", stand_ins).env("FLOWTAG_INF", inf).envs(tools);
    Ok(command)
}

/// The x64 image in the emulator Speakeasy.
fn speakeasy(request: &Request) -> Result<Command> {
    host("speakeasy", request)
}

/// The ARM64 image on unicorn.
fn arm64(request: &Request) -> Result<Command> {
    setup::ensure(Target::Arm64, &[])?;
    let image = driver::build(Target::Arm64)?;
    let mut command = host("arm64", request)?;
    command.env("FLOWTAG_SYS_ARM64", image);
    Ok(command)
}

/// The command that runs one host; `FLOWTAG_SYS` is the x64 image, which the simulator runs beside it.
fn host(name: &str, request: &Request) -> Result<Command> {
    setup::hosts_if_possible();
    let mut command = Command::new(workspace::build_binary("flowtag-hosts")?);
    command.arg(name);
    if request.quick {
        command.arg("--quick");
    }
    command.args(request.arguments).env("FLOWTAG_SYS", request.image);
    Ok(command)
}
