//! `cargo xtask editor`.

use std::ffi::OsString;

use anyhow::Result;

use crate::{driver, editor, process, setup, target::Target, workspace};

/// What rust-analyzer runs to load the workspace, and whenever a file is saved: clippy for the driver and for everything
/// else, with messages for programs. `arguments` are for the driver's.
pub fn run(arguments: &[OsString]) -> Result<()> {
    let target = Target::default();
    setup::ensure(target, &[])?;
    let mut driver = driver::cargo("clippy", target)?;
    let mut host = workspace::host_programs("clippy");
    host.arg("--all-targets");
    // An editor wants to hear of every error, also of those behind the first.
    for clippy in [&mut driver, &mut host] {
        clippy.args(["--keep-going", "--message-format", "json"]);
    }
    let driver = editor::run_cargo(driver.arg("--").args(arguments));
    driver.and(process::run(&mut host, "clippy complains"))
}

/// The same as [`check`], where rust-analyzer can be had.
pub fn check_if_possible() -> Result<()> {
    match setup::rust_analyzer() {
        Ok(program) => editor::check(&program),
        Err(error) => {
            eprintln!("rust-analyzer was not tried: {error:#}");
            Ok(())
        }
    }
}

/// Whether rust-analyzer understands this repository.
pub fn check() -> Result<()> {
    editor::check(&setup::rust_analyzer()?)
}

/// Prints what an editor is to give to rust-analyzer.
pub fn print_settings() -> Result<()> {
    println!("{:#}", editor::settings()?);
    Ok(())
}
