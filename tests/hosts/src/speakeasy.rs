//! The x64 image in the emulator Speakeasy: `tests/speakeasy/check.py`, which acts out no script, but looks at what
//! has arrived in the emulator's filter engine.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;

use crate::{
    case::{Arguments, Case, Unavailable},
    python,
};

/// A line that check.py prints.
#[derive(Deserialize)]
struct Outcome {
    case: String,
    failed: Vec<String>,
}

/// The cases of check.py, which have run by then.
pub fn cases(arguments: &Arguments) -> Result<Vec<Case>, Unavailable> {
    let image = arguments.image("FLOWTAG_SYS")?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../speakeasy");
    let mut python = python::with_packages(&folder.join("requirements.txt"))?;
    // Its packages are old, and Python says so.
    python.args(["-W", "ignore"]).arg(folder.join("check.py")).arg(image);
    let cases = run(&mut python)?.into_iter().map(|Outcome { case, failed }| {
        Case::new(case, move || if failed.is_empty() { Ok(()) } else { Err(anyhow!(failed.join("\n  "))) })
    });
    Ok(cases.collect())
}

fn run(python: &mut Command) -> Result<Vec<Outcome>> {
    let output = python.stderr(Stdio::inherit()).output().context("start python3")?;
    ensure!(output.status.success(), "check.py has broken down: {}", output.status);
    let lines = String::from_utf8(output.stdout).context("read what check.py prints")?;
    let outcomes: Vec<_> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>().context(lines.clone())?;
    ensure!(!outcomes.is_empty(), "check.py has no case");
    Ok(outcomes)
}
