//! The command `flowtag` for Windows, built here with Debian's mingw.

use std::path::PathBuf;

use anyhow::Result;

use crate::{process, workspace};

/// Rust's name for what it is built for. For ARM64 Debian has no linker, and Windows 11 runs this one there, too.
pub const TARGET: &str = "x86_64-pc-windows-gnu";

/// Builds it and returns the path of `flowtag.exe`.
pub fn build() -> Result<PathBuf> {
    let folder = workspace::target_folder().join("tool");
    let mut build = workspace::cargo();
    build
        .args(["build", "--locked", "--release", "--package", "flowtag-tool", "--target", TARGET, "--target-dir"])
        .arg(&folder)
        // They would be in the program, and make it many times as large.
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    process::run(&mut build, "flowtag.exe did not build")?;
    Ok(folder.join(TARGET).join("release/flowtag.exe"))
}
