//! Records as ETW makes them: structures of evntcons.h with pointers to what belongs to them.

use windows_sys::Win32::System::Diagnostics::Etw::{
    EVENT_HEADER_EXT_TYPE_PROV_TRAITS, EVENT_HEADER_EXT_TYPE_RELATED_ACTIVITYID, EVENT_HEADER_EXTENDED_DATA_ITEM,
};

use super::*;
use crate::event::Event;

const SCHEMA: u32 = EVENT_HEADER_EXT_TYPE_EVENT_SCHEMA_TL;
/// `Stopping` with `LiveFlows`, as TraceLoggingProvider.h encodes it.
const STOPPING: &[u8] = b"\x17\0\0Stopping\0LiveFlows\0\x08";
const TWELVE: &[u8] = &12_u32.to_le_bytes();

fn item(kind: u32, data: &[u8]) -> EVENT_HEADER_EXTENDED_DATA_ITEM {
    EVENT_HEADER_EXTENDED_DATA_ITEM {
        ExtType: u16::try_from(kind).unwrap(),
        DataSize: u16::try_from(data.len()).unwrap(),
        DataPtr: data.as_ptr().expose_provenance() as u64,
        ..EVENT_HEADER_EXTENDED_DATA_ITEM::default()
    }
}

/// A record of this provider with these items and this payload, and what is read of it.
fn read(
    provider: u128,
    items: &mut [EVENT_HEADER_EXTENDED_DATA_ITEM],
    payload: &[u8],
) -> Option<Result<Told, NoEvent>> {
    let mut record = EVENT_RECORD {
        ExtendedDataCount: u16::try_from(items.len()).unwrap(),
        UserDataLength: u16::try_from(payload.len()).unwrap(),
        ExtendedData: items.as_mut_ptr(),
        UserData: payload.as_ptr().cast_mut().cast(),
        ..EVENT_RECORD::default()
    };
    record.EventHeader.TimeStamp = 134_404_292_967_890_000;
    record.EventHeader.ProviderId = GUID::from_u128(provider);
    // SAFETY: pointers and sizes are those of the slices, which live until the end.
    unsafe { Record::of(&record) }.event()
}

fn stopping() -> Told {
    Told { time: Some(Time(134_404_292_967_890_000)), event: Event::Stopping { live_flows: 12 } }
}

#[test]
fn the_metadata_is_the_item_for_it_and_the_payload_is_the_user_data() {
    assert_eq!(read(PROVIDER, &mut [item(SCHEMA, STOPPING)], TWELVE), Some(Ok(stopping())));
}

#[test]
fn items_of_other_types_are_passed_over() {
    let mut items = [
        item(EVENT_HEADER_EXT_TYPE_RELATED_ACTIVITYID, &[1; 16]),
        item(EVENT_HEADER_EXT_TYPE_PROV_TRAITS, b"\x0a\0flowtag\0"),
        item(SCHEMA, STOPPING),
    ];
    assert_eq!(read(PROVIDER, &mut items, TWELVE), Some(Ok(stopping())));
}

#[test]
fn events_of_other_providers_are_none_of_ours() {
    assert_eq!(read(PROVIDER + 1, &mut [item(SCHEMA, STOPPING)], TWELVE), None);
}

#[test]
fn the_providers_id_is_that_of_the_document() {
    let id = format!("{PROVIDER:032x}");
    let id = format!("`{{{}}}`", [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &id[part]).join("-"));
    assert!(include_str!("../../../../../docs/events.md").contains(&id), "{id}");
}

#[test]
fn a_record_without_items_does_not_describe_itself() {
    assert_eq!(read(PROVIDER, &mut [], TWELVE), Some(Err(NoEvent::NoSchema)));
}

#[test]
fn an_event_without_fields_has_no_payload() {
    let loaded = read(PROVIDER, &mut [item(SCHEMA, b"\x09\0\0Later\0")], &[]);
    assert_eq!(loaded.unwrap().unwrap().event, Event::Other("Later".into()));
}

#[test]
fn a_record_may_have_null_where_it_has_nothing() {
    let mut record = EVENT_RECORD::default();
    record.EventHeader.ProviderId = GUID::from_u128(PROVIDER);
    // SAFETY: it has neither items nor a payload.
    assert_eq!(unsafe { Record::of(&record) }.event(), Some(Err(NoEvent::NoSchema)));
}

#[test]
fn what_the_decoder_refuses_is_no_event() {
    let cut = read(PROVIDER, &mut [item(SCHEMA, STOPPING)], &TWELVE[..3]);
    assert!(matches!(cut, Some(Err(NoEvent::Malformed(_)))), "{cut:?}");
}
