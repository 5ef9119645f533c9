//! Events made by hand, byte by byte as TraceLoggingProvider.h describes them; `tests/driver_events.rs` has those that the driver
//! writes.

use super::*;
use crate::event::{Lost, Step};

/// The metadata of an event with these bytes behind its size.
fn metadata(bytes: &[u8]) -> Vec<u8> {
    let size = u16::try_from(bytes.len() + 2).unwrap();
    [&size.to_le_bytes(), bytes].concat()
}

/// The value of the only field, of these types and with this payload.
fn value(types: &[u8], payload: &[u8]) -> Result<Value, Malformed> {
    let metadata = metadata(&[b"\0Event\0Field\0", types].concat());
    values(&metadata, payload).map(|(_, mut values)| values.remove(0).1)
}

#[test]
fn an_event_has_its_name_and_its_fields_in_their_order() {
    let metadata = metadata(b"\0Hello\0Number\0\x08Text\0\x17");
    let read = values(&metadata, b"\x07\0\0\0\x02\0hi").unwrap();
    let fields = vec![("Number".to_owned(), Value::Number(7)), ("Text".to_owned(), Value::Text("hi".into()))];
    assert_eq!(read, ("Hello".to_owned(), fields));
}

#[test]
fn a_field_is_found_by_its_name_wherever_it_stands() {
    let metadata = metadata(b"\0Lost\0Status\0\x88\x0eKind\0\x17");
    let read = event(&metadata, b"\x9a\0\0\xc0\x04\0busy").unwrap();
    assert_eq!(read, Event::Lost(Lost { kind: "busy".into(), status: 0xc000_009a }));
}

#[test]
fn a_field_that_a_later_driver_added_is_passed_over() {
    let metadata = metadata(b"\0Failed\0Step\0\x17New\0\x0fStatus\0\x88\x0e");
    let payload = [b"\x02\0Do".as_slice(), &[1; 16], b"\x05\0\0\0"].concat();
    assert_eq!(event(&metadata, &payload).unwrap(), Event::Failed(Step { step: "Do".into(), status: 5 }));
}

#[test]
fn an_event_that_is_not_known_keeps_its_name() {
    assert_eq!(event(&metadata(b"\0Later\0A\0\x04"), b"\x01").unwrap(), Event::Other("Later".into()));
}

#[test]
fn tags_of_events_and_fields_are_passed_over() {
    let metadata = metadata(b"\x80\x80\x80\x80\x01Event\0Field\0\x88\x85\x81\x02Last\0\x04");
    let (_, read) = values(&metadata, b"\x2a\0\0\0\x03").unwrap();
    assert_eq!(read, [("Field".to_owned(), Value::Number(42)), ("Last".to_owned(), Value::Number(3))]);
}

#[test]
fn what_stands_behind_the_metadata_is_not_read() {
    let metadata = [metadata(b"\0Event\0A\0\x04"), b"B\0\x04".to_vec()].concat();
    assert_eq!(values(&metadata, b"\x01").unwrap().1.len(), 1);
}

#[test]
fn numbers_have_the_size_and_the_sign_of_their_type() {
    for (kind, payload, expected) in [
        (3, b"\xff".as_slice(), Value::Signed(-1)),
        (4, b"\xff", Value::Number(255)),
        (5, b"\xfe\xff", Value::Signed(-2)),
        (6, b"\xfe\xff", Value::Number(65_534)),
        (7, b"\xfd\xff\xff\xff", Value::Signed(-3)),
        (8, b"\x01\0\0\x80", Value::Number(0x8000_0001)),
        (9, b"\xff\xff\xff\xff\xff\xff\xff\xff", Value::Signed(-1)),
        (10, b"\x01\0\0\0\0\0\0\x80", Value::Number(0x8000_0000_0000_0001)),
        (11, &1.5f32.to_le_bytes(), Value::Float(1.5)),
        (12, &2.5f64.to_le_bytes(), Value::Float(2.5)),
        (13, b"\x01\0\0\0", Value::Number(1)),
        (17, b"\x02\0\0\0\0\0\0\0", Value::Number(2)),
        (20, b"\x03\0\0\0", Value::Number(3)),
        (21, b"\x04\0\0\0\0\0\0\0", Value::Number(4)),
    ] {
        assert_eq!(value(&[kind], payload).unwrap(), expected, "InType {kind}");
    }
}

#[test]
fn text_ends_at_its_zero_or_is_counted() {
    for (kind, payload) in [(1, b"h\0i\0\0\0".as_slice()), (2, b"hi\0"), (22, b"\x04\0h\0i\0"), (23, b"\x02\0hi")] {
        assert_eq!(value(&[kind], payload).unwrap(), Value::Text("hi".into()), "InType {kind}");
    }
}

#[test]
fn half_of_a_pair_is_replaced() {
    assert_eq!(value(&[22], b"\x04\0\x00\xd8x\0").unwrap(), Value::Text("\u{fffd}x".into()));
}

#[test]
fn a_socket_address_is_one_of_either_family_or_nothing() {
    let v4 = [16, 0, 2, 0, 1, 187, 10, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(value(&[0x8e, 10], &v4).unwrap(), Value::Socket("10.0.0.5:443".parse().unwrap()));
    let mut v6 = vec![28, 0, 23, 0, 0, 53, 0, 0, 0, 0, 0xfe, 0x80];
    v6.extend([0; 13]);
    v6.extend([2, 7, 0, 0, 0]);
    assert_eq!(value(&[0x8e, 10], &v6).unwrap(), Value::Socket("[fe80::2%7]:53".parse().unwrap()));
    assert_eq!(value(&[0x8e, 10], &[0, 0]).unwrap(), Value::Nothing);
    let wrong = Malformed::Content { field: "Field".into(), what: "socket address" };
    assert_eq!(value(&[0x8e, 10], &[2, 0, 2, 0]), Err(wrong));
}

#[test]
fn a_security_identifier_is_written_down() {
    let sid = [1, 2, 0, 0, 0, 0, 0, 15, 2, 0, 0, 0, 7, 0, 0, 0];
    assert_eq!(value(&[19], &sid).unwrap(), Value::Text("S-1-15-2-7".into()));
    assert_eq!(value(&[19], &[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap(), Value::Text("S-1-0-0".into()));
    assert!(value(&[19], &[2, 0, 0, 0, 0, 0, 0, 0]).is_err());
}

#[test]
fn arrays_and_structures_are_refused_by_name() {
    for kind in [0, 16, 24, 26, 0x24, 0x44, 0x64] {
        assert_eq!(value(&[kind], &[0; 32]), Err(Malformed::Kind { field: "Field".into(), kind }));
    }
}

#[test]
fn a_payload_that_is_cut_or_too_long_is_refused() {
    assert_eq!(value(&[8], &[0; 3]), Err(Malformed::Cut { of: "the payload", what: "Field".into() }));
    assert_eq!(value(&[8], &[0; 6]), Err(Malformed::Rest { event: "Event".into(), bytes: 2 }));
    assert_eq!(value(&[1], b"a\0b\0"), Err(Malformed::Cut { of: "the payload", what: "Field".into() }));
}

#[test]
fn metadata_that_is_cut_is_refused_wherever_it_is_cut() {
    let whole = metadata(b"\0Hello\0Number\0\x88\x05");
    for end in 0..whole.len() {
        assert!(values(&whole[..end], b"\0\0\0\0").is_err(), "{end} bytes");
    }
}

#[test]
fn a_field_of_another_type_than_the_document_gives_it_names_event_and_field() {
    let told = event(&metadata(b"\0Stopping\0LiveFlows\0\x17"), b"\x01\0x").unwrap_err().to_string();
    assert!(told.starts_with("Stopping: ") && told.contains('x'), "{told}");
}

#[test]
fn an_event_without_one_of_its_fields_says_which() {
    let told = event(&metadata(b"\0Lost\0Kind\0\x17"), b"\x01\0x").unwrap_err().to_string();
    assert!(told.contains("Lost has no Status"), "{told}");
}
