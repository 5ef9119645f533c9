//! `cargo xtask test`.

use std::ffi::OsString;

use anyhow::{Context, Result};

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
    let package = package::make(Target::X64, true)?;
    let arm64_package = package::make(Target::Arm64, true)?;
    let mut tests = workspace::host_programs("test");
    tests
        .args(["--no-fail-fast", "--"])
        .args(arguments)
        .env("FLOWTAG_CLANG", llvm.tool("clang"))
        .env("FLOWTAG_SYS", &image)
        .env("FLOWTAG_PACKAGE", package.folder)
        .env("FLOWTAG_PACKAGE_ARM64", arm64_package.folder);
    let tested = process::run(&mut tests, "a test failed");
    let tested = OTHER_WAYS.into_iter().fold(tested, |tested, (name, value)| {
        let mut scenarios = workspace::host_programs("test");
        scenarios
            .args(["--no-fail-fast", "--test", "scenarios", "--"])
            .args(arguments)
            .env("FLOWTAG_SYS", &image)
            .env(name, value);
        tested.and(process::run(&mut scenarios, &format!("a scenario failed with {name}={value}")))
    });
    if !arguments.is_empty() {
        return tested;
    }
    // Also after a failure: one run shows all that is wrong.
    let verified = verify::run(true, false, &[]);
    let sampled = generated::run(&generated::Request::quick_sample(SAMPLE));
    let within_budget = bench::check();
    tested.and(verified).and(sampled).and(within_budget).and(editor::check_if_possible())
}
