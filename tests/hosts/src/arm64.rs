//! The ARM64 image, executed by unicorn, in a small Windows of its own: `tests/arm64`, which shares nothing with the
//! simulator but the scripts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use toml::Table;

use crate::{
    case::{self, Arguments, Case, Unavailable},
    python,
    script::Script,
    transcript::Transcript,
};

/// Each script under both answers of `FwpsFlowAssociateContext0` for a flow that has a context already, and what a packet
/// and a life of a flow cost.
///
/// # Errors
/// When Python or its packages are not to be had.
pub fn cases(arguments: &Arguments) -> Result<Vec<Case>, Unavailable> {
    let image = arguments.image("FLOWTAG_SYS_ARM64")?;
    python()?;
    let scripts = |words: &'static [&'static str]| {
        let image = image.clone();
        case::scripts(move |script| act(&image, script, words))
    };
    let mut cases = scripts(&[])?;
    cases.extend(scripts(&["folded"])?.into_iter().map(|case| case.when("existing contexts folded into success")));
    cases.push(Case::new("instructions", move || count(&image)));
    Ok(cases)
}

fn act(image: &Path, script: &Script, words: &[&str]) -> Result<Transcript> {
    let mut python = python()?;
    let lines = output(python.arg(folder().join("act.py")).arg(image).arg(&script.path).args(words))?;
    Ok(Transcript::new(lines.lines()))
}

/// Shows how many instructions an operation takes, beside what it may take on x64.
fn count(image: &Path) -> Result<()> {
    let budget = folder().join("../../bench/budget.toml");
    let budget = fs::read_to_string(&budget).with_context(|| format!("read {}", budget.display()))?;
    let budget: Table = toml::from_str(&budget).context("read bench/budget.toml")?;
    let mut python = python()?;
    let counted = output(python.arg(folder().join("count.py")).arg(image))?;
    ensure!(!counted.is_empty(), "nothing was counted");
    for line in counted.lines() {
        let (operation, count) = line.split_once(' ').with_context(|| format!("{line} is no count"))?;
        let x64 = budget.get(operation).and_then(|counts| counts.get("instructions"));
        let x64 = x64.with_context(|| format!("bench/budget.toml has no instructions of {operation}"))?;
        eprintln!("arm64: {operation} takes {count} instructions, on x64 {x64}");
    }
    Ok(())
}

fn python() -> Result<Command, Unavailable> {
    python::with_packages(&folder().join("requirements.txt"))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../arm64")
}

/// What a program prints; what it complains of, when it fails.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("start {command:?}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\nthe driver's lines:\n{printed}", complaint.trim());
    Ok(printed)
}
