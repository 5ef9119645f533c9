//! Text with events in it, read to its end.

use flowtag_tool::{
    event::Told,
    source::{Events, Hints, Kind, Unreadable},
    time::Time,
};

/// What text holds.
#[derive(Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) events: Vec<Told>,
    /// The numbers of lines that are none.
    pub(crate) wrong: Vec<u64>,
}

/// 2025-11-30T07:45:51Z.
pub(crate) const BEGAN: Time = Time(134_089_623_510_000_000);

/// Reads all of it; without a kind, the first line tells it.
pub(crate) fn read(text: &[u8], kind: Option<Kind>) -> Held {
    let mut held = Held { events: Vec::new(), wrong: Vec::new() };
    for told in Events::new("fuzzed", text, Hints { kind, began: Some(BEGAN), packets: false }) {
        match told {
            Ok(told) => held.events.push(told),
            Err(Unreadable::Line { line, .. }) => held.wrong.push(line),
            Err(Unreadable::Nothing(_)) => assert!(held.events.is_empty(), "it has something"),
            Err(error) => panic!("bytes that are there can be read, and no driver is asked: {error}"),
        }
    }
    assert!(held.wrong.is_sorted_by(|one, next| one < next), "{:?}", held.wrong);
    held
}

/// Whether a mark at its beginning says that text is UTF-16: then bytes are not what lines are made of.
pub(crate) fn is_utf16(text: &[u8]) -> bool {
    text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff])
}

/// The last event of text behind which these lines stand, which are read whatever is before them.
pub(crate) fn last_behind(text: &[u8], lines: &str, kind: Kind) -> Told {
    let followed = [text, b"\n", lines.as_bytes()].concat();
    read(&followed, Some(kind)).events.pop().expect("a sound line is read, whatever was before it")
}
