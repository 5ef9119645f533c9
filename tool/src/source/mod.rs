//! Where events come from: a file or standard input that holds them as JSON Lines, or as the driver's trace lines.
//!
//! - [`Events`] reads either; which one it is, the first line says, or who asks ([`Kind`]).
//! - [`lines`]: lines of text, in UTF-8 or UTF-16.
//! - [`json`] and [`trace`]: an event a line, in the one way and the other.

mod clock;
mod growing;
pub mod json;
mod lines;
mod place;
mod trace;
#[cfg(test)]
mod trace_tests;

use std::io::{self, Read};

use lines::{Lines, NoLine};

pub use place::{NotHere, Place};

use crate::{event::Told, time::Time};

/// What a source holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// JSON Lines, as `flowtag log --json` and `flowtag-sim --events` write them
    Json,
    /// Trace lines, as `DbgView` or `WinDbg` have saved them
    Trace,
}

/// How a source is to be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// What it holds; `None` if its first line is to say it.
    pub kind: Option<Kind>,
    /// When the first of its lines was written, where they only tell how long after.
    pub began: Option<Time>,
}

/// Why there is no event.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A line is none; the next one may be.
    #[error("{name}:{line}: {why}")]
    Line {
        /// What the source is called.
        name: String,
        /// The line's number.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The source cannot be read any further.
    #[error("{name}: {error}")]
    Source {
        /// What it is called.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// All of it was read, and it has neither events nor trace lines.
    #[error(
        "{0} has no event and no trace line: give a file of `flowtag log --json` or `flowtag-sim --events`, or a log that \
         DbgView or WinDbg has saved"
    )]
    Nothing(String),
}

/// The events of a source, one after the other.
pub struct Events<'a> {
    name: String,
    lines: Lines<'a>,
    number: u64,
    hints: Hints,
    reader: Reader,
    ended: bool,
}

/// How lines are read.
enum Reader {
    /// It is not known yet.
    Unknown,
    Json,
    Trace(trace::Reader),
}

impl<'a> Events<'a> {
    /// Those that `bytes` hold, which are called `name`.
    pub fn new(name: impl Into<String>, bytes: impl Read + 'a, hints: Hints) -> Self {
        let reader = hints.kind.map_or(Reader::Unknown, |kind| Reader::of(kind, hints.began));
        Self { name: name.into(), lines: Lines::new(bytes), number: 0, hints, reader, ended: false }
    }

    /// What the source is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn wrong(&self, why: &impl ToString) -> Unreadable {
        Unreadable::Line { name: self.name.clone(), line: self.number, why: why.to_string() }
    }

    /// The event of the next line that has one; `None` behind the last.
    fn read(&mut self) -> Result<Option<Told>, Unreadable> {
        loop {
            self.number += 1;
            let line = match self.lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => return self.end(),
                Err(NoLine::TooLong) => return Err(self.wrong(&NoLine::TooLong)),
                Err(NoLine::Io(error)) => {
                    self.ended = true;
                    return Err(Unreadable::Source { name: self.name.clone(), error });
                }
            };
            if line.trim().is_empty() {
                continue;
            }
            if matches!(self.reader, Reader::Unknown) {
                let kind = if line.trim_start().starts_with('{') { Kind::Json } else { Kind::Trace };
                self.reader = Reader::of(kind, self.hints.began);
            }
            let read = match &mut self.reader {
                Reader::Json => json::read(line).map_err(|why| why.to_string()),
                Reader::Trace(reader) => reader.read(line).map_err(|why| why.to_string()),
                Reader::Unknown => Ok(None),
            };
            if let Some(told) = read.map_err(|why| self.wrong(&why))? {
                return Ok(Some(told));
            }
        }
    }

    fn end(&mut self) -> Result<Option<Told>, Unreadable> {
        self.ended = true;
        match &self.reader {
            Reader::Trace(reader) if !reader.found() => Err(Unreadable::Nothing(self.name.clone())),
            _ => Ok(None),
        }
    }
}

impl Reader {
    fn of(kind: Kind, began: Option<Time>) -> Self {
        match kind {
            Kind::Json => Self::Json,
            Kind::Trace => Self::Trace(trace::Reader::new(began)),
        }
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Told, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests;
