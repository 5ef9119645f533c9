//! The reader, against bytes that Microsoft's own crate makes (tracelogging 1.2.4), and against bytes that are wrong.

use std::net::SocketAddr;

use tracelogging_dynamic::{EventBuilder, Guid, Level, OutType as Shown};

use super::*;

tracelogging::define_provider!(PLAIN, "flowtag", id("d8e20169-7792-5d9c-6d0d-03a6ce9a1af2"));
tracelogging::define_provider!(
    GROUPED,
    "flowtag.Ünicode",
    id("d8e20169-7792-5d9c-6d0d-03a6ce9a1af2"),
    group_id("00112233-4455-6677-8899-aabbccddeeff")
);

/// The metadata and the payload that the builder has made.
fn built(builder: &mut EventBuilder) -> (Vec<u8>, Vec<u8>) {
    // Writing puts the size in its place; nobody listens on this host.
    let nobody = tracelogging_dynamic::Provider::new("nobody", &tracelogging_dynamic::Provider::options());
    builder.write(&nobody, None, None);
    // It shows its bytes in no other way.
    let shown = format!("{builder:?}");
    let list = |name: &str| {
        let (_, rest) = shown.split_once(&format!("{name}: [")).expect("a list of bytes");
        let (bytes, _) = rest.split_once(']').expect("its end");
        bytes.split(", ").filter(|byte| !byte.is_empty()).map(|byte| byte.parse().expect("a byte")).collect()
    };
    (list("meta"), list("data"))
}

/// Reads what the builder has made with one field, which `add` adds.
fn field(add: impl FnOnce(&mut EventBuilder) -> &mut EventBuilder) -> Result<Value, Malformed> {
    let mut builder = EventBuilder::new();
    builder.reset("Event", Level::Informational, 1, 0);
    add(&mut builder);
    let (metadata, payload) = built(&mut builder);
    let Told { name, fields } = read(&metadata, &payload)?;
    assert_eq!(name, "Event");
    let [(name, value)] = fields.try_into().expect("one field");
    assert_eq!(name, "Field");
    Ok(value)
}

#[track_caller]
fn assert_reads(add: impl FnOnce(&mut EventBuilder) -> &mut EventBuilder, expected: Value) {
    assert_eq!(field(add), Ok(expected));
}

#[test]
fn a_provider_has_a_name() {
    let provider = Provider { name: "flowtag".into(), group: None };
    assert_eq!(Provider::read(PLAIN.raw_meta()), Ok(provider));
}

#[test]
fn a_provider_may_belong_to_a_group() {
    let group = u128::from_le_bytes([
        0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF,
    ]);
    let provider = Provider { name: "flowtag.Ünicode".into(), group: Some(group) };
    assert_eq!(Provider::read(GROUPED.raw_meta()), Ok(provider));
}

#[test]
fn an_event_has_a_name_a_tag_and_fields() {
    let mut builder = EventBuilder::new();
    builder.reset("Event", Level::Informational, 1, 0x0ABC_DEF1);
    builder.add_u8("First", 1, Shown::Default, 0).add_u16("Second", 2, Shown::Default, 0x1234);
    let (metadata, payload) = built(&mut builder);
    let schema = Schema::read(&metadata).unwrap();
    assert_eq!((schema.name.as_str(), schema.tag), ("Event", 0x0ABC_DEF1));
    let values = [("First".to_owned(), Value::Unsigned(1)), ("Second".to_owned(), Value::Unsigned(2))];
    assert_eq!(read(&metadata, &payload).unwrap().fields, values);
}

#[test]
fn a_tag_has_as_many_bytes_as_it_needs() {
    for tag in [0, 0x0FE0_0000, 0x0FFF_C000, 0x0FFF_FFFF, 1] {
        let mut builder = EventBuilder::new();
        builder.reset("Event", Level::Informational, 1, tag);
        assert_eq!(Schema::read(&built(&mut builder).0).unwrap().tag, tag);
    }
}

#[test]
fn numbers() {
    assert_reads(|b| b.add_i8("Field", -2, Shown::Default, 0), Value::Signed(-2));
    assert_reads(|b| b.add_u8("Field", 200, Shown::Default, 0), Value::Unsigned(200));
    assert_reads(|b| b.add_i16("Field", -300, Shown::Default, 0), Value::Signed(-300));
    assert_reads(|b| b.add_u16("Field", 40_000, Shown::Default, 0), Value::Unsigned(40_000));
    assert_reads(|b| b.add_i32("Field", -70_000, Shown::Default, 0), Value::Signed(-70_000));
    assert_reads(|b| b.add_u32("Field", 3 << 30, Shown::Default, 0), Value::Unsigned(3 << 30));
    assert_reads(|b| b.add_i64("Field", i64::MIN, Shown::Default, 0), Value::Signed(i64::MIN));
    assert_reads(|b| b.add_u64("Field", u64::MAX, Shown::Default, 0), Value::Unsigned(u64::MAX));
    assert_reads(|b| b.add_f32("Field", 0.5, Shown::Default, 0), Value::Float(0.5));
    assert_reads(|b| b.add_f64("Field", -0.25, Shown::Default, 0), Value::Float(-0.25));
}

#[test]
fn numbers_shown_otherwise() {
    assert_reads(|b| b.add_hex32("Field", 0xABCD, Shown::Default, 0), Value::Hex(0xABCD));
    assert_reads(|b| b.add_hex64("Field", u64::MAX, Shown::Default, 0), Value::Hex(u64::MAX));
    assert_reads(|b| b.add_u16("Field", 0xABCD, Shown::Hex, 0), Value::Hex(0xABCD));
    assert_reads(|b| b.add_u32("Field", 4242, Shown::Pid, 0), Value::Unsigned(4242));
    assert_reads(|b| b.add_u32("Field", 0xC000_0022, Shown::NtStatus, 0), Value::Hex(0xC000_0022));
    assert_reads(|b| b.add_i32("Field", -2_147_024_891, Shown::HResult, 0), Value::Hex(0x8007_0005));
    assert_reads(|b| b.add_u32("Field", 5, Shown::Win32Error, 0), Value::Unsigned(5));
    assert_reads(|b| b.add_u8("Field", 2, Shown::Boolean, 0), Value::Bool(true));
    assert_reads(|b| b.add_bool32("Field", 0, Shown::Default, 0), Value::Bool(false));
    assert_reads(|b| b.add_u8("Field", b'A', Shown::String, 0), Value::Text("A".into()));
    assert_reads(|b| b.add_u16("Field", 0x3A9, Shown::String, 0), Value::Utf16(vec![0x3A9]));
}

#[test]
fn addresses_are_in_network_order() {
    assert_reads(|b| b.add_u16("Field", 443u16.to_be(), Shown::Port, 0), Value::Unsigned(443));
    let address = u32::from_ne_bytes([10, 0, 0, 5]);
    assert_reads(|b| b.add_u32("Field", address, Shown::IPv4, 0), Value::Address("10.0.0.5".parse().unwrap()));
    let address: std::net::Ipv6Addr = "2001:db8::1".parse().unwrap();
    let read = Value::Address(address.into());
    assert_reads(|b| b.add_binary("Field", address.octets(), Shown::IPv6, 0), read.clone());
    assert_reads(|b| b.add_binaryc("Field", address.octets(), Shown::IPv6, 0), read);
}

/// A `SOCKADDR_IN` or `SOCKADDR_IN6`.
fn sockaddr(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match address {
        SocketAddr::V4(v4) => [&[2, 0], &port[..], &v4.ip().octets(), &[0; 8]].concat(),
        SocketAddr::V6(v6) => {
            let (flow, scope) = (v6.flowinfo().to_le_bytes(), v6.scope_id().to_le_bytes());
            [&[23, 0], &port[..], &flow, &v6.ip().octets(), &scope].concat()
        }
    }
}

#[test]
fn socket_addresses() {
    for written in ["10.0.0.5:49152", "[fe80::2%7]:443", "[2001:db8::1]:0"] {
        let address: SocketAddr = written.parse().unwrap();
        let bytes = sockaddr(address);
        let read = field(|b| b.add_binary("Field", &bytes, Shown::SocketAddress, 0)).unwrap();
        assert_eq!(read, Value::Socket(address));
        assert_eq!(serde_json::to_string(&read).unwrap(), format!("\"{written}\""));
    }
    assert_reads(|b| b.add_binary("Field", [], Shown::SocketAddress, 0), Value::Nothing);
}

#[test]
fn strings() {
    let wide: Vec<u16> = "Ω\\device".encode_utf16().collect();
    let lone = [0x5C, 0xD800, 0x41];
    assert_reads(|b| b.add_str16("Field", &wide, Shown::Default, 0), Value::Utf16(wide.clone()));
    assert_reads(|b| b.add_str16("Field", lone, Shown::Default, 0), Value::Utf16(lone.to_vec()));
    assert_reads(|b| b.add_str16("Field", [], Shown::Default, 0), Value::Utf16(vec![]));
    assert_reads(|b| b.add_cstr16("Field", &wide, Shown::Default, 0), Value::Utf16(wide.clone()));
    assert_reads(|b| b.add_str8("Field", "Ωx", Shown::Utf8, 0), Value::Text("Ωx".into()));
    assert_reads(|b| b.add_str8("Field", [0xE4], Shown::Default, 0), Value::Text("ä".into()));
    assert_reads(|b| b.add_cstr8("Field", "plain", Shown::Default, 0), Value::Text("plain".into()));
    assert_eq!(Value::Utf16(lone.to_vec()).text().unwrap(), "\\\u{FFFD}A");
}

#[test]
fn times_guids_and_identifiers() {
    assert_reads(|b| b.add_filetime("Field", 77, Shown::DateTimeUtc, 0), Value::Time(77));
    let parts = [2026, 11, 1, 30, 7, 45, 51, 123];
    let read = field(|b| b.add_systemtime("Field", &parts, Shown::Default, 0)).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), r#""2026-11-30T07:45:51.1230000Z""#);
    let guid = Guid::from_fields(0xd8e2_0169, 0x7792, 0x5d9c, [0x6d, 0x0d, 0x03, 0xa6, 0xce, 0x9a, 0x1a, 0xf2]);
    let read = field(|b| b.add_guid("Field", &guid, Shown::Default, 0)).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), r#""d8e20169-7792-5d9c-6d0d-03a6ce9a1af2""#);
    let package = [1, 2, 0, 0, 0, 0, 0, 15, 2, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
    assert_reads(|b| b.add_sid("Field", package, Shown::Default, 0), Value::Sid("S-1-15-2-4294967295".into()));
    assert_reads(|b| b.add_binary("Field", [1, 0xAB], Shown::Default, 0), Value::Binary(vec![1, 0xAB]));
}

#[test]
fn arrays_and_structures_are_refused() {
    let sequence = field(|b| b.add_u8_sequence("Field", &[1, 2], Shown::Default, 0));
    assert!(sequence.unwrap_err().0.contains("Field is an array"));
    let structure = field(|b| b.add_struct("Field", 1, 0).add_u8("Inner", 1, Shown::Default, 0));
    assert!(structure.unwrap_err().0.contains("Field is a structure"));
}

/// Metadata of an event `E` with these bytes for its fields.
fn metadata(fields: &[u8]) -> Vec<u8> {
    let size = u16::try_from(5 + fields.len()).unwrap().to_le_bytes();
    [&size, b"\0E\0".as_slice(), fields].concat()
}

#[test]
fn metadata_that_is_wrong_is_refused_and_says_why() {
    let mut too_many = Vec::new();
    for number in 0..129 {
        too_many.extend(format!("F{number}\0\x04").bytes());
    }
    for (bytes, why) in [
        (b"".to_vec(), "ends within its size"),
        (b"\x06\0\0E\0".to_vec(), "says that it has 6 bytes, and has 5"),
        (b"\x03\0\x80".to_vec(), "ends within the event's tag"),
        (b"\x04\0\0E".to_vec(), "the event's name has no NUL at its end"),
        (b"\x04\0\0\0".to_vec(), "the event's name is empty"),
        (b"\x05\0\0\xFF\0".to_vec(), "the event's name is not UTF-8"),
        (metadata(b"F"), "the name of a field has no NUL at its end"),
        (metadata(b"\0\x04"), "the name of a field is empty"),
        (metadata(b"F\0"), "ends within the InType of a field"),
        (metadata(b"F\0\x84"), "ends within the OutType of a field"),
        (metadata(b"F\0\x84\x83"), "ends within the tag of a field"),
        (metadata(b"F\0\0"), "F has InType 0, which there is not"),
        (metadata(b"F\0\x10"), "F has InType 16, which there is not"),
        (metadata(b"F\0\x1A"), "F has InType 26, which there is not"),
        (metadata(b"F\0\x88\x13"), "F has OutType 19, which there is not"),
        (metadata(b"F\0\x24"), "F is an array"),
        (metadata(b"F\0\x8A\x05"), "which is never shown as Pid"),
        (metadata(b"F\0\x84\x07"), "which is never shown as Port"),
        (metadata(b"F\0\x95\x03"), "which is never shown as Boolean"),
        (metadata(b"F\0\x04F\0\x04"), "two fields are named F"),
        (metadata(&too_many), "129 fields"),
    ] {
        let refused = Schema::read(&bytes).unwrap_err().0;
        assert!(refused.contains(why), "{refused}\n{why}");
    }
}

#[test]
fn traits_that_are_wrong_are_refused_and_say_why() {
    for (bytes, why) in [
        (b"\x02\0".to_vec(), "the provider's name has no NUL at its end"),
        (b"\x03\0\0".to_vec(), "the provider's name is empty"),
        (b"\x05\0p\0\x03".to_vec(), "ends within the size of a trait"),
        (b"\x06\0p\0\x02\0".to_vec(), "a trait of 2 bytes"),
        (b"\x07\0p\0\x04\0\x80".to_vec(), "ends within a trait"),
        (b"\x07\0p\0\x03\0\x02".to_vec(), "a trait of type 2"),
        (b"\x07\0p\0\x03\0\x01".to_vec(), "ends within the provider's group"),
        ([b"\x18\0p\0\x14\0\x01".as_slice(), &[0; 17]].concat(), "1 bytes behind the group"),
        ([b"\x2A\0p\0\x13\0\x01".as_slice(), &[0; 16], b"\x13\0\x01", &[0; 16]].concat(), "two groups"),
    ] {
        let refused = Provider::read(&bytes).unwrap_err().0;
        assert!(refused.contains(why), "{refused}\n{why}");
    }
    assert!(Provider::read(b"\x08\0p\0\x04\0\x80\x01").is_ok(), "a trait of its own");
}

#[test]
fn a_payload_that_does_not_fit_is_refused_and_says_why() {
    let sid = |revision, count| [&[revision, count, 0, 0, 0, 0, 0, 5][..], &[0; 64]].concat();
    for (field, payload, why) in [
        (b"F\0\x08".as_slice(), vec![0; 3], "ends within F: 3 bytes of 4 are there"),
        (b"F\0\x08", vec![0; 5], "1 bytes behind its last field"),
        (b"F\0\x16", vec![4, 0, 1, 0], "ends within F: 2 bytes of 4 are there"),
        (b"F\0\x16", vec![3, 0, 1, 0, 1], "UTF-16 of 3 bytes"),
        (b"F\0\x01", vec![65, 0, 0], "ends within F, before its NUL"),
        (b"F\0\x02", vec![65], "F has no NUL at its end"),
        (b"F\0\x97\x23", vec![1, 0, 0xFF], "F is not UTF-8"),
        (b"F\0\x13", sid(2, 1), "F is no SID"),
        (b"F\0\x13", sid(1, 16), "F is no SID"),
        (b"F\0\x13", vec![1, 2, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0], "ends within F"),
        (b"F\0\x8E\x09", [vec![15, 0], vec![0; 15]].concat(), "F has 15 bytes, which are no IPv6 address"),
        (b"F\0\x8E\x0A", [vec![16, 0, 23], vec![0; 15]].concat(), "F has 16 bytes, which are no socket address"),
        (b"F\0\x8E\x0A", vec![1, 0, 2], "F has 1 bytes, which are no socket address"),
        (b"F\0\x12", vec![0; 16], "F is no SYSTEMTIME"),
    ] {
        let refused = read(&metadata(field), &payload).unwrap_err().0;
        assert!(refused.starts_with("E: ") && refused.contains(why), "{refused}\n{why}");
    }
}
