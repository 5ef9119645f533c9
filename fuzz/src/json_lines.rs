//! The command's reader of events that are lines of JSON.

use flowtag_tool::{
    event::Told,
    source::{Kind, json},
};

use crate::{
    made::{LOCAL, REMOTE, flow, open},
    memory, source, told,
};

/// Reads the bytes. What was read can be written and read again, no line has a say in what another one is, and none is lost.
pub fn run(input: &[u8]) {
    let held = memory::bounded(input, || source::read(input, Some(Kind::Json)));
    told::hold(&held.events);
    if source::is_utf16(input) {
        return;
    }
    let text = String::from_utf8_lossy(input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input)).into_owned();
    let line_by_line: Vec<Told> = text.split('\n').filter_map(|line| json::read(line).ok().flatten()).collect();
    assert_eq!(held.events, line_by_line);
    if text.trim_start().starts_with('{') {
        assert_eq!(source::read(input, None), held, "the first line says what it is");
    }

    let sound = open(0, flow(1, 7, LOCAL, REMOTE));
    assert_eq!(source::last_behind(input, &json::line(&sound), Kind::Json), sound);
}
