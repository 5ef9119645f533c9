//! An event's record, as ETW hands it to a consumer.
//!
//! The driver writes its metadata in a descriptor of the type `EVENT_DATA_DESCRIPTOR_TYPE_EVENT_METADATA`, which is no payload
//! (evntprov.h). What ETW makes of it the page `EVENT_RECORD` says: "decoding information for trace logging" is among the extended
//! data, whether the session has asked for extended data or not; and the page `EVENT_HEADER_EXTENDED_DATA_ITEM`, where: in the item of
//! the type `EVENT_HEADER_EXT_TYPE_EVENT_SCHEMA_TL`. `UserData` has the fields' values and nothing else.

use std::{ptr, slice};

use windows_sys::{
    Win32::System::Diagnostics::Etw::{EVENT_HEADER_EXT_TYPE_EVENT_SCHEMA_TL, EVENT_RECORD},
    core::GUID,
};

use crate::{
    event::Told,
    time::Time,
    tracelogging::{self, Malformed},
};

/// The provider `flowtag` (docs/events.md).
pub(super) const PROVIDER: u128 = 0xd8e2_0169_7792_5d9c_6d0d_03a6_ce9a_1af2;

/// What of a record is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Record<'a> {
    time: Time,
    provider: u128,
    /// The event's metadata; `None` if it does not describe itself.
    schema: Option<&'a [u8]>,
    payload: &'a [u8],
}

/// Why a record is no event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoEvent {
    #[error("it does not describe itself: it has no EVENT_HEADER_EXT_TYPE_EVENT_SCHEMA_TL")]
    NoSchema,
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl<'a> Record<'a> {
    /// What a record has.
    ///
    /// # Safety
    /// It is ETW's: its pointers point to as much as it says, and to what stays as it is while the record is borrowed.
    pub(super) unsafe fn of(record: &'a EVENT_RECORD) -> Self {
        let header = &record.EventHeader;
        // SAFETY: the caller's promise.
        let items = unsafe { all(record.ExtendedData.cast_const(), record.ExtendedDataCount) };
        let schema = items.iter().find(|item| u32::from(item.ExtType) == EVENT_HEADER_EXT_TYPE_EVENT_SCHEMA_TL);
        let schema = schema.map(|item| {
            let bytes = ptr::with_exposed_provenance(usize::try_from(item.DataPtr).unwrap_or_default());
            // SAFETY: the caller's promise, which holds for the items' pointers, too.
            unsafe { all(bytes, item.DataSize) }
        });
        // SAFETY: the caller's promise.
        let payload = unsafe { all(record.UserData.cast_const().cast(), record.UserDataLength) };
        // A time before 1601 there is not.
        let time = Time(u64::try_from(header.TimeStamp).unwrap_or_default());
        Self { time, provider: number(&header.ProviderId), schema, payload }
    }

    /// The event of the driver's that it is; `None` if it is another provider's.
    pub(super) fn event(&self) -> Option<Result<Told, NoEvent>> {
        if self.provider != PROVIDER {
            return None;
        }
        let read = |schema| Ok(tracelogging::event(schema, self.payload)?);
        let event = self.schema.ok_or(NoEvent::NoSchema).and_then(read);
        Some(event.map(|event| Told { time: Some(self.time), event }))
    }
}

/// A GUID as it is written.
fn number(guid: &GUID) -> u128 {
    let GUID { data1, data2, data3, data4 } = *guid;
    u128::from(data1) << 96 | u128::from(data2) << 80 | u128::from(data3) << 64 | u128::from(u64::from_be_bytes(data4))
}

/// All of an array of C's, which may have none.
///
/// # Safety
/// From `first` on there are so many, and they stay as they are for `'a`.
unsafe fn all<'a, T>(first: *const T, count: u16) -> &'a [T] {
    if first.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(first, count.into()) }
}

#[cfg(test)]
mod tests;
