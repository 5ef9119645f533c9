//! How a service is created, and where its driver is.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// When a service starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartType {
    /// By the boot loader.
    Boot = 0,
    /// By the kernel when it starts.
    System = 1,
    /// By the service control manager when it starts.
    Auto = 2,
    /// By hand.
    #[default]
    Demand = 3,
    /// Never.
    Disabled = 4,
}

/// What happens when a service does not start with the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorControl {
    /// Nothing.
    Ignore = 0,
    /// The event log says so.
    #[default]
    Normal = 1,
    /// The machine starts with its last known good configuration.
    Severe = 2,
    /// The same, and when that was it already, the machine does not start.
    Critical = 3,
}

/// How a service was created.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The image path as it was given: a Linux path, or a Windows one such as `C:\drivers\flowtag.sys`.
    pub binary_path: String,
    /// Where the file of a Windows path is looked for by its name.
    pub drivers: PathBuf,
    /// When it starts.
    pub start: StartType,
    /// What happens when it does not. Here that is only kept: `sc qc` shows it.
    pub error: ErrorControl,
    /// The name for people; empty for the service's own.
    pub display_name: String,
}

impl Config {
    /// The Linux file that the binary path means.
    #[must_use]
    pub fn image_path(&self) -> PathBuf {
        let path = self.binary_path.trim_matches('"');
        let of_windows = path.contains('\\') || begins_with_drive(path);
        if Path::new(path).exists() || !of_windows {
            return path.into();
        }
        let name = path.rsplit(['\\', '/']).next().unwrap_or(path);
        let exact = self.drivers.join(name);
        if exact.exists() {
            return exact;
        }
        // Windows does not tell small letters from capital ones.
        let files = fs::read_dir(&self.drivers).into_iter().flatten().flatten().map(|file| file.path());
        let same = |file: &PathBuf| file.file_name().is_some_and(|found| found.eq_ignore_ascii_case(name));
        files.into_iter().find(same).unwrap_or(exact)
    }

    /// The path as the service control manager keeps it and `sc qc` shows it: of a driver's, one with a drive's letter becomes
    /// the kernel's (as in the transcript of daem0nc0re/VectorKernel, BlockImageLoad/README.md).
    #[must_use]
    pub fn kernel_path(&self) -> String {
        let prefix = if begins_with_drive(&self.binary_path) { r"\??\" } else { "" };
        format!("{prefix}{}", self.binary_path)
    }
}

/// Whether a path begins as `C:\drivers` does.
fn begins_with_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic())
}
