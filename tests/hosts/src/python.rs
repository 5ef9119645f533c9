//! Hosts that are Python: their packages, pinned by version and SHA-256, in a folder of their own.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::case::Unavailable;

/// `python3` that finds the packages of a requirements file, each of whose lines has a version and `--hash=sha256:…`.
///
/// The packages are kept below `target/`, and fetched the first time, by pip as this machine has it set up.
///
/// # Errors
/// When they are neither there nor to be had.
pub fn with_packages(requirements: &Path) -> Result<Command, Unavailable> {
    let text = fs::read(requirements).with_context(|| format!("read {}", requirements.display()))?;
    let hash = Sha256::digest(&text).iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python");
    let kept = folder.join(hash);
    if !kept.is_dir() {
        // Others may be fetching, too: each into a folder of its own, and the first one's is kept.
        let own = folder.join(format!("fetch-{}", std::process::id()));
        let fetched = fetch(requirements, &own);
        let moved = fetched.map(|()| fs::rename(&own, &kept));
        let _ = fs::remove_dir_all(&own);
        if let Err(error) = moved?
            && !kept.is_dir()
        {
            return Err(Unavailable::Missing(format!("{} cannot be made: {error}", kept.display())));
        }
    }
    let mut python = python();
    python.env("PYTHONPATH", kept);
    Ok(python)
}

/// Nothing that this machine's user has installed or set gets in, and nothing is written beside a program.
fn python() -> Command {
    let mut python = Command::new("python3");
    python.args(["-s", "-B"]).env_remove("PYTHONPATH").stdin(Stdio::null());
    python
}

/// What is said where there is no pip, or no way to an index.
const OUT_OF_REACH: [&str; 4] = ["No module named pip", "onnection", "timed out", "name resolution"];

fn fetch(requirements: &Path, folder: &Path) -> Result<(), Unavailable> {
    let mut pip = python();
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile"])
        .args(["--require-hashes", "--no-deps", "--only-binary=:all:"])
        // Where there is no way to an index, that is to be known soon.
        .args(["--retries", "1", "--timeout", "15", "--target"])
        .arg(folder)
        .arg("--requirement")
        .arg(requirements);
    let missing = |what: &str| {
        Unavailable::Missing(format!(
            "The packages of {} cannot be had:\n{what}\n\
             It takes python3 with pip (Debian: python3-pip) and the way to a Python package index",
            requirements.display()
        ))
    };
    let output = pip.output().map_err(|error| missing(&format!("python3: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if OUT_OF_REACH.iter().any(|words| said.contains(words)) && !said.contains("DO NOT MATCH THE HASHES") {
        return Err(missing(said.trim()));
    }
    // The index is there, and what it has is not what is pinned.
    Err(Unavailable::Broken(anyhow::anyhow!("{}: {}", requirements.display(), said.trim())))
}
