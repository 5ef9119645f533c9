//! The driver's events, held against what Microsoft's crate `tracelogging` makes of the same ones: provider, level, keyword, the
//! metadata byte for byte, and the data.
//!
//! The crate writes on Windows only, and its macros write out calls of `::tracelogging::…`. So this file is that crate for them, and
//! keeps what is written.

extern crate self as tracelogging;

use std::{cell::RefCell, ptr, slice};

use flowtag_tests::{
    details::Details,
    etw::{
        event::{EVENTS, Id, PROVIDER as OUR_PROVIDER},
        fields::{self, History, Told},
        payload::Payload,
    },
    identity::Identity,
    path::{Captured, Path},
    tag::{Address, Direction, Endpoint, Family, Given, Origin, TCP, Tag},
    totals::Totals,
    trace::{Traffic, Why},
};
pub use microsoft_tracelogging::{Channel, Guid, InType, Level, Opcode, OutType};
use microsoft_tracelogging::{define_provider, write_event};

/// A provider to which somebody always listens.
pub struct Provider {
    metadata: &'static [u8],
    id: Guid,
}

impl Provider {
    /// Whether anybody wants such an event.
    #[must_use]
    pub const fn enabled(&self, _level: Level, _keyword: u64) -> bool {
        true
    }

    /// Its metadata.
    #[must_use]
    pub const fn raw_meta(&self) -> &[u8] {
        self.metadata
    }
}

/// What the macros call.
pub mod _internal {
    pub use microsoft_tracelogging::_internal::*;

    use super::{Guid, Provider, Written};

    /// Makes a provider.
    ///
    /// # Safety
    /// Never unsafe here.
    #[must_use]
    pub const unsafe fn provider_new(metadata: &'static [u8], id: &Guid) -> Provider {
        Provider { metadata, id: *id }
    }

    /// Keeps an event.
    #[must_use]
    pub fn provider_write_transfer(
        _provider: &Provider,
        descriptor: &EventDescriptor,
        _activity: Option<&[u8; 16]>,
        _related: Option<&[u8; 16]>,
        data: &[EventDataDescriptor],
    ) -> u32 {
        Written::keep(descriptor, data);
        0
    }
}

/// What is written of one event.
#[derive(Debug, Default, PartialEq)]
struct Written {
    level: u8,
    keyword: u64,
    provider: Vec<u8>,
    metadata: Vec<u8>,
    data: Vec<u8>,
}

thread_local! {
    static LAST: RefCell<Written> = RefCell::default();
}

impl Written {
    fn keep(descriptor: &_internal::EventDescriptor, data: &[_internal::EventDataDescriptor]) {
        let (level, keyword) = (descriptor.level.as_int(), descriptor.keyword);
        assert_eq!(descriptor.channel.as_int(), 11);
        let mut written = Self { level, keyword, ..Self::default() };
        for part in data {
            // SAFETY: it has the layout of EVENT_DATA_DESCRIPTOR: a pointer of 64 bits, a size of 32, and a type of 32.
            let [address, size_and_type] = unsafe { ptr::from_ref(part).cast::<[u64; 2]>().read() };
            let (size, kind) = (size_and_type & 0xffff_ffff, size_and_type >> 32);
            let address = ptr::with_exposed_provenance(usize::try_from(address).unwrap());
            // SAFETY: the descriptor says so.
            let bytes = unsafe { slice::from_raw_parts::<u8>(address, usize::try_from(size).unwrap()) };
            let to = match kind {
                2 => &mut written.provider,
                1 => &mut written.metadata,
                _ => &mut written.data,
            };
            to.extend_from_slice(bytes);
        }
        LAST.set(written);
    }
}

define_provider!(PROVIDER, "flowtag");

/// What the driver writes of an event with these fields and this path.
fn ours(id: Id, path: &[[u8; 2]], fields: impl FnOnce(&mut Payload)) -> Written {
    let event = &EVENTS[id as usize];
    let mut payload = Payload::empty();
    fields(&mut payload);
    Written {
        level: event.level,
        keyword: event.keyword,
        provider: OUR_PROVIDER.to_vec(),
        metadata: event.metadata.to_vec(),
        data: [payload.written(), path.as_flattened()].concat(),
    }
}

/// What Microsoft's crate has just written.
fn microsofts() -> Written {
    LAST.take()
}

/// S-1-15-2-1-2-3.
const SID: [u8; 24] = [1, 4, 0, 0, 0, 0, 0, 15, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0];
const LOCAL: [u8; 16] = [2, 0, 0xc3, 0xcb, 10, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0];
const REMOTE: [u8; 16] = [2, 0, 1, 187, 93, 184, 216, 34, 0, 0, 0, 0, 0, 0, 0, 0];

const TAG: Tag = Tag {
    flow: 0x2a1,
    pid: 4242,
    local: Endpoint { address: Address::V4([10, 0, 0, 5]), port: Given::number(50123) },
    remote: Endpoint { address: Address::V4([93, 184, 216, 34]), port: Given::number(443) },
    protocol: Given::number(TCP as u16),
    family: Family::V4,
    direction: Direction::In,
    origin: Origin::Reauth,
};

fn details() -> Details {
    Details {
        service_tag: 0x55,
        compartment: 3,
        interface: 12,
        identity: Identity { start_key: 0x0012_0000_0000_13b6, created: 134_404_292_967_890_000, parent: 812 },
    }
}

fn told<'a>(details: &'a Details, path: Captured<'a>) -> Told<'a> {
    Told { tag: &TAG, details, package: &SID, path }
}

const HISTORY: History = History {
    out: Traffic { packets: 12, bytes: 1830 },
    r#in: Traffic { packets: 9, bytes: 52_011 },
    duration: 8_400_000,
};

const TEXT: &str = "\\device\\caf\u{e9}.exe";

/// The path as code units, and as the driver has captured it.
fn path() -> (Vec<u16>, Vec<[u8; 2]>) {
    let units: Vec<u16> = TEXT.encode_utf16().collect();
    let bytes = units.iter().map(|unit| unit.to_le_bytes()).collect();
    (units, bytes)
}

/// Calls `write` with the path as the driver has it.
fn with_path<T>(write: impl FnOnce(Captured, &[[u8; 2]]) -> T) -> T {
    let (_, units) = path();
    let extent = Path::of(units.as_flattened()).extent();
    write(Captured::new(&units, extent), &units)
}

#[test]
fn the_provider_is_the_one_that_its_name_makes() {
    assert_eq!(OUR_PROVIDER, *PROVIDER.raw_meta());
    // As provider.rs has it, and docs/events.md.
    assert_eq!(
        PROVIDER.id.to_fields(),
        (0xd8e2_0169, 0x7792, 0x5d9c, [0x6d, 0x0d, 0x03, 0xa6, 0xce, 0x9a, 0x1a, 0xf2])
    );
}

#[test]
fn flow_open_is_as_microsofts_crate_writes_it() {
    write_event!(
        PROVIDER,
        "FlowOpen",
        level(Informational),
        keyword(1),
        u64_hex("FlowHandle", &0x2a1),
        pid("ProcessId", &4242),
        u64_hex("ProcessStartKey", &0x0012_0000_0000_13b6),
        win_filetime("ProcessCreateTime", &134_404_292_967_890_000),
        pid("ParentProcessId", &812),
        u64_hex("ServiceTag", &0x55),
        win_sid("PackageSid", &SID),
        u8("Direction", &1),
        u8("Protocol", &6),
        socketaddress("LocalAddress", &LOCAL),
        socketaddress("RemoteAddress", &REMOTE),
        u32("InterfaceIndex", &12),
        u32("CompartmentId", &3),
        u8("Origin", &1),
        str16("ProcessPath", &path().0)
    );
    let ours = with_path(|path, units| {
        ours(Id::FlowOpen, units, |payload| fields::flow_open(payload, told(&details(), path)))
    });
    assert_eq!(ours, microsofts());
}

#[test]
fn flow_close_is_as_microsofts_crate_writes_it() {
    write_event!(
        PROVIDER,
        "FlowClose",
        level(Informational),
        keyword(1),
        u64_hex("FlowHandle", &0x2a1),
        pid("ProcessId", &4242),
        u64_hex("ProcessStartKey", &0x0012_0000_0000_13b6),
        win_filetime("ProcessCreateTime", &134_404_292_967_890_000),
        pid("ParentProcessId", &812),
        u64_hex("ServiceTag", &0x55),
        win_sid("PackageSid", &SID),
        u8("Direction", &1),
        u8("Protocol", &6),
        socketaddress("LocalAddress", &LOCAL),
        socketaddress("RemoteAddress", &REMOTE),
        u32("InterfaceIndex", &12),
        u32("CompartmentId", &3),
        u8("Origin", &1),
        u64("OutPackets", &12),
        u64("InPackets", &9),
        u64("OutBytes", &1830),
        u64("InBytes", &52_011),
        u64("Duration", &8_400_000),
        u8("Why", &1),
        str16("ProcessPath", &path().0)
    );
    let ours = with_path(|path, units| {
        ours(Id::FlowClose, units, |payload| {
            fields::flow_close(payload, told(&details(), path), HISTORY, Why::Evicted);
        })
    });
    assert_eq!(ours, microsofts());
}

#[test]
fn flow_rundown_is_as_microsofts_crate_writes_it() {
    write_event!(
        PROVIDER,
        "FlowRundown",
        level(Informational),
        keyword(1),
        u64_hex("FlowHandle", &0x2a1),
        pid("ProcessId", &4242),
        u64_hex("ProcessStartKey", &0x0012_0000_0000_13b6),
        win_filetime("ProcessCreateTime", &134_404_292_967_890_000),
        pid("ParentProcessId", &812),
        u64_hex("ServiceTag", &0x55),
        win_sid("PackageSid", &SID),
        u8("Direction", &1),
        u8("Protocol", &6),
        socketaddress("LocalAddress", &LOCAL),
        socketaddress("RemoteAddress", &REMOTE),
        u32("InterfaceIndex", &12),
        u32("CompartmentId", &3),
        u8("Origin", &1),
        u64("OutPackets", &12),
        u64("InPackets", &9),
        u64("OutBytes", &1830),
        u64("InBytes", &52_011),
        u64("Duration", &8_400_000),
        str16("ProcessPath", &path().0)
    );
    let ours = with_path(|path, units| {
        ours(Id::FlowRundown, units, |payload| {
            fields::flow_rundown(payload, told(&details(), path), HISTORY);
        })
    });
    assert_eq!(ours, microsofts());
}

#[test]
fn events_of_packets_are_as_microsofts_crate_writes_them() {
    let packet = |id| ours(id, &[], |payload| fields::packet(payload, &TAG, &details(), Direction::Out, 517));
    write_event!(
        PROVIDER,
        "FirstPacket",
        level(Verbose),
        keyword(2),
        u64_hex("FlowHandle", &0x2a1),
        pid("ProcessId", &4242),
        u64_hex("ProcessStartKey", &0x0012_0000_0000_13b6),
        u8("Direction", &0),
        u32("Bytes", &517)
    );
    assert_eq!(packet(Id::FirstPacket), microsofts());
    write_event!(
        PROVIDER,
        "Packet",
        level(Verbose),
        keyword(4),
        u64_hex("FlowHandle", &0x2a1),
        pid("ProcessId", &4242),
        u64_hex("ProcessStartKey", &0x0012_0000_0000_13b6),
        u8("Direction", &0),
        u32("Bytes", &517)
    );
    assert_eq!(packet(Id::Packet), microsofts());
}

#[test]
fn events_about_the_driver_are_as_microsofts_crate_writes_them() {
    write_event!(
        PROVIDER,
        "Loaded",
        level(Informational),
        keyword(8),
        str8_cp1252("Version", env!("CARGO_PKG_VERSION")),
        u32("TraceLevel", &2),
        u32("MaxFlows", &65_536)
    );
    assert_eq!(ours(Id::Loaded, &[], |payload| fields::loaded(payload, 2, 65_536)), microsofts());
    write_event!(PROVIDER, "Stopping", level(Informational), keyword(8), u32("LiveFlows", &12));
    assert_eq!(ours(Id::Stopping, &[], |payload| fields::stopping(payload, 12)), microsofts());
}

#[test]
fn events_of_failures_are_as_microsofts_crate_writes_them() {
    const STATUS: u32 = 0xc022_0009;
    const STEP: &str = "FwpsCalloutRegister2";
    let failure = |id| ours(id, &[], |payload| fields::step(payload, STEP, STATUS.cast_signed()));
    write_event!(
        PROVIDER,
        "LoadFailed",
        level(Error),
        keyword(8),
        str8_cp1252("Step", STEP),
        u32("Status", &STATUS, format(NtStatus))
    );
    assert_eq!(failure(Id::LoadFailed), microsofts());
    write_event!(
        PROVIDER,
        "Failed",
        level(Warning),
        keyword(8),
        str8_cp1252("Step", STEP),
        u32("Status", &STATUS, format(NtStatus))
    );
    assert_eq!(failure(Id::Failed), microsofts());
    write_event!(
        PROVIDER,
        "Retrying",
        level(Informational),
        keyword(8),
        str8_cp1252("Step", STEP),
        u32("Status", &STATUS, format(NtStatus))
    );
    assert_eq!(failure(Id::Retrying), microsofts());
    write_event!(
        PROVIDER,
        "Lost",
        level(Warning),
        keyword(8),
        str8_cp1252("Kind", STEP),
        u32("Status", &STATUS, format(NtStatus))
    );
    assert_eq!(failure(Id::Lost), microsofts());
}

#[test]
fn the_event_of_the_totals_is_as_microsofts_crate_writes_it() {
    let totals = Totals::zero();
    totals.opened.count();
    totals.blocked.count();
    totals.blocked.count();
    write_event!(
        PROVIDER,
        "Totals",
        level(Informational),
        keyword(8),
        u64("Opened", &1),
        u64("Closed", &0),
        u64("Evicted", &0),
        u64("Untracked", &0),
        u64("ReauthSkipped", &0),
        u64("AllocFailed", &0),
        u64("AssociateFailed", &0),
        u64("AlreadyTagged", &0),
        u64("Busy", &0),
        u64("Gone", &0),
        u64("Unnamed", &0),
        u64("Blocked", &2),
        u64("Unlisted", &0)
    );
    assert_eq!(ours(Id::Totals, &[], |payload| fields::totals(payload, &totals)), microsofts());
}
