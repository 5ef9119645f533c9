//! Events as lines of JSON: a stable interface, described in docs/simulator.md.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    Event,
    tracelogging::{Value, time},
};
use crate::computer::input::guid;

/// An event as one line of JSON, without a line's end.
#[must_use]
pub fn line(event: &Event) -> String {
    let line = Line {
        timestamp: time::iso(event.time),
        provider: &event.provider,
        event: event.name(),
        level: event.level,
        opcode: event.opcode,
        keyword: hex(event.keyword),
        fields: Fields(&event.told.fields),
    };
    serde_json::to_string(&line).expect("it has nothing that JSON has not")
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    provider: &'a str,
    event: &'a str,
    level: u8,
    opcode: u8,
    keyword: String,
    fields: Fields<'a>,
}

struct Fields<'a>(&'a [(String, Value)]);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unsigned(number) => serializer.serialize_u64(*number),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Hex(number) => serializer.serialize_str(&hex(*number)),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Text(text) | Self::Sid(text) => serializer.serialize_str(text),
            Self::Utf16(units) => serializer.serialize_str(&String::from_utf16_lossy(units)),
            Self::Binary(bytes) => {
                let digits = bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
                serializer.serialize_str(&digits)
            }
            Self::Guid(key) => serializer.serialize_str(&guid(*key)),
            Self::Time(time) => serializer.serialize_str(&time::iso(*time)),
            Self::Address(address) => serializer.collect_str(address),
            Self::Socket(address) => serializer.collect_str(address),
            Self::Nothing => serializer.serialize_none(),
        }
    }
}

fn hex(number: u64) -> String {
    format!("{number:#x}")
}
