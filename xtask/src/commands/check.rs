//! `cargo xtask check`: rustfmt, who imports whom, clippy and rustdoc, over the driver and over everything else.

use std::{fs, process::Command};

use anyhow::{Context, Result};

use crate::{bench_fixtures, driver, floors, process, setup, target::Target, wine_stand_ins, workspace};

/// Fails on the first warning.
pub fn run() -> Result<()> {
    let target = Target::default();
    setup::ensure(target, &[])?;
    everything(target)
}

/// As [`run`], on a machine that is set up.
pub fn everything(target: Target) -> Result<()> {
    process::run(
        workspace::cargo().args(["fmt", "--all", "--check"]),
        "rustfmt would change files: run `cargo fmt --all`",
    )?;
    for manifest in [bench_fixtures::MANIFEST, wine_stand_ins::MANIFEST] {
        process::run(
            workspace::cargo().args(["fmt", "--check", "--manifest-path", manifest]),
            &format!("rustfmt would change files beside {manifest}: run `cargo fmt` there"),
        )?;
    }

    floors::check()?;

    // Each builds in folders of its own: while one has work for one processor only, the other takes the next.
    let (of_programs, of_drivers) = rayon::join(programs, || drivers(target));
    of_programs.and(of_drivers)?;
    count_inputs()
}

/// clippy and rustdoc over what runs on this machine.
fn programs() -> Result<()> {
    let mut clippy = workspace::host_programs("clippy");
    process::run(clippy.args(["--all-targets", "--", "--deny", "warnings"]), "clippy complains")?;
    process::run(strict_docs(&mut workspace::host_programs("doc")), "rustdoc complains")
}

/// clippy over what is built for Windows, and rustdoc over the driver.
fn drivers(target: Target) -> Result<()> {
    let mut clippy = driver::cargo("clippy", target)?;
    process::run_unmixed(clippy.args(["--", "--deny", "warnings"]), "clippy complains about the driver")?;
    let mut clippy = bench_fixtures::cargo("clippy")?;
    process::run_unmixed(clippy.args(["--", "--deny", "warnings"]), "clippy complains about bench/fixtures")?;
    let mut clippy = wine_stand_ins::cargo("clippy");
    process::run_unmixed(clippy.args(["--", "--deny", "warnings"]), "clippy complains about tests/wine")?;
    let mut doc = driver::cargo("doc", target)?;
    process::run_unmixed(strict_docs(&mut doc), "rustdoc complains about the driver")
}

/// Prints how much of what a driver passes is modelled: the last line of a page that a test of the simulator holds.
fn count_inputs() -> Result<()> {
    let page = workspace::root().join("docs/imports.md");
    let text = fs::read_to_string(&page).with_context(|| format!("reading {}", page.display()))?;
    println!("docs/imports.md: {}", text.lines().next_back().unwrap_or_default());
    Ok(())
}

/// Private items are documented too, and so may be linked to.
fn strict_docs(command: &mut Command) -> &mut Command {
    command
        .args(["--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "--deny warnings --allow rustdoc::private_intra_doc_links")
}
