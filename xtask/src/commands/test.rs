//! `cargo xtask test`.

use std::{ffi::OsString, path::Path};

use anyhow::{Context, Result};
use rayon::prelude::*;

use crate::{
    commands::{bench, check, editor, verify},
    driver,
    llvm::Llvm,
    mutants::generated,
    package, process, setup,
    target::Target,
    workspace,
};

/// What the scenarios are run with once more: the other answer that Windows may give where a flow has a context already, and
/// a newer release.
const OTHER_WAYS: [(&str, &str); 2] = [("FLOWTAG_EXISTING_CONTEXT", "folded"), ("FLOWTAG_WINDOWS", "11")];

/// How many generated mutants are tried, others with each commit: as many as take about a minute.
const SAMPLE: usize = 12;

/// Checks everything, runs every test on the driver as built, the scenarios in every way, then `verify --quick`
/// and a sample of the generated mutants; with arguments, only the tests.
pub fn run(arguments: &[OsString]) -> Result<()> {
    let target = Target::default();
    setup::everything()?;
    if arguments.is_empty() {
        check::everything(target)?;
    }

    let llvm = Llvm::find().context(setup::LLVM_MISSING)?;
    let image = driver::build(target)?;
    // In folders of their own, as in `check`: each takes what the other leaves of two processors.
    let (packages, built) = rayon::join(
        || Ok::<_, anyhow::Error>((package::make(Target::X64, true)?, package::make(Target::Arm64, true)?)),
        || process::run_unmixed(workspace::host_programs("test").arg("--no-run"), "the tests did not build"),
    );
    let (package, arm64_package) = packages?;
    built?;
    let mut tests = workspace::host_programs("test");
    tests
        .args(["--no-fail-fast", "--"])
        .args(arguments)
        .env("FLOWTAG_CLANG", llvm.tool("clang"))
        .env("FLOWTAG_SYS", &image)
        .env("FLOWTAG_PACKAGE", package.folder)
        .env("FLOWTAG_PACKAGE_ARM64", arm64_package.folder);
    let tested = process::run(&mut tests, "a test failed");
    let tested = tested.and(in_other_ways(&image, arguments));
    if !arguments.is_empty() {
        return tested;
    }
    // Also after a failure: one run shows all that is wrong.
    let verified = verify::run(true, false, &[]);
    // Each of the two waits for much of its time.
    let (sampled, edited) =
        rayon::join(|| generated::run(&generated::Request::quick_sample(SAMPLE)), editor::check_if_possible);
    let within_budget = bench::check();
    tested.and(verified).and(sampled).and(within_budget).and(edited)
}

/// Runs the scenarios in all other ways at once, each in one thread: threads of one process that change mappings hold each other
/// up.
fn in_other_ways(image: &Path, arguments: &[OsString]) -> Result<()> {
    let ways = OTHER_WAYS.into_par_iter().map(|(name, value)| {
        let mut scenarios = workspace::host_programs("test");
        scenarios
            .args(["--no-fail-fast", "--test", "scenarios", "--"])
            .args(arguments)
            .env("FLOWTAG_SYS", image)
            .env("RUST_TEST_THREADS", "1")
            .env(name, value);
        process::run_unmixed(&mut scenarios, &format!("a scenario failed with {name}={value}"))
    });
    // All of them, also after a failure.
    ways.collect::<Vec<_>>().into_iter().collect()
}
