//! The simulator's reader of events: metadata and payloads that no driver has written.

use arbitrary::{Arbitrary, Unstructured};
use flowtag_simulator::etw::{
    Event, json,
    tracelogging::{self, Provider, Schema},
};

#[derive(Arbitrary, Debug)]
struct Written {
    /// Whether the sizes in the metadata are put right.
    sized: bool,
    time: u64,
    provider: Vec<u8>,
    event: Vec<u8>,
    payload: Vec<u8>,
}

/// Reads it. What is read has the fields that the metadata names, and is one line of JSON.
pub fn run(input: &[u8]) {
    let Ok(mut it) = Written::arbitrary_take_rest(Unstructured::new(input)) else { return };
    for metadata in [&mut it.provider, &mut it.event] {
        let size = u16::try_from(metadata.len()).unwrap_or(u16::MAX).to_le_bytes();
        if let (true, Some(place)) = (it.sized, metadata.get_mut(..2)) {
            place.copy_from_slice(&size);
        }
    }
    let provider = Provider::read(&it.provider).map_or_else(|_| "unknown".into(), |provider| provider.name);
    let Ok(told) = tracelogging::read(&it.event, &it.payload) else { return };
    let schema = Schema::read(&it.event).expect("it was read");
    let names = told.fields.iter().map(|(name, _)| name);
    assert!(names.eq(schema.fields.iter().map(|field| &field.name)));
    let line = json::line(&Event { time: it.time, provider, level: 4, opcode: 0, keyword: 1, told });
    assert!(!line.contains('\n'));
    serde_json::from_str::<serde_json::Value>(&line).expect("it is JSON");
}
