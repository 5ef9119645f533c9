//! Builds the drivers that `cargo xtask bench` compares flowtag with.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{commands::setup, kit, llvm::Llvm, process, target::Target, workspace};

const MANIFEST: &str = "bench/fixtures/Cargo.toml";

/// Builds them and returns their folder.
pub fn build() -> Result<PathBuf> {
    let target = Target::default();
    let llvm = Llvm::find().context(setup::LLVM_MISSING)?;
    let kit = kit::lay_out(&workspace::target_folder().join("driver"), target, &llvm)?;
    let folder = workspace::target_folder().join("bench-fixtures");
    let suffix = target.variable_suffix().to_uppercase();
    let mut build = workspace::cargo();
    build
        .args(["build", "--locked", "--release", "--examples", "--manifest-path", MANIFEST])
        .args(["--target", target.triple(), "--target-dir"])
        .arg(&folder)
        .env("FLOWTAG_KIT_LIBRARIES", kit::kernel_libraries(&kit, target))
        .env(format!("CARGO_TARGET_{suffix}_LINKER"), "rust-lld")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    process::run(&mut build, "the drivers in bench/fixtures did not build")?;
    Ok(folder.join(target.triple()).join("release/examples"))
}
