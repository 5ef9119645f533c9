//! Checks of the driver's own source on this machine: loom, shuttle, Miri, `ThreadSanitizer`.
//!
//! The first two are a program of ours. The others are tools of Rust that may not be there and cannot always be had: then
//! their row says that they did not run, and why.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use rayon::prelude::*;

use crate::{
    checks::{Request, Row, on_the_driver::run_for_row},
    process, setup,
    workspace::{self, HOST},
};

/// The package with the driver's source.
pub const PACKAGE: &str = "flowtag-on-host";
/// What Miri runs of the unit tests: of the modules without the kernel, these have what Miri is for; the others are safe code.
pub const MIRI_UNITS: [&str; 4] = ["--lib", "--", "wfp::", "references::"];
/// The files of these modules, and whose bytes they read.
pub const MIRI_UNITS_ARE_OF: [&str; 3] = ["src/wfp/", "src/references.rs", "src/package.rs"];
/// The lives of flows.
pub const MIRI_LIVES: [&str; 1] = ["--test=lives"];
/// Seeds under which Miri runs the lives of flows: each orders threads and memory otherwise.
const SEEDS: u64 = 8;

/// The orders of steps of the ring and the count, for three threads.
pub fn loom(request: &Request) -> Result<Row> {
    interleavings("loom", request)
}

/// Many orders of steps, for more threads.
pub fn shuttle(request: &Request) -> Result<Row> {
    interleavings("shuttle", request)
}

fn interleavings(tool: &str, request: &Request) -> Result<Row> {
    let mut command = Command::new(workspace::build_binary("flowtag-interleavings")?);
    command.arg(tool).args(request.quick.then_some("--quick")).args(request.arguments);
    run_for_row(&mut command, request.quick)
}

/// Runs `flowtag-interleavings` as typed.
pub fn run_interleavings(arguments: &[impl AsRef<OsStr>]) -> Result<()> {
    let mut command = Command::new(workspace::build_binary("flowtag-interleavings")?);
    process::run(command.args(arguments), "an interleaving failed")
}

/// The driver's unit tests and the lives of flows in Rust's interpreter, which sees undefined behaviour.
pub fn miri(_: &Request) -> Result<Row> {
    let start = Instant::now();
    if let Err(error) = have_miri() {
        return Ok(Row::not_run("miri", start, &format!("{error:#}")));
    }
    let units = run_tests(&mut miri_in(workspace::root(), 0, &MIRI_UNITS))?;
    // Not with Miri's own -Zmiri-many-seeds: what the seeds print runs into each other there, and cannot be counted.
    let lives = (0..SEEDS).into_par_iter().map(|seed| run_tests(&mut miri_in(workspace::root(), seed, &MIRI_LIVES)));
    let lives: Vec<Tests> = lives.collect::<Result<_>>()?;
    Ok(lives.iter().fold(units, Tests::and).row("miri", start))
}

/// The command that runs tests of the repository, or of a copy of it, in Miri.
pub fn miri_in(root: &Path, seed: u64, arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", "cargo", "miri", "test", "--locked", "--package", PACKAGE, "--target-dir"])
        .arg(root.join("target/miri"))
        .args(arguments)
        .current_dir(root)
        // Contexts are numbers: WFP gives back what it was given as one.
        .env("MIRIFLAGS", format!("-Zmiri-permissive-provenance -Zmiri-seed={seed}"));
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        command.env_remove(variable);
    }
    command
}

/// Miri comes with nightly Rust: installs it where it is missing.
pub fn have_miri() -> Result<()> {
    let mut present = Command::new("rustup");
    present.args(["run", "nightly", "cargo", "miri", "--version"]).env_remove("RUSTUP_TOOLCHAIN");
    if present.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let mut install = Command::new("rustup");
    install.args(["toolchain", "install", "nightly", "--profile", "minimal", "--component", "miri,rust-src"]);
    process::run_quietly(
        &mut install,
        "Miri comes with nightly Rust only, which could not be installed; try: \
         rustup toolchain install nightly --component miri,rust-src",
    )
}

/// The lives of flows on real threads, with every access watched for races.
pub fn thread_sanitizer(_: &Request) -> Result<Row> {
    let start = Instant::now();
    if let Err(error) = setup::rust_src() {
        return Ok(Row::not_run("thread_sanitizer", start, &format!("{error:#}")));
    }
    let mut command = workspace::cargo();
    command
        // The standard library as well: what is not instrumented hides the order that it makes.
        .args(["test", "-Zbuild-std", "--locked", "--profile", "host", "--package", PACKAGE, "--test", "lives"])
        .args(["--target", HOST, "--target-dir"])
        .arg(workspace::target_folder().join("thread-sanitizer"))
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zsanitizer=thread")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    Ok(run_tests(&mut command)?.row("thread_sanitizer", start))
}

/// How many tests ran.
struct Tests {
    passed: u64,
    failed: u64,
}

impl Tests {
    fn and(self, other: &Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }

    fn row(&self, check: &str, start: Instant) -> Row {
        let all = self.passed + self.failed;
        Row::new(check, start, all, all, self.failed)
    }
}

/// Runs tests and counts them; what they print is shown when one fails.
fn run_tests(command: &mut Command) -> Result<Tests> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (passed, mut failed) = (counted(&text, "passed"), counted(&text, "failed"));
    if !output.status.success() {
        eprintln!("{text}{}\nrepeat with: {command:?}", String::from_utf8_lossy(&output.stderr));
        // A tool ends the process at its first finding.
        failed = failed.max(1);
    } else if passed == 0 {
        bail!("{command:?} ran no test");
    }
    Ok(Tests { passed, failed })
}

/// Sums `what` over the lines that end each run of a test program.
fn counted(text: &str, what: &str) -> u64 {
    let number = |part: &str| part.trim().strip_suffix(what)?.trim().rsplit(' ').next()?.parse::<u64>().ok();
    let results = text.lines().filter(|line| line.contains("test result: "));
    results.flat_map(|line| line.split(';')).filter_map(number).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_RUNS: &str = "test a ... ok\n\
        test result: ok. 4 passed; 0 failed; 0 ignored; 2 filtered out; finished in 2.89s\n\
        test result: FAILED. 3 passed; 1 failed; 0 ignored; 2 filtered out; finished in 2.98s\n";

    #[test]
    fn the_tests_of_all_runs_are_counted() {
        assert_eq!(counted(TWO_RUNS, "passed"), 7);
    }

    #[test]
    fn the_failures_of_all_runs_are_counted() {
        assert_eq!(counted(TWO_RUNS, "failed"), 1);
    }
}
