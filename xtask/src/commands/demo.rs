//! `cargo xtask demo`.

use std::{env, ffi::OsString, fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{driver, llvm::Llvm, process, setup, target::Target, workspace};

/// The programs that the kernel runs for live capture.
const PROBES: &str = "simulator/src/traffic/live/probes.bpf.c";

/// Builds all that the demo needs and becomes `flowtag-sim demo`, with our arguments after its own.
pub fn run(arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let target = Target::default();
    setup::ensure(target, setup::TRAFFIC_PROGRAMS)?;
    let image = driver::build(target)?;
    let simulator = workspace::build_binary("flowtag-sim")?;
    let flowtag = workspace::build_binary("flowtag")?;
    let probes = build_probes()?;

    let mut demo = Command::new(simulator);
    demo.arg("demo").arg("--driver").arg(image).arg("--probes").arg(probes);
    demo.arg("--annotate").arg(flowtag).arg("--folder").arg(workspace::target_folder().join("demo")).args(arguments);
    Err(process::become_command(&mut demo))
}

/// Compiles the eBPF probes, where they are older than their source, and returns the path of the object.
fn build_probes() -> Result<PathBuf> {
    let source = workspace::root().join(PROBES);
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
