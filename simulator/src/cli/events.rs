//! `--events FILE`: all that drivers write while the command runs, one line of JSON for each event.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result};

use crate::{
    etw::{Event, json},
    output,
};

/// The file.
pub(super) struct EventFile {
    file: BufWriter<File>,
}

impl EventFile {
    /// Begins it.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("create the file for events {}", path.display()))?;
        Ok(Self { file: BufWriter::new(file) })
    }

    /// Adds events.
    pub(super) fn write(&mut self, events: &[Event]) -> Result<()> {
        for event in events {
            writeln!(self.file, "{}", json::line(event)).context("write the file for events")?;
        }
        Ok(())
    }

    /// Ends it; says it when events are missing.
    pub(super) fn finish(mut self, lost: u64) -> Result<()> {
        if lost > 0 {
            output::note(format_args!("flowtag-sim: {lost} events were lost: they came faster than they were read"));
        }
        self.file.flush().context("write the file for events")
    }
}
