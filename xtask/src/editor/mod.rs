//! Whether rust-analyzer understands this repository: the driver and the programs of this machine, in one window.

mod bindings;
mod server;
mod settings;
mod state;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

pub use self::bindings::run_cargo;
use self::{server::Server, settings::Settings};
use crate::workspace;

/// What is opened besides all of the driver: a file of each crate of this machine's.
const HOST_FILES: [&str; 6] = [
    "bench/src/main.rs",
    "simulator/src/computer/cpu.rs",
    "simulator/src/lib.rs",
    "tests/src/lib.rs",
    "tests/verify/main.rs",
    "xtask/src/main.rs",
];

/// Where errors are planted. Nothing is written: what is there now may be somebody's work.
const PLANTED: &str = "src/flow.rs";
/// Behind the file's text: rust-analyzer itself must see that a text is no status of Windows.
const TYPED: &str = "\nfn planted() -> wdk_sys::NTSTATUS {\n    \"no status\"\n}\n";
/// Behind the command that checks: clippy must find fault with code that is there.
const DENIED: [&str; 3] = ["--", "--deny", "unsafe_code"];

/// Starts rust-analyzer as an editor does. Fails if it shows an error, or misses one that is planted in the driver.
pub fn check(rust_analyzer: &Path) -> Result<()> {
    let root = workspace::root();
    let settings = Settings::read(root)?;
    let mut server = Server::start(rust_analyzer, root, settings.section())?;
    let driver = rust_files(&root.join("src"))?;
    let files: Vec<_> = driver.iter().cloned().chain(HOST_FILES.map(|file| root.join(file))).collect();
    for file in &files {
        server.open(file, &read(file)?)?;
    }
    server.settle()?;
    if let Some(complaint) = server.complaint() {
        bail!("rust-analyzer complains: {complaint}");
    }
    let mut found = Vec::new();
    for file in &files {
        let errors = server.own_errors(file)?.into_iter().chain(server.errors_of_cargo(file));
        found.extend(errors.map(|error| format!("{}:{error}", file.display())));
    }
    ensure!(found.is_empty(), "rust-analyzer shows errors:\n{}", found.join("\n"));
    println!("{} files of the driver and {} others: no error", driver.len(), HOST_FILES.len());

    let planted = root.join(PLANTED);
    server.change(&planted, &(read(&planted)? + TYPED))?;
    let errors = server.own_errors(&planted)?;
    let first = errors.first().with_context(|| format!("rust-analyzer misses an error typed into {PLANTED}"))?;
    println!("typed into {PLANTED}, line {first}");

    server.configure(settings.with_check_arguments(&DENIED)?.section())?;
    server.save(&planted)?;
    let errors = server.errors_of_cargo(&planted);
    let first =
        errors.first().with_context(|| format!("rust-analyzer does not show what clippy finds in {PLANTED}"))?;
    println!("found by clippy in {PLANTED}, line {first}");
    Ok(())
}

/// What an editor is to give to rust-analyzer.
pub fn settings() -> Result<Value> {
    Ok(Settings::read(workspace::root())?.section())
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("read {}", file.display()))
}
