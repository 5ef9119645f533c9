//! Why a file cannot be loaded as a driver.

use std::{io, path::PathBuf};

/// Why a file cannot be loaded as a driver.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("{}: {cause}\n  {}", path.display(), unreadable_hint(cause))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is no PE image at all.
    #[error("{} is {kind}, not a Windows driver\n  name a .sys file, such as the one that `cargo xtask build` prints", path.display())]
    NotPe {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        kind: &'static str,
    },
    /// The image is for another processor.
    #[error("{} is an image for {machine}; the simulator runs x64 code only\n  build the driver for x86_64-pc-windows-msvc (`cargo xtask build`)", path.display())]
    WrongMachine {
        /// The file.
        path: PathBuf,
        /// The processor it is for.
        machine: String,
    },
    /// The image is not a driver.
    #[error("{} is not a kernel driver (subsystem {subsystem}, not 1, native)\n  name a .sys file, such as the one that `cargo xtask build` prints", path.display())]
    NotDriver {
        /// The file.
        path: PathBuf,
        /// The subsystem named in its header.
        subsystem: u16,
    },
    /// The image is cut off or inconsistent.
    #[error("{} is damaged or cut off: {what}\n  build or copy it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The image needs what the simulator does not have.
    #[error("{} imports what the simulator does not have:\n{}\n  the simulator knows what flowtag.sys needs; another driver's imports have to be added: docs/architecture.md says how", path.display(), list(imports))]
    UnknownImports {
        /// The file.
        path: PathBuf,
        /// The imports, as `module!name`.
        imports: Vec<String>,
    },
    /// The system refused memory.
    #[error("no memory to map {}: {cause}", path.display())]
    NoMemory {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl LoadError {
    /// The name of the 32-bit processor.
    pub(crate) const X86: &str = "32-bit x86";
}

fn unreadable_hint(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => "make it readable, or run the simulator as somebody who may read it",
        _ => "build the driver with `cargo xtask build`, which prints where flowtag.sys is",
    }
}

fn list(imports: &[String]) -> String {
    imports.iter().map(|import| format!("    {import}")).collect::<Vec<_>>().join("\n")
}
