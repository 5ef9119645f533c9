//! Where things are, and cargo for everything that runs on this machine.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process;

/// This machine, where cargo wants its name: the simulator runs on no other.
pub const HOST: &str = "x86_64-unknown-linux-gnu";

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

/// cargo `verb` for this machine, on the lock file as it is, in the repository or a copy of it at `root`.
pub fn host_cargo_in(root: &Path, verb: &str) -> Command {
    let mut command = cargo();
    command.current_dir(root).args([verb, "--locked", "--target-dir"]).arg(root.join("target"));
    command.env_remove("CARGO_BUILD_TARGET");
    command
}

/// cargo `verb` for programs of this machine: for all packages but the driver, which does not build for it, and with the
/// profile that lets the simulator's bug checks unwind.
///
/// clippy and rustdoc, too, select these packages and this profile: cargo unifies features over what is selected, and keeps
/// each profile in a folder of its own, so what differed in one of them would compile the same dependencies again.
pub fn host_programs(verb: &str) -> Command {
    let mut command = host_cargo_in(root(), verb);
    command.args(["--profile", "host", "--workspace", "--exclude", "flowtag"]);
    command.args(["--features", "flowtag-tests/driver,flowtag-hosts/driver"]);
    command
}

/// Builds one program of this machine and returns its path.
pub fn build_binary(name: &str) -> Result<PathBuf> {
    let mut build = host_programs("build");
    process::run(build.args(["--bin", name]), &format!("{name} did not build"))?;
    Ok(target_folder().join("host").join(name))
}

/// Builds test programs of flowtag-tests and returns their paths.
pub fn build_tests(names: &[&str]) -> Result<Vec<PathBuf>> {
    let mut build = host_programs("test");
    build.args(["--no-run", "--message-format", "json"]).args(names.iter().map(|name| format!("--test={name}")));
    let output = build.stderr(Stdio::inherit()).output().context("start cargo")?;
    ensure!(output.status.success(), "the tests did not build");
    let messages = String::from_utf8_lossy(&output.stdout);
    let binary = |name| messages.lines().find_map(|line| executable(line, name));
    names.iter().map(|name| binary(name).with_context(|| format!("cargo named no test binary {name}"))).collect()
}

/// The executable that this message of cargo's names, if it is that of the test binary `name`.
fn executable(message: &str, name: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message["target"]["name"] != name {
        return None;
    }
    message["executable"].as_str().map(PathBuf::from)
}
