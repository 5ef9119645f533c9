//! Checks that run the driver on hosts that nobody here wrote: the subcommands of `flowtag-hosts`.

use std::process::Command;

use anyhow::Result;

use super::{Request, Row, run_for_row};
use crate::{commands::setup, driver, package, target::Target, wine_stand_ins, workspace};

/// The x64 image as a service of Wine's.
pub fn wine(request: &Request) -> Result<Row> {
    setup::wine_if_possible();
    let stand_ins = wine_stand_ins::build()?;
    let inf = stand_ins.join("flowtag.inf");
    package::write_inf(Target::X64, &inf)?;
    run(host("wine", request)?.env("FLOWTAG_WINE_STAND_INS", stand_ins).env("FLOWTAG_INF", inf), request)
}

/// The x64 image in the emulator Speakeasy.
pub fn speakeasy(request: &Request) -> Result<Row> {
    run(&mut host("speakeasy", request)?, request)
}

/// The ARM64 image on unicorn.
pub fn arm64(request: &Request) -> Result<Row> {
    setup::ensure(Target::Arm64, &[])?;
    let image = driver::build(Target::Arm64)?;
    run(host("arm64", request)?.env("FLOWTAG_SYS_ARM64", image), request)
}

/// The command that runs one host; `FLOWTAG_SYS` is the x64 image, which the simulator runs beside it.
fn host(name: &str, request: &Request) -> Result<Command> {
    let mut command = Command::new(workspace::build_binary("flowtag-hosts")?);
    command.arg(name);
    if request.quick {
        command.arg("--quick");
    }
    command.args(request.arguments).env("FLOWTAG_SYS", request.image);
    Ok(command)
}

fn run(command: &mut Command, request: &Request) -> Result<Row> {
    run_for_row(command, request.quick)
}
