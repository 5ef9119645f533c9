//! An event as a line of JSON: the members that docs/simulator.md describes, which `flowtag log --json` writes, too.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    event::{Event, Fields, Told, Wrong, number::Hex},
    time::Time,
};

/// The provider's name.
const PROVIDER: &str = "flowtag";

/// Why a line is no event.
#[derive(Debug, thiserror::Error)]
pub enum NoEvent {
    /// It is no JSON, or not that of an event.
    #[error("no event: {0}")]
    Json(#[from] serde_json::Error),
    /// It lacks a field, or one has a value that there is not.
    #[error(transparent)]
    Wrong(#[from] Wrong),
}

/// The members of a line, as far as they are read.
#[derive(Deserialize)]
struct Line<'a> {
    timestamp: Option<Time>,
    provider: String,
    event: String,
    #[serde(borrow)]
    fields: &'a RawValue,
}

/// Reads the event of a line; `None` if it is another provider's.
///
/// # Errors
/// It is no event.
pub fn read(line: &str) -> Result<Option<Told>, NoEvent> {
    let line: Line = serde_json::from_str(line)?;
    if line.provider != PROVIDER {
        return Ok(None);
    }
    let fields: Fields = serde_json::from_str(line.fields.get())?;
    let event = Event::from_fields(&line.event, fields)?;
    Ok(Some(Told { time: line.timestamp, event }))
}

/// The event as a line, without a line's end.
#[must_use]
pub fn line(told: &Told) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        timestamp: Option<Time>,
        provider: &'static str,
        event: &'a str,
        level: u8,
        opcode: u8,
        keyword: Hex,
        fields: Fields,
    }
    let (level, keyword) = told.event.level_and_keyword();
    let line = Line {
        timestamp: told.time,
        provider: PROVIDER,
        event: told.event.name(),
        level,
        opcode: 0,
        keyword: Hex(keyword),
        fields: told.event.fields(),
    };
    // A map of text and numbers: there is nothing in it that JSON has not.
    serde_json::to_string(&line).unwrap_or_default()
}
