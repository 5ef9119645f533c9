//! Installs what the machine lacks. Quick and silent when it lacks nothing.

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    llvm::{Llvm, VERSIONS},
    lock::lock,
    process,
    target::Target,
    tool,
};

/// What to do where LLVM is missing and cannot be installed from here.
pub const LLVM_MISSING: &str = "flowtag is built with clang, llvm-dlltool, llvm-lib and libclang of LLVM 14 or later. \
     On Debian and Ubuntu they are in the packages clang-19, llvm-19 and libclang1-19";

/// Programs that the demo and its tests run, each from the Debian package of its name.
pub const TRAFFIC_PROGRAMS: &[&str] = &["curl", "perl", "python3", "tcpdump"];

/// Programs that sign a package, each from the Debian package of its name.
pub const SIGNING_PROGRAMS: &[&str] = &["openssl", "osslsigncode"];

/// Programs that the command `flowtag` for Windows is linked with.
const WINDOWS_PROGRAMS: &[&str] = &["x86_64-w64-mingw32-gcc"];

/// Programs that fuzzing takes, each from the Debian package of its name: libFuzzer is C++.
pub const FUZZING_PROGRAMS: &[&str] = &["g++"];

/// Programs that tests look at the terminal with, each from the Debian package of its name.
pub const TERMINAL_PROGRAMS: &[&str] = &["tmux"];

/// Programs that read captures for the pictures, each from the Debian package of its name.
pub const CAPTURE_PROGRAMS: &[&str] = &["tshark"];

/// Programs that hosts of the driver take: Wine, whose package brings the 64-bit half with it, and pip for those in Python.
const HOST_PROGRAMS: &[&str] = &["wine", "pip3"];

/// Installs what any command may want.
pub fn everything() -> Result<()> {
    ensure(Target::X64, &[TRAFFIC_PROGRAMS, SIGNING_PROGRAMS, FUZZING_PROGRAMS, TERMINAL_PROGRAMS].concat())?;
    ensure(Target::Arm64, &[])?;
    for_windows_programs()?;
    hosts_if_possible();
    if let Err(error) = rust_analyzer() {
        eprintln!("rust-analyzer is not installed: {error:#}");
    }
    Ok(())
}

/// Installs what programs for Windows are built with.
pub fn for_windows_programs() -> Result<()> {
    ensure(Target::X64, WINDOWS_PROGRAMS)?;
    let _ensuring = lock(&ENSURING);
    complete_toolchain(tool::TARGET)
}

/// Installs what hosts of the driver take. Where one of them cannot be had, the host does not run and says so.
pub fn hosts_if_possible() {
    for program in HOST_PROGRAMS {
        if let Err(error) = ensure(Target::X64, &[program]) {
            eprintln!("{program} is not installed: {error:#}");
        }
    }
}

/// Checks run beside each other, and apt-get does not.
static ENSURING: Mutex<()> = Mutex::new(());

/// Installs what is missing of `programs` and of the tools that build for `target`.
pub fn ensure(target: Target, programs: &[&str]) -> Result<()> {
    let _ensuring = lock(&ENSURING);
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !is_in_path(program)).map(package).collect();
    let llvm_is_missing = Llvm::find().is_none();
    if llvm_is_missing || !missing.is_empty() {
        install(&missing, llvm_is_missing)?;
        ensure!(Llvm::find().is_some(), "{LLVM_MISSING}");
    }
    complete_toolchain(target.triple())
}

/// The Debian package that a program is in.
fn package(program: &str) -> &str {
    match program {
        "pip3" => "python3-pip",
        "x86_64-w64-mingw32-gcc" => "gcc-mingw-w64-x86-64",
        program => program,
    }
}

fn is_in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Installs packages, and LLVM in the best version that the distribution has.
fn install(packages: &[&str], llvm: bool) -> Result<()> {
    let mut packages: Vec<String> = packages.iter().map(|&package| package.to_owned()).collect();
    let llvm_packages = |version: u32| ["clang", "llvm", "libclang1"].map(|name| format!("{name}-{version}"));
    let preferred = if llvm { llvm_packages(VERSIONS[0]).join(" ") } else { String::new() };
    let wanted = format!("{} {preferred}", packages.join(" "));
    let wanted = wanted.trim();
    ensure!(
        is_in_path("apt-get"),
        "this machine lacks what Debian has in the packages {wanted}: install them and try again"
    );
    let (Some(mut update), Some(mut install)) = (apt_get()?, apt_get()?) else {
        bail!("this machine lacks packages, and installing them takes root. Run: sudo apt-get install {wanted}");
    };

    let _progress = process::progress(format!("Installing {wanted}…"));
    process::run_quietly(
        update.arg("update"),
        "apt-get update failed: without its package lists nothing can be installed",
    )?;
    if llvm {
        let version = VERSIONS.into_iter().find(|version| has_package(&format!("clang-{version}")));
        let version = version.with_context(|| format!("this distribution has no such clang. {LLVM_MISSING}"))?;
        packages.extend(llvm_packages(version));
    }
    let failure = format!("packages are missing; try by hand: apt-get install {}", packages.join(" "));
    process::run_quietly(
        install
            .args(["install", "--yes", "--no-install-recommends"])
            // Someone else may be installing.
            .args(["-o", "DPkg::Lock::Timeout=300"])
            .args(&packages),
        &failure,
    )
}

fn has_package(name: &str) -> bool {
    succeeds(Command::new("apt-cache").args(["show", name]))
}

/// apt-get as root and without a question, if this user may.
fn apt_get() -> Result<Option<Command>> {
    let is_root = fs::metadata("/proc/self").context("read /proc/self")?.uid() == 0;
    let mut command = if is_root {
        Command::new("apt-get")
    } else if succeeds(Command::new("sudo").args(["-n", "true"])) {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
        sudo
    } else {
        return Ok(None);
    };
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    Ok(Some(command))
}

fn succeeds(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// Adds a Windows target, clippy and rustfmt to the toolchain that runs us.
///
/// rust-toolchain.toml names them too, but rustup may be told not to install on its own (`RUSTUP_AUTO_INSTALL=0`).
fn complete_toolchain(target: &str) -> Result<()> {
    let sysroot = sysroot()?;
    if !sysroot.join("lib/rustlib").join(target).join("lib").is_dir() {
        rustup_add(&sysroot, "target", target)?;
    }
    for (component, program) in [("clippy", "cargo-clippy"), ("rustfmt", "rustfmt")] {
        if !sysroot.join("bin").join(program).is_file() {
            rustup_add(&sysroot, "component", component)?;
        }
    }
    Ok(())
}

/// Adds rust-analyzer, and the library sources that it reads, to the toolchain that runs us; returns its path.
pub fn rust_analyzer() -> Result<PathBuf> {
    rust_src()?;
    let sysroot = sysroot()?;
    let program = sysroot.join("bin/rust-analyzer");
    if !program.is_file() {
        rustup_add(&sysroot, "component", "rust-analyzer")?;
    }
    Ok(program)
}

/// Adds the source of the standard library to the toolchain that runs us.
pub fn rust_src() -> Result<()> {
    let sysroot = sysroot()?;
    if sysroot.join("lib/rustlib/src/rust/library").is_dir() {
        return Ok(());
    }
    rustup_add(&sysroot, "component", "rust-src")
}

fn rustup_add(sysroot: &Path, kind: &str, name: &str) -> Result<()> {
    let by_rustup = sysroot.parent().is_some_and(|folder| folder.ends_with("toolchains"));
    let toolchain = sysroot.file_name().filter(|_| by_rustup);
    let toolchain = toolchain.with_context(|| {
        format!("the Rust in {} lacks {name} and is not rustup's: install Rust with rustup", sysroot.display())
    })?;
    let mut rustup = Command::new("rustup");
    rustup.args([kind, "add", "--toolchain"]).arg(toolchain).arg(name);
    process::run_quietly(&mut rustup, &format!("rustup could not add {name}"))
}

/// The folder of the toolchain that runs us.
fn sysroot() -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").context("run this as `cargo xtask`")?;
    let cargo = Path::new(&cargo);
    let sysroot = cargo.parent().and_then(Path::parent);
    Ok(sysroot.with_context(|| format!("{} is in no toolchain", cargo.display()))?.to_owned())
}
