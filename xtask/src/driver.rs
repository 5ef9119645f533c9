//! cargo for the driver: a Windows target, on a Linux host.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{kit, lift, llvm::Llvm, process, setup, target::Target, workspace};

/// cargo `verb` for the driver package, with the kit laid out.
pub fn cargo(verb: &str, target: Target) -> Result<Command> {
    cargo_in(workspace::root(), verb, target)
}

/// The same for a copy of the repository at `root`.
fn cargo_in(root: &Path, verb: &str, target: Target) -> Result<Command> {
    let llvm = Llvm::find().context(setup::LLVM_MISSING)?;
    // Below the repository: wdk-build looks for Cargo.lock in the folders above.
    let folder = root.join("target/driver");
    let kit = kit::lay_out(&folder, target, &llvm)?;

    let suffix = target.variable_suffix();
    let mut command = workspace::cargo();
    command
        .current_dir(root)
        .args([verb, "--locked", "--release", "--package", "flowtag", "--target", target.triple(), "--target-dir"])
        .arg(&folder)
        .env("RUSTC_WRAPPER", env::current_exe()?)
        .env(lift::FOLDER_VARIABLE, folder.join("lifted"))
        .env("WDKContentRoot", kit)
        .env("LIBCLANG_PATH", llvm.libraries())
        .env(format!("CC_{suffix}"), llvm.tool("clang"))
        .env(format!("AR_{suffix}"), llvm.tool("llvm-lib"))
        .env(format!("CARGO_TARGET_{}_LINKER", suffix.to_uppercase()), "rust-lld")
        // They would replace the crt-static of .cargo/config.toml, without which wdk-build refuses.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    Ok(command)
}

/// Builds the release image and returns the path of `flowtag.sys`; `flowtag.pdb` lies beside it.
pub fn build(target: Target) -> Result<PathBuf> {
    let root = workspace::root();
    process::run(&mut cargo_in(root, "build", target)?, "the driver did not build")?;
    image_in(root, target)
}

/// The same for a copy of the repository at `root`, without cargo's messages unless it fails.
pub fn build_in(root: &Path, target: Target) -> Result<PathBuf> {
    process::run_quietly(&mut cargo_in(root, "build", target)?, "the driver did not build")?;
    image_in(root, target)
}

fn image_in(root: &Path, target: Target) -> Result<PathBuf> {
    let folder = root.join("target/driver").join(target.triple()).join("release");
    let image = folder.join("flowtag.sys");
    copy_if_changed(&folder.join("flowtag.dll"), &image)?;
    Ok(image)
}

fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let content = fs::read(from).with_context(|| format!("read {}", from.display()))?;
    if fs::read(to).is_ok_and(|present| present == content) {
        return Ok(());
    }
    fs::write(to, content).with_context(|| format!("write {}", to.display()))
}
