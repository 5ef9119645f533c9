//! Events as lines of text: JSON Lines or the driver's trace lines, which the first line tells, or who asks.

use std::io::Read;

use super::{
    Hints, Kind, Unreadable, json,
    lines::{Lines, NoLine},
    trace,
};
use crate::{event::Told, time::Time};

/// The events of a text, one after the other.
pub(super) struct Text<'a> {
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

impl<'a> Text<'a> {
    /// The text that `bytes` hold, which are called `name`.
    pub(super) fn new(name: String, bytes: impl Read + Send + 'a, hints: Hints) -> Self {
        let reader = hints.kind.map_or(Reader::Unknown, |kind| Reader::of(kind, hints.began));
        Self { name, lines: Lines::new(bytes), number: 0, hints, reader, ended: false }
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

impl Iterator for Text<'_> {
    type Item = Result<Told, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        self.read().transpose()
    }
}
