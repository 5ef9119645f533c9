//! What an event's metadata says: its name, and the names and types of its fields.

use super::{Malformed, bytes::Bytes};

const OF: &str = "the event's metadata";
/// `_TlgInChain` and `_TlgOutChain`: one more byte follows.
const CHAIN: u8 = 128;

/// An event.
#[derive(Debug, PartialEq)]
pub(super) struct Schema {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
}

/// A field.
#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    /// `TlgIn_t`, with the bits that make an array of it.
    pub(super) encoding: u8,
    /// `TlgOut_t`; 0 if none is given.
    pub(super) shown: u8,
}

impl Schema {
    pub(super) fn read(metadata: &[u8]) -> Result<Self, Malformed> {
        let size = usize::try_from(Bytes::new(metadata, OF).number(2, "its size")?).unwrap_or(usize::MAX);
        // A consumer may be handed more than the metadata.
        let mut bytes = Bytes::new(Bytes::new(metadata, OF).take(size.max(2), "its size")?, OF);
        bytes.number(2, "its size")?;
        bytes.extension("the event's extension")?;
        let name = bytes.name("the event's name")?;
        let mut fields = Vec::new();
        while bytes.left() > 0 {
            fields.push(Field::read(&mut bytes)?);
        }
        Ok(Self { name, fields })
    }
}

impl Field {
    fn read(bytes: &mut Bytes<'_>) -> Result<Self, Malformed> {
        let name = bytes.name("the name of a field")?;
        let encoding = bytes.byte(&name)?;
        let shown = if encoding & CHAIN == 0 { 0 } else { bytes.byte(&name)? };
        if shown & CHAIN != 0 {
            bytes.extension(&name)?;
        }
        Ok(Self { name, encoding: encoding & !CHAIN, shown: shown & !CHAIN })
    }
}
