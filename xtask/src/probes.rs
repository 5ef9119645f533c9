//! The eBPF programs that the kernel runs for live capture.

use std::{env, fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{llvm::Llvm, process, setup, workspace};

const SOURCE: &str = "simulator/src/traffic/live/probes.bpf.c";

/// Compiles them, where they are older than their source, and returns the path of the object.
pub fn build() -> Result<PathBuf> {
    let source = workspace::root().join(SOURCE);
    let object = workspace::target_folder().join("flowtag/probes.bpf.o");
    let age = |path| fs::metadata(path).and_then(|file| file.modified());
    let source_age = age(&source).with_context(|| format!("read {}", source.display()))?;
    if age(&object).is_ok_and(|object_age| object_age >= source_age) {
        return Ok(object);
    }

    let llvm = Llvm::find().context(setup::LLVM_MISSING)?;
    let folder = object.parent().context("an object without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let mut clang = Command::new(llvm.tool("clang"));
    clang
        .args(["-target", "bpf", "-O2", "-g", "-Wall", "-Werror"])
        // Debian keeps asm/types.h, which linux/bpf.h wants, in the folder of the machine, where BPF does not look.
        .args(["-idirafter", &format!("/usr/include/{}-linux-gnu", env::consts::ARCH)])
        .arg("-c")
        .arg(source)
        .arg("-o")
        .arg(&object);
    process::run_quietly(&mut clang, "compiling the eBPF probes failed")?;
    Ok(object)
}
