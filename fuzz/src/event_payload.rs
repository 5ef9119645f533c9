//! The command's decoder of events, beside the simulator's, which shares no line with it: metadata and payloads that no driver has
//! written.
//!
//! An input is an event's metadata, which say themselves how long they are, and its payload behind them.

use flowtag_on_host::etw::event::EVENTS;
use flowtag_simulator::etw::{
    Event, json,
    tracelogging::{self as other, OutType, Schema},
};
use flowtag_tool::{
    event::Told,
    source,
    time::Time,
    tracelogging::{self, Value},
};

use crate::{memory, source::BEGAN, told};

/// A time behind this may have a year of five digits, which is no time where times are text.
const LATEST: u64 = 2_600_000_000_000_000_000;

/// Decodes an event. What it is can be written and read again; and where the simulator decodes it, it is the same.
pub fn run(input: &[u8]) {
    let Some(&size) = input.first_chunk() else { return };
    let size = usize::from(u16::from_le_bytes(size)).clamp(2, input.len());
    let (metadata, payload) = input.split_at(size);
    let values = memory::bounded(input, || tracelogging::values(metadata, payload));
    let event = memory::bounded(input, || tracelogging::event(metadata, payload));
    assert!(event.is_err() || values.is_ok(), "an event is made of values");
    if let Ok(event) = &event {
        told::one(&Told { time: Some(BEGAN), event: event.clone() });
    }

    let Ok(their) = other::read(metadata, payload) else { return };
    let schema = Schema::read(metadata).expect("it was read");
    let (name, values) = values.expect("what the stricter reader takes is an event");
    assert_eq!((&name, values.len()), (&their.name, their.fields.len()));
    for ((ours, theirs), field) in values.iter().zip(&their.fields).zip(&schema.fields) {
        assert!(ours.0 == theirs.0 && agree(&ours.1, &theirs.1, field.shown), "{ours:?} {theirs:?}");
    }

    // Where numbers mean what docs/events.md says, the whole event is the same as what the simulator writes of it.
    let is_ascii = |value: &other::Value| !matches!(value, other::Value::Text(text) if !text.is_ascii());
    let is_early = |value: &other::Value| !matches!(value, other::Value::Time(time) if *time > LATEST);
    let comparable = their.fields.iter().all(|(_, value)| is_ascii(value) && is_early(value));
    if comparable && EVENTS.iter().any(|event| event.metadata == metadata) {
        let Time(time) = BEGAN;
        let line =
            json::line(&Event { time, provider: "flowtag".into(), level: 4, opcode: 0, keyword: 1, told: their });
        let read = source::json::read(&line).map(|told| told.expect("it is the driver's").event);
        assert_eq!(event.ok(), read.ok(), "{line}");
    }
}

/// Whether both have read the same, as far as both say it in one way.
fn agree(ours: &Value, theirs: &other::Value, shown: OutType) -> bool {
    use other::Value as Their;
    match (ours, theirs) {
        // The command has no fields for ports, and leaves their bytes in their order.
        (Value::Number(_), Their::Unsigned(_)) if shown == OutType::Port => true,
        (Value::Number(one), Their::Unsigned(other) | Their::Hex(other) | Their::Time(other)) => one == other,
        (Value::Signed(one), Their::Signed(other)) => one == other,
        (Value::Float(one), Their::Float(other)) => one.to_bits() == other.to_bits(),
        // Behind ASCII, 8 bits are what each takes them for.
        (Value::Text(one), Their::Text(other)) => one == other || !other.is_ascii(),
        (Value::Text(one), Their::Sid(other)) => one == other,
        (Value::Text(one), Their::Utf16(units)) => *one == String::from_utf16_lossy(units),
        (Value::Binary(one), Their::Binary(other)) => one == other,
        (Value::Socket(one), Their::Socket(other)) => one == other,
        // Numbers and bytes that are shown as something which the command does not tell from their encoding.
        (Value::Number(_) | Value::Signed(_) | Value::Binary(_), _) | (Value::Nothing, Their::Nothing) => true,
        _ => false,
    }
}
