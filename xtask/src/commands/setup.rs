//! `cargo xtask setup`: installs what the machine lacks. Quick and silent when it lacks nothing.

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    llvm::{Llvm, VERSIONS},
    process,
    target::Target,
};

/// What to do where LLVM is missing and cannot be installed from here.
pub const LLVM_MISSING: &str = "flowtag needs LLVM, version 14 or later: clang, llvm-dlltool, llvm-lib and libclang. \
     On Debian and Ubuntu they are in the packages clang-19, llvm-19 and libclang1-19";

/// Programs that the demo runs, each from the Debian package of its name.
const PROGRAMS: [&str; 2] = ["curl", "python3"];

/// Sets the machine up and says so.
pub fn run() -> Result<()> {
    ensure(Target::default())?;
    eprintln!("This machine has all that flowtag needs.");
    Ok(())
}

/// Installs what is missing to build for `target`.
pub fn ensure(target: Target) -> Result<()> {
    let programs: Vec<_> = PROGRAMS.into_iter().filter(|program| !is_in_path(program)).map(str::to_owned).collect();
    let llvm_is_missing = Llvm::find().is_none();
    if llvm_is_missing || !programs.is_empty() {
        install_packages(programs, llvm_is_missing)?;
        ensure!(Llvm::find().is_some(), "{LLVM_MISSING}");
    }
    complete_toolchain(target)
}

fn is_in_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Installs Debian packages: `packages`, and LLVM in the best version that the distribution has.
fn install_packages(mut packages: Vec<String>, llvm: bool) -> Result<()> {
    let wanted = if llvm { format!("{} LLVM", packages.join(" ")) } else { packages.join(" ") };
    if !is_in_path("apt-get") {
        bail!("missing: {}; flowtag installs only on Debian and Ubuntu. {LLVM_MISSING}", wanted.trim());
    }

    let _progress = process::progress(format!("Installing {}…", wanted.trim()));
    process::run_quietly(
        as_root("apt-get")?.arg("update"),
        "apt-get update failed: without its package lists nothing can be installed",
    )?;
    if llvm {
        let version = VERSIONS.into_iter().find(|version| has_package(&format!("clang-{version}")));
        let version =
            version.with_context(|| format!("this distribution has no clang that will do. {LLVM_MISSING}"))?;
        packages.extend(["clang", "llvm", "libclang1"].map(|name| format!("{name}-{version}")));
    }
    let failure = format!("installing failed; try it by hand: apt-get install {}", packages.join(" "));
    process::run_quietly(
        as_root("apt-get")?
            .args(["install", "--yes", "--no-install-recommends"])
            // Someone else may be installing.
            .args(["-o", "DPkg::Lock::Timeout=300"])
            .args(&packages),
        &failure,
    )
}

fn has_package(name: &str) -> bool {
    let mut show = Command::new("apt-cache");
    show.args(["show", name]).stdout(Stdio::null()).stderr(Stdio::null());
    show.status().is_ok_and(|status| status.success())
}

/// A command that runs `program` as root, without a question.
fn as_root(program: &str) -> Result<Command> {
    let is_root = fs::metadata("/proc/self").context("read /proc/self")?.uid() == 0;
    let mut command = if is_root {
        Command::new(program)
    } else {
        ensure!(
            Command::new("sudo")
                .args(["-n", "true"])
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success()),
            "packages are missing, and installing them takes root: run `sudo -v` first, or `cargo xtask setup` as root. \
             Needed: {}. {LLVM_MISSING}",
            PROGRAMS.join(", ")
        );
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "--preserve-env=DEBIAN_FRONTEND", program]);
        sudo
    };
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    Ok(command)
}

/// Adds the Windows target, clippy and rustfmt to the toolchain that runs us.
///
/// rust-toolchain.toml names them too, but rustup may be told not to install on its own (`RUSTUP_AUTO_INSTALL=0`).
fn complete_toolchain(target: Target) -> Result<()> {
    let sysroot = sysroot()?;
    let toolchain = env::var("RUSTUP_TOOLCHAIN").ok();
    let add = |kind: &str, name: &str| -> Result<()> {
        let toolchain = toolchain.as_deref().with_context(|| {
            format!(
                "the Rust toolchain in {} lacks {name}, and rustup does not manage it: install Rust with rustup",
                sysroot.display()
            )
        })?;
        let mut rustup = Command::new("rustup");
        rustup.args([kind, "add", "--toolchain", toolchain, name]);
        process::run_quietly(&mut rustup, &format!("rustup could not add {name}"))
    };

    if !sysroot.join("lib/rustlib").join(target.triple()).join("lib").is_dir() {
        add("target", target.triple())?;
    }
    for (component, program) in [("clippy", "cargo-clippy"), ("rustfmt", "rustfmt")] {
        if !sysroot.join("bin").join(program).is_file() {
            add("component", component)?;
        }
    }
    Ok(())
}

/// The folder of the toolchain that runs us.
fn sysroot() -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").context("run this as `cargo xtask`")?;
    let cargo = Path::new(&cargo);
    let sysroot = cargo.parent().and_then(Path::parent);
    Ok(sysroot.with_context(|| format!("{} is in no toolchain", cargo.display()))?.to_owned())
}
