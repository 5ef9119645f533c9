//! Events are written: `EtwWriteTransfer`.
//!
//! Whatever Windows would copy unlooked at is looked at here, whether or not a session wants the event.

use super::{
    Event,
    register::{violation, with_registration},
    status,
    tracelogging::{self, Told},
};
use crate::computer::{Call, Export, Fails, Irql, argument, field, memory};

/// `MAX_EVENT_DATA_DESCRIPTORS` of evntprov.h.
const MOST_DESCRIPTORS: u32 = 128;
/// `sizeof(EVENT_HEADER)` of evntcons.h.
const HEADER: u32 = 80;
/// What an event never has more of, with all that goes with it.
const LARGEST: u64 = 0xFFFF;

/// `EVENT_DATA_DESCRIPTOR_TYPE_*` of evntprov.h.
const PAYLOAD: u8 = 0;
const EVENT_METADATA: u8 = 1;
const PROVIDER_METADATA: u8 = 2;
const TIMESTAMP_OVERRIDE: u8 = 3;

/// Where the numbers of an event come from that has none.
const WITHOUT_ID: &str =
    "Microsoft's crate tracelogging, descriptors.rs (1.2.4): 0 unless the event has an id that stays";

const DRIVER_IRQL_NOT_LESS_OR_EQUAL: u32 = 0xD1;

/// The exports of this family. (IRQL: DDI, and `_IRQL_requires_max_(HIGH_LEVEL)` in wdm.h. How it fails: one build,
/// `EtwWriteEx`, `EtwpEventWriteFull`.)
pub const EXPORTS: &[Export] = &[Export {
    module: "ntoskrnl.exe",
    name: "EtwWriteTransfer",
    max_irql: Irql::HIGH,
    fails: Fails::Status(&[
        status::NO_MEMORY,
        status::BUFFER_OVERFLOW,
        status::INTEGER_OVERFLOW,
        status::INVALID_HANDLE,
    ]),
    run: write,
    inputs: &[],
}
.with(&[
    argument(0, "RegHandle").used("etw::tests::writing::an_event_outside_the_registration_is_reported"),
    field(1, 0, "EventDescriptor.Id").values(2, &[0], WITHOUT_ID),
    field(1, 2, "EventDescriptor.Version").values(1, &[0], WITHOUT_ID),
    field(1, 3, "EventDescriptor.Channel").values(1, &[11], "winmeta.h: WINEVENT_CHANNEL_TRACELOGGING"),
    field(1, 4, "EventDescriptor.Level")
        .used("etw::tests::sessions::a_session_gets_what_its_level_and_keywords_let_pass"),
    field(1, 5, "EventDescriptor.Opcode").used("etw::tests::writing::a_consumer_gets_what_was_written"),
    field(1, 6, "EventDescriptor.Task").values(2, &[0], WITHOUT_ID),
    field(1, 8, "EventDescriptor.Keyword")
        .used("etw::tests::sessions::a_session_gets_what_its_level_and_keywords_let_pass"),
    argument(2, "ActivityId").values(8, &[0], "DDI: may be NULL; then it is the thread's, and here no thread has one"),
    argument(3, "RelatedActivityId").values(8, &[0], "DDI: may be NULL"),
    argument(4, "UserDataCount").used("etw::tests::writing::an_event_has_at_most_128_descriptors"),
    field(5, 0, "UserData.Ptr").used("etw::tests::writing::data_that_cannot_be_read_is_reported"),
    field(5, 8, "UserData.Size").used("etw::tests::writing::an_event_that_is_too_large_is_lost"),
    field(5, 12, "UserData.Reserved").used("etw::tests::writing::descriptors_come_in_their_order"),
    field(5, 12, "UserData.Type").used("etw::tests::writing::descriptors_come_in_their_order"),
    field(5, 13, "UserData.Reserved1").used("etw::tests::writing::descriptors_come_in_their_order"),
    field(5, 14, "UserData.Reserved2").used("etw::tests::writing::descriptors_come_in_their_order"),
])];

/// An `EVENT_DESCRIPTOR`, as far as it is looked at.
#[derive(Clone, Copy)]
struct Descriptor {
    level: u8,
    opcode: u8,
    keyword: u64,
}

/// One `EVENT_DATA_DESCRIPTOR`.
#[derive(Clone, Copy)]
struct Data {
    address: u64,
    size: u32,
    kind: u8,
}

fn write(call: &Call<'_>) -> u64 {
    let handle = call.arg(0);
    let (id, traits) = with_registration(call, handle, |registration| {
        registration.writing += 1;
        (registration.id, registration.traits.clone())
    });
    let status = written(call, id, traits);
    with_registration(call, handle, |registration| registration.writing -= 1);
    status.into()
}

fn written(call: &Call<'_>, id: u128, traits: Option<(Vec<u8>, tracelogging::Provider)>) -> u32 {
    let descriptor = descriptor(call);
    let count = call.arg_u32(4);
    if count > MOST_DESCRIPTORS {
        return status::INVALID_PARAMETER;
    }
    let data = all_data(call, count);
    let [provider, event, payload @ ..] = data.as_slice() else {
        violation(call, &format!("with {count} descriptors; the first two are metadata"));
    };
    check_kinds(call, *provider, *event, payload);
    let sizes = [*provider, *event].map(|data| u64::from(data.size).wrapping_add(15) & !7);
    let size = u64::from(HEADER) + sizes[0] + sizes[1] + payload.iter().map(|data| u64::from(data.size)).sum::<u64>();
    if size > LARGEST {
        return record(call, id, descriptor, u32::MAX, || unreachable!("it is lost"));
    }
    let name = provider_name(call, traits, &bytes(call, &[*provider]));
    let metadata = bytes(call, &[*event]);
    let told = tracelogging::read(&metadata, &bytes(call, payload))
        .unwrap_or_else(|wrong| violation(call, &format!("with an event that is none: {wrong}")));
    let time = call.machine.clock().system_time();
    record(call, id, descriptor, size as u32, || {
        let Descriptor { level, opcode, keyword } = descriptor;
        let Told { .. } = &told;
        Event { time, provider: name.clone(), level, opcode, keyword, told: told.clone() }
    })
}

/// Gives the event to every session that wants it. Who is refused first says what the driver is answered (one build,
/// `EtwpEventWriteFull`).
fn record(call: &Call<'_>, id: u128, descriptor: Descriptor, size: u32, event: impl Fn() -> Event) -> u32 {
    let mut status = status::SUCCESS;
    let mut state = call.machine.etw().state();
    let listeners = state.sessions.iter_mut().filter(|session| {
        !session.stopped && session.wanted.wants(id) && session.wanted.takes(descriptor.level, descriptor.keyword)
    });
    for session in listeners {
        let outcome = session.record(size, &event);
        if status == status::SUCCESS {
            status = outcome;
        }
    }
    status
}

fn descriptor(call: &Call<'_>) -> Descriptor {
    let bytes = readable(call, call.arg(1), 16);
    let keyword = u64::from_le_bytes(bytes[8..].try_into().expect("eight bytes"));
    Descriptor { level: bytes[4], opcode: bytes[5], keyword }
}

fn all_data(call: &Call<'_>, count: u32) -> Vec<Data> {
    let bytes = readable(call, call.arg(5), count as usize * 16);
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
    let all = bytes.as_chunks::<16>().0.iter().enumerate();
    all.map(|(place, data)| {
        if data[13..] != [0; 3] {
            violation(call, &format!("with a descriptor {place} whose Reserved is {:#x}", number(&data[12..])));
        }
        Data { address: number(&data[..8]), size: number(&data[8..12]) as u32, kind: data[12] }
    })
    .collect()
}

/// TraceLoggingProvider.h, "How to send a `TraceLogging` event to ETW": the provider's metadata, the event's, and the data.
fn check_kinds(call: &Call<'_>, provider: Data, event: Data, payload: &[Data]) {
    let all = [(provider, PROVIDER_METADATA), (event, EVENT_METADATA)].into_iter();
    let all = all.chain(payload.iter().map(|&data| (data, PAYLOAD)));
    for (place, (data, expected)) in all.enumerate() {
        if data.kind == TIMESTAMP_OVERRIDE {
            call.not_modelled("EVENT_DATA_DESCRIPTOR_TYPE_TIMESTAMP_OVERRIDE");
        }
        if data.kind != expected {
            let kind = data.kind;
            violation(call, &format!("with a descriptor {place} of type {kind}; {expected} belongs there"));
        }
    }
}

/// The provider's name. Its metadata has to be that of its traits, which is what consumers get (evntprov.h,
/// `EVENT_DATA_DESCRIPTOR_TYPE_PROVIDER_METADATA`). A driver that has not tried to set them has its descriptors' types ignored
/// (evntprov.h, `EventProviderSetTraits`). One that has tried and failed goes on as TraceLoggingProvider.h does; what
/// consumers make of its events is not modelled: they get them as if it had succeeded.
fn provider_name(call: &Call<'_>, traits: Option<(Vec<u8>, tracelogging::Provider)>, metadata: &[u8]) -> String {
    let Some((traits, provider)) = traits else {
        if call.machine.faults().calls("EtwSetInformation") == 0 {
            violation(call, "before EtwSetInformation: the types of its descriptors are ignored");
        }
        let read = tracelogging::Provider::read(metadata);
        return read.unwrap_or_else(|wrong| violation(call, &wrong.to_string())).name;
    };
    if traits != metadata {
        violation(call, "with provider metadata that is not what EtwSetInformation was given");
    }
    provider.name
}

fn bytes(call: &Call<'_>, data: &[Data]) -> Vec<u8> {
    data.iter().flat_map(|data| readable(call, data.address, data.size as usize)).collect()
}

/// Bytes that the driver points at. DDI: above `APC_LEVEL` they must not be pageable.
fn readable(call: &Call<'_>, address: u64, size: usize) -> Vec<u8> {
    if size == 0 {
        return Vec::new();
    }
    let irql = call.cpu.irql();
    if irql > Irql::APC && call.machine.pool().is_paged(address) {
        let text = format!("EtwWriteTransfer was given {address:#x} at {irql}, which is paged pool");
        call.bug_check(DRIVER_IRQL_NOT_LESS_OR_EQUAL, [address, irql.0.into(), 0, call.caller()], text);
    }
    call.accessible(memory::read_bytes(address, size))
}
