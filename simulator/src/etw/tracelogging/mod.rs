//! A reader of the `TraceLogging` format, which knows no driver: what an event's metadata says, and its payload by that.
//!
//! The format is that of TraceLoggingProvider.h of the Windows SDK 10.0.26100 ("This comment defines the `TraceLogging` encoding
//! format", `TlgIn_t`, `TlgOut_t`). It is stricter than Windows, which copies what it is given, and no decoder may ever see it:
//! whatever does not fit is an error here. Arrays and structures, which the format has, are errors, too (ours): tools that read
//! fields by their names do without.

mod kinds;
mod metadata;
mod payload;
mod reader;
pub mod time;
mod value;

use thiserror::Error;

pub use kinds::{InType, OutType};
pub use metadata::{Field, Provider, Schema};
pub use value::Value;

/// Why bytes are no event.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// What an event says: its name, and the names and values of its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Its name.
    pub name: String,
    /// Its fields, in their order.
    pub fields: Vec<(String, Value)>,
}

/// Reads an event.
///
/// # Errors
/// What is wrong with its metadata, or does not fit it.
pub fn read(metadata: &[u8], payload: &[u8]) -> Result<Told, Malformed> {
    let Schema { name, fields, .. } = Schema::read(metadata)?;
    let within = |Malformed(what)| Malformed(format!("{name}: {what}"));
    let values = payload::read(&fields, payload).map_err(within)?;
    let fields = fields.into_iter().map(|field| field.name).zip(values).collect();
    Ok(Told { name, fields })
}

#[cfg(test)]
mod tests;
