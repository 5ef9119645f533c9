use super::*;
use crate::event::{Event, Loaded};

const LOADED: &str = r#"{"timestamp":"2026-11-30T07:45:51.1234567Z","provider":"flowtag","event":"Loaded","level":4,"opcode":0,"keyword":"0x8","fields":{"Version":"0.1.0","TraceLevel":2,"MaxFlows":16}}"#;

fn read(bytes: &[u8]) -> Vec<Result<Told, String>> {
    let events = Events::new("test", bytes, Hints::default());
    events.map(|told| told.map_err(|error| error.to_string())).collect()
}

#[test]
fn a_line_of_json_is_an_event() {
    let loaded = Event::Loaded(Loaded { version: "0.1.0".into(), trace_level: 2, max_flows: 16 });
    let time = "2026-11-30T07:45:51.1234567Z".parse().ok();
    assert_eq!(read(LOADED.as_bytes()), [Ok(Told { time, event: loaded })]);
}

#[test]
fn an_event_is_written_as_it_was_read() {
    let told = read(LOADED.as_bytes()).remove(0).unwrap();
    assert_eq!(json::line(&told), LOADED);
}

#[test]
fn trace_lines_are_known_by_what_they_are() {
    let read = read(b"\n00000001\t0.1\tsomebody else\n00000002\t0.2\tflowtag: stopping live=12\n");
    assert_eq!(read, [Ok(Told { time: None, event: Event::Stopping { live_flows: 12 } })]);
}

#[test]
fn who_asks_may_say_what_it_is() {
    let hints = Hints { kind: Some(Kind::Trace), ..Hints::default() };
    let mut events = Events::new("test", b"{ flowtag: stopping live=12\n".as_slice(), hints);
    assert!(events.next().unwrap().is_ok());
}

#[test]
fn text_of_windows_in_utf16_is_read() {
    let line = format!("{LOADED}\r\n");
    let bytes: Vec<u8> = [0xff, 0xfe].into_iter().chain(line.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert!(read(&bytes)[0].is_ok());
}

#[test]
fn a_damaged_line_is_named_and_the_next_one_is_read() {
    let text = format!("{LOADED}\n{}\n\n{LOADED}\n", &LOADED[..100]);
    let read = read(text.as_bytes());
    assert_eq!(read.len(), 3);
    assert!(read[1].as_ref().unwrap_err().starts_with("test:2: "), "{read:?}");
    assert!(read[2].is_ok());
}

#[test]
fn events_of_other_providers_are_passed_over() {
    assert_eq!(read(LOADED.replace("\"flowtag\"", "\"another\"").as_bytes()), []);
}

#[test]
fn a_field_that_is_missing_is_named() {
    let read = read(LOADED.replace("\"TraceLevel\":2,", "").as_bytes());
    assert!(read[0].as_ref().unwrap_err().contains("Loaded has no TraceLevel"), "{read:?}");
}

#[test]
fn members_and_fields_that_are_new_are_passed_over() {
    let line =
        LOADED.replace("\"level\":4", "\"level\":4,\"new\":[1]").replace("\"MaxFlows\"", "\"New\":null,\"MaxFlows\"");
    assert!(read(line.as_bytes())[0].is_ok());
}

#[test]
fn a_text_without_any_line_of_ours_says_what_to_give() {
    let read = read(b"hello\nworld\n");
    assert!(read[0].as_ref().unwrap_err().contains("test has no event and no trace line"), "{read:?}");
}

#[test]
fn nothing_has_no_events() {
    assert_eq!(read(b""), []);
}
