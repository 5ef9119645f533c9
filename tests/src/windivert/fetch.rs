//! Getting the driver from `PyPI`, through pip as this machine has it set up.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};

/// The package that carries the driver, and where in it the driver is.
const PACKAGE: &str = "pydivert==4.0.1";
const MEMBER: &str = "pydivert/windivert_dll/WinDivert64.sys";
/// The driver's SHA-256: driver version 2.2.
const SHA256: &str = "8da085332782708d8767bcace5327a6ec7283c17cfb85e40b03cd2323a90ddc2";

/// Why the driver is not to be had.
#[derive(Debug)]
pub enum Unavailable {
    /// Something outside this repository is missing: pip, or the way to its registry.
    Missing(String),
    /// Something came, and it is not the driver that is known here.
    Wrong(String),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) | Self::Wrong(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Unavailable {}

/// The path of WinDivert64.sys. It is kept below `target/`, and fetched the first time.
///
/// # Errors
/// When it is neither there nor to be had.
pub fn image() -> Result<PathBuf, Unavailable> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/third-party");
    let kept = folder.join("WinDivert64.sys");
    if is_right(&kept) {
        return Ok(kept);
    }
    // Others may be fetching, too: each in a folder of its own, and whoever is done first or last puts the same file there.
    let own = folder.join(format!("fetch-{}", std::process::id()));
    let fetched = fetch(&own, &kept);
    let _ = fs::remove_dir_all(&own);
    fetched.map(|()| kept)
}

fn is_right(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| sha256(&bytes) == SHA256)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn fetch(folder: &Path, kept: &Path) -> Result<(), Unavailable> {
    let missing = |what: String| Unavailable::Missing(what);
    fs::create_dir_all(folder).map_err(|error| missing(format!("{} cannot be made: {error}", folder.display())))?;
    let download = ["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"];
    // Where there is no way to an index, that is to be known soon.
    let patience = ["--retries", "1", "--timeout", "15"];
    let windows = ["--only-binary=:all:", "--platform", "win_amd64", "--dest"];
    run(Command::new("python3").args(download).args(patience).args(windows).arg(folder).arg(PACKAGE)).map_err(
        |error| {
            missing(format!(
                "{PACKAGE}, which carries WinDivert64.sys, cannot be fetched:\n{error}\n\
             It takes python3 with pip (Debian: python3-pip) and the way to a Python package index"
            ))
        },
    )?;
    let entries = fs::read_dir(folder).map_err(|error| missing(format!("{}: {error}", folder.display())))?;
    let wheel =
        entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|ext| ext == "whl"));
    let wheel = wheel.ok_or_else(|| missing(format!("pip left no wheel of {PACKAGE}")))?;
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(folder))
        .map_err(|error| Unavailable::Wrong(format!("{} cannot be unpacked: {error}", wheel.display())))?;
    let driver = folder.join(MEMBER);
    if !is_right(&driver) {
        return Err(Unavailable::Wrong(format!("{PACKAGE} has no {MEMBER} with the SHA-256 {SHA256}")));
    }
    fs::rename(&driver, kept).map_err(|error| missing(format!("{} cannot be written: {error}", kept.display())))
}

/// Runs a program to its end; what it said when it failed.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("python3: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_other_contents_is_not_the_driver() {
        assert!(!is_right(Path::new("/proc/self/exe")));
        assert!(!is_right(Path::new("/nowhere")));
    }

    #[test]
    fn the_hash_is_written_as_sha256sum_writes_it() {
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
