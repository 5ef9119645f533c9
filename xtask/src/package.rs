//! The driver package: the image, what goes with it, the command, and a test signature.

mod inf;
mod signing;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{driver, target::Target, tool, workspace};

/// A package that has been made.
pub struct Package {
    /// The machine that it is for.
    pub target: Target,
    /// Where it is.
    pub folder: PathBuf,
    /// Its files, and what each is.
    pub files: Vec<(&'static str, &'static str)>,
    /// Whether the image has a signature.
    pub signed: bool,
}

/// Builds the driver and the command, and makes the package anew.
pub fn make(target: Target, test_sign: bool) -> Result<Package> {
    let image = driver::build(target)?;
    let folder = workspace::target_folder().join("package").join(target.triple());
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let mut files = Vec::new();

    let packaged = folder.join("flowtag.sys");
    if test_sign {
        let certificate = folder.join("flowtag-test.cer");
        signing::sign(&image, &packaged, &certificate)?;
        files.push(("flowtag.sys", "the driver, signed with the test certificate"));
        files.push(("flowtag-test.cer", "the test certificate, made on this machine"));
    } else {
        copy(&image, &packaged)?;
        files.push(("flowtag.sys", "the driver, not signed"));
    }
    copy(&image.with_extension("pdb"), &folder.join("flowtag.pdb"))?;
    files.push(("flowtag.pdb", "its symbols, for WinDbg"));

    write_inf(target, &folder.join("flowtag.inf"))?;
    files.push(("flowtag.inf", "driver.inx, stamped"));

    if target == Target::X64 {
        copy(&tool::build()?, &folder.join("flowtag.exe"))?;
        files.push(("flowtag.exe", "the command that reads the driver's events"));
    }

    for (from, to, what) in [
        ("docs/windows.md", "windows.md", "how to load it, and what to do when it does not load"),
        ("docs/traces.md", "traces.md", "the trace lines"),
        ("docs/events.md", "events.md", "the events for programs"),
        ("flowtag.wprp", "flowtag.wprp", "how Windows Performance Recorder gets them"),
        ("LICENSE-APACHE", "LICENSE-APACHE", "the licence: this one"),
        ("LICENSE-MIT", "LICENSE-MIT", "or that one"),
    ] {
        copy(&workspace::root().join(from), &folder.join(to))?;
        files.push((to, what));
    }
    Ok(Package { target, folder, files, signed: test_sign })
}

/// Writes the package's INF.
pub fn write_inf(target: Target, path: &Path) -> Result<()> {
    let source = workspace::root().join("driver.inx");
    let source = fs::read_to_string(&source).with_context(|| format!("read {}", source.display()))?;
    fs::write(path, inf::stamp(&source, target, &inf::today()?, env!("CARGO_PKG_VERSION"))?)
        .with_context(|| format!("write {}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
