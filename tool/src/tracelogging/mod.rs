//! The payload of an event, taken apart by the metadata that goes with it.
//!
//! A `TraceLogging` event describes itself, so nothing here knows which fields the driver has. The format is that of
//! TraceLoggingProvider.h of the Windows SDK 10.0.26100 ("This comment defines the `TraceLogging` encoding format", `TlgIn_t`,
//! `TlgOut_t`). Arrays and structures, which it has too, the driver never writes: they are refused by name.

mod bytes;
mod metadata;
mod payload;
mod value;

use serde::{Deserialize, de::value::MapDeserializer};

use crate::event::{Event, Fields, Wrong};
pub use value::Value;

/// Why bytes are no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// There are fewer bytes than there have to be.
    #[error("{of} ends within {what}")]
    Cut {
        /// Metadata or payload.
        of: &'static str,
        /// What is not all there.
        what: String,
    },
    /// There are more.
    #[error("the payload of {event} has {bytes} bytes behind its last field")]
    Rest {
        /// The event's name.
        event: String,
        /// How many.
        bytes: usize,
    },
    /// A name is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotText(String),
    /// A field is of a type that is not read here.
    #[error("{field} has InType {kind:#x}, which is not read here")]
    Kind {
        /// The field's name.
        field: String,
        /// The type.
        kind: u8,
    },
    /// A field holds what its type never does.
    #[error("{field} is no {what}")]
    Content {
        /// The field's name.
        field: String,
        /// What it should be.
        what: &'static str,
    },
    /// A field of the driver's has another type than docs/events.md gives it.
    #[error("{event}: {why}")]
    Fields {
        /// The event's name.
        event: String,
        /// What is wrong.
        why: String,
    },
    /// The fields are those of no event.
    #[error(transparent)]
    Event(#[from] Wrong),
}

/// Reads an event: `metadata` is its own (`EVENT_HEADER_EXT_TYPE_EVENT_SCHEMA_TL` of evntcons.h), `payload` what was written.
///
/// # Errors
/// What is wrong with them.
pub fn event(metadata: &[u8], payload: &[u8]) -> Result<Event, Malformed> {
    let (name, values) = values(metadata, payload)?;
    let fields = Fields::deserialize(MapDeserializer::new(values.into_iter()))
        .map_err(|error: serde::de::value::Error| Malformed::Fields { event: name.clone(), why: error.to_string() })?;
    Ok(Event::from_fields(&name, fields)?)
}

/// Reads any event: its name, and the names and values of its fields.
///
/// # Errors
/// What is wrong with the bytes.
pub fn values(metadata: &[u8], payload: &[u8]) -> Result<(String, Vec<(String, Value)>), Malformed> {
    let schema = metadata::Schema::read(metadata)?;
    let values = payload::read(&schema, payload)?;
    let names = schema.fields.into_iter().map(|field| field.name);
    Ok((schema.name, names.zip(values).collect()))
}

#[cfg(test)]
mod tests;
