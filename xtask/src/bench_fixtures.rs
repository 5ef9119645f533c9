//! Builds the drivers that `cargo xtask bench` compares flowtag with.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{kit, llvm::Llvm, process, setup, target::Target, workspace};

/// Their package: a workspace of its own, since it builds for Windows only.
pub const MANIFEST: &str = "bench/fixtures/Cargo.toml";

/// Builds them and returns their folder.
pub fn build() -> Result<PathBuf> {
    process::run(&mut cargo("build")?, "the drivers in bench/fixtures did not build")?;
    Ok(folder().join(Target::default().triple()).join("release/examples"))
}

fn folder() -> PathBuf {
    workspace::target_folder().join("bench-fixtures")
}

/// cargo `verb` for all of them.
pub fn cargo(verb: &str) -> Result<Command> {
    let target = Target::default();
    let llvm = Llvm::find().context(setup::LLVM_MISSING)?;
    let kit = kit::lay_out(&workspace::target_folder().join("driver"), target, &llvm)?;
    let suffix = target.variable_suffix().to_uppercase();
    let mut command = workspace::cargo();
    command
        .args([verb, "--locked", "--release", "--examples", "--manifest-path", MANIFEST])
        .args(["--target", target.triple(), "--target-dir"])
        .arg(folder())
        .env("FLOWTAG_KIT_LIBRARIES", kit::kernel_libraries(&kit, target))
        .env(format!("CARGO_TARGET_{suffix}_LINKER"), "rust-lld")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    Ok(command)
}
