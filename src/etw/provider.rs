//! The provider as the kernel knows it, and which of its events anybody wants.
use core::{
    ptr,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use super::{
    event::{EVENTS, Id, PROVIDER, Wanted},
    ffi::{
        ETWENABLECALLBACK, EVENT_DATA_DESCRIPTOR, EVENT_DATA_DESCRIPTOR_TYPE_EVENT_METADATA,
        EVENT_DATA_DESCRIPTOR_TYPE_NONE, EVENT_DATA_DESCRIPTOR_TYPE_PROVIDER_METADATA, EVENT_DESCRIPTOR, EtwRegister,
        EtwSetInformation, EtwUnregister, EtwWriteTransfer, EventProviderSetTraits,
    },
};
use crate::wfp::ffi::{GUID, NTSTATUS};

/// {d8e20169-7792-5d9c-6d0d-03a6ce9a1af2}, by the hash that Microsoft's tools make of a provider's name where one says `*flowtag`
/// (TraceLoggingProvider.h, at `TRACELOGGING_DEFINE_PROVIDER`).
static ID: GUID = GUID::new(0xd8e2_0169, 0x7792, 0x5d9c, 0x6d0d_03a6_ce9a_1af2);

/// `WINEVENT_CHANNEL_TRACELOGGING`.
const CHANNEL: u8 = 11;

#[expect(clippy::cast_possible_truncation, reason = "a few bytes")]
const TRAITS_SIZE: u32 = size_of_val(&PROVIDER) as u32;

/// What the registration is known by; zero while there is none.
static HANDLE: AtomicU64 = AtomicU64::new(0);

/// Each event has one level and one keyword, so all that sessions ask for comes down to a bit for each.
static WANTED: AtomicU32 = AtomicU32::new(Wanted::NOTHING.0);

/// Makes the provider known. The callback may be called before this returns, when a session waits for it already.
///
/// IRQL: `PASSIVE_LEVEL`, on a system thread (DDI `EtwRegister`)
pub fn register(enabled: ETWENABLECALLBACK) -> NTSTATUS {
    // SAFETY: the callback is code of ours, and stays until `unregister`; the handle has a place for as long.
    let status = unsafe { EtwRegister(&raw const ID, enabled, ptr::null_mut(), HANDLE.as_ptr()) };
    if status < 0 {
        // Nobody says what a call that fails writes.
        HANDLE.store(0, Ordering::Relaxed);
        return status;
    }
    // Consumers find the name in each event as well, and Microsoft's header ignores what this answers, too.
    // SAFETY: the handle was made just now, and the metadata is as long as it says.
    unsafe {
        EtwSetInformation(HANDLE.load(Ordering::Relaxed), EventProviderSetTraits, PROVIDER.as_ptr().cast(), TRAITS_SIZE)
    };
    status
}

/// Makes the provider unknown, if it is known.
///
/// The store behind the call keeps it a call: Driver Verifier looks for the driver at the address to which `EtwUnregister`
/// returns. As a jump it returned to whoever called this one, and was not found, and that was bug check 0xC4 with 0xDD
/// (microsoft/ebpf-for-windows, libs/shared/tracelog.c).
///
/// IRQL: `PASSIVE_LEVEL`
#[inline(never)]
pub fn unregister() {
    WANTED.store(Wanted::NOTHING.0, Ordering::Relaxed);
    let handle = HANDLE.load(Ordering::Relaxed);
    if handle != 0 {
        // SAFETY: it came from the registration, and this is the only call for it. What it answers changes nothing.
        unsafe { EtwUnregister(handle) };
        HANDLE.store(0, Ordering::Relaxed);
    }
}

/// Sessions want these events from now on.
///
/// IRQL: any
pub fn want(wanted: Wanted) {
    WANTED.store(wanted.0, Ordering::Relaxed);
}

/// Whether anybody wants this event.
///
/// IRQL: any
pub fn wants(id: Id) -> bool {
    Wanted(WANTED.load(Ordering::Relaxed)).contains(id)
}

/// Writes an event: its payload in two parts, both in memory that is not paged.
///
/// IRQL: any (wdm.h, `EtwWriteTransfer`: <= `HIGH_LEVEL`)
#[inline(never)]
pub fn write(id: Id, payload: &[u8], rest: &[u8]) {
    let handle = HANDLE.load(Ordering::Relaxed);
    let Some(event) = EVENTS.get(id as usize) else { return };
    if handle == 0 {
        return;
    }
    let descriptor = EVENT_DESCRIPTOR {
        Id: 0,
        Version: 0,
        Channel: CHANNEL,
        Level: event.level,
        Opcode: 0,
        Task: 0,
        Keyword: event.keyword,
    };
    let data = [
        part(&PROVIDER, EVENT_DATA_DESCRIPTOR_TYPE_PROVIDER_METADATA),
        part(event.metadata, EVENT_DATA_DESCRIPTOR_TYPE_EVENT_METADATA),
        part(payload, EVENT_DATA_DESCRIPTOR_TYPE_NONE),
        part(rest, EVENT_DATA_DESCRIPTOR_TYPE_NONE),
    ];
    let count = if rest.is_empty() { 3 } else { 4 };
    // Whether anybody has got it does not matter here: who loses events is told so by ETW.
    // SAFETY: the provider is known, and all parts outlive the call.
    unsafe { EtwWriteTransfer(handle, &raw const descriptor, ptr::null(), ptr::null(), count, data.as_ptr()) };
}

fn part(bytes: &[u8], r#type: u32) -> EVENT_DATA_DESCRIPTOR {
    #[expect(clippy::cast_possible_truncation, reason = "at most a path")]
    let size = bytes.len() as u32;
    EVENT_DATA_DESCRIPTOR { Ptr: bytes.as_ptr().expose_provenance() as u64, Size: size, Reserved: r#type }
}
