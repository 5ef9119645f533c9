//! Builds the modules in tests/wine, with which Wine runs the driver.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::{process, target::Target, workspace};

/// Their package: a workspace of its own, since it builds for Windows only.
pub const MANIFEST: &str = "tests/wine/Cargo.toml";

/// Builds them and returns their folder.
pub fn build() -> Result<PathBuf> {
    process::run(&mut cargo("build"), "the modules in tests/wine did not build")?;
    Ok(folder().join(Target::X64.triple()).join("release/examples"))
}

fn folder() -> PathBuf {
    workspace::target_folder().join("wine-stand-ins")
}

/// cargo `verb` for all of them. They take no kit: what they import they name themselves.
pub fn cargo(verb: &str) -> Command {
    let target = Target::X64;
    let mut command = workspace::cargo();
    command
        .args([verb, "--locked", "--release", "--examples", "--manifest-path", MANIFEST])
        .args(["--target", target.triple(), "--target-dir"])
        .arg(folder())
        .env(format!("CARGO_TARGET_{}_LINKER", target.variable_suffix().to_uppercase()), "rust-lld")
        // None, and none of .cargo/config.toml either: control flow guard takes a kit.
        .env("CARGO_ENCODED_RUSTFLAGS", "");
    command
}
