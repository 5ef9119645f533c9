//! `flowtag annotate`, on what was captured.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::{Annotated, read, tcpdump::Captured};
use crate::traffic::live::ahead_of;

/// Has the command `flowtag` at this path write `file` by these events, and reads it.
///
/// # Errors
/// The command fails, or what it has written cannot be read.
pub fn annotate(flowtag: &Path, captured: &Captured, events: &Path, file: PathBuf) -> Result<Annotated> {
    let mut command = Command::new(flowtag);
    command.arg("annotate").arg(&captured.file).arg(&file).arg("--flows").arg(events);
    let output = command.output().with_context(|| format!("start {}", flowtag.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "flowtag annotate failed ({}): {}", output.status, said.trim());
    let ambiguous = ambiguous(&said).with_context(|| format!("flowtag annotate says: {}", said.trim()))?;
    let bytes = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
    let packets = read::packets(&bytes).with_context(|| file.display().to_string())?;
    let monotonic_began = ahead_of(libc::CLOCK_MONOTONIC);
    Ok(Annotated { file, packets, ambiguous, dropped: captured.dropped, monotonic_began })
}

/// How many packets two flows fit, in a line such as `3 packets: 2 joined, 1 unknown, 0 ambiguous` (docs/tool.md).
fn ambiguous(said: &str) -> Option<usize> {
    let (_, counts) =
        said.lines().find_map(|line| line.split_once(": ").filter(|(all, _)| all.ends_with("packets")))?;
    counts.split(", ").find_map(|count| count.strip_suffix(" ambiguous"))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ambiguous_packets_are_those_of_the_summary() {
        assert_eq!(ambiguous("7 packets: 2 joined, 1 unknown, 4 ambiguous, 1 not IP\n"), Some(4));
        assert_eq!(ambiguous("flowtag: no such thing: 4 ambiguous\n"), None);
    }
}
