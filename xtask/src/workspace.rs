//! Where things are, and cargo for everything that runs on this machine.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::process;

/// The repository's folder.
pub fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// The folder for everything that is built.
pub fn target_folder() -> PathBuf {
    root().join("target")
}

/// cargo, as it runs us: the same toolchain.
pub fn cargo() -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// cargo `verb` for this machine, on the lock file as it is.
pub fn host_cargo(verb: &str) -> Command {
    let mut command = cargo();
    command.args([verb, "--locked", "--target-dir"]).arg(target_folder()).env_remove("CARGO_BUILD_TARGET");
    command
}

/// Builds the simulator with the profile that lets its bug checks unwind, and returns the path of `flowtag-sim`.
pub fn build_simulator() -> Result<PathBuf> {
    let mut build = host_cargo("build");
    build.args(["--profile", "host", "--package", "flowtag-simulator"]);
    process::run(&mut build, "the simulator did not build")?;
    Ok(target_folder().join("host/flowtag-sim"))
}
