//! The events of the provider: names, levels, keywords and fields. Others read them by these names, so they are an interface:
//! docs/events.md is its reference, and a test holds both together.

use super::metadata::{
    self, ASCII, FILETIME, Field, HEX64, NTSTATUS, PID, SID, SOCKET_ADDRESS, U8, U32, U64, UTF16, event, event_length,
};
use crate::totals::EVENT_FIELDS;

/// The provider's name; its id follows from it (`provider.rs`).
const NAME: &str = "flowtag";
/// The provider's metadata.
pub const PROVIDER: [u8; metadata::provider_length(NAME)] = metadata::provider(NAME);

/// How important an event is: those of winmeta.h.
mod level {
    pub const ERROR: u8 = 2;
    pub const WARNING: u8 = 3;
    pub const INFORMATION: u8 = 4;
    pub const VERBOSE: u8 = 5;
}

/// What an event is about. Never none: an event without keyword would pass the filter of each session.
mod keyword {
    pub const FLOW: u64 = 1;
    pub const FIRST_PACKET: u64 = 2;
    pub const PACKET: u64 = 4;
    pub const DRIVER: u64 = 8;
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    /// A flow has been tagged.
    FlowOpen,
    /// The driver has let go of a flow.
    FlowClose,
    /// A flow was there when somebody asked.
    FlowRundown,
    /// The first packet one way.
    FirstPacket,
    /// A later one.
    Packet,
    /// The driver is loaded.
    Loaded,
    /// It is not.
    LoadFailed,
    /// Something failed, and the driver goes on.
    Failed,
    /// Something failed, and is tried again.
    Retrying,
    /// Something is lost for the first time.
    Lost,
    /// The driver is being unloaded.
    Stopping,
    /// What has happened since it was loaded.
    Totals,
}

/// What is told of an event.
pub struct Event {
    /// Its level.
    pub level: u8,
    /// Its keyword.
    pub keyword: u64,
    /// Its name and fields.
    pub metadata: &'static [u8],
}

/// Whose flow, and between whom.
const FLOW: &[Field] = &[
    ("FlowHandle", HEX64),
    ("ProcessId", PID),
    ("ProcessStartKey", HEX64),
    ("ProcessCreateTime", FILETIME),
    ("ParentProcessId", PID),
    ("ServiceTag", HEX64),
    ("PackageSid", SID),
    ("Direction", U8),
    ("Protocol", U8),
    ("LocalAddress", SOCKET_ADDRESS),
    ("RemoteAddress", SOCKET_ADDRESS),
    ("InterfaceIndex", U32),
    ("CompartmentId", U32),
    ("Origin", U8),
];

/// What it has done so far.
const TRAFFIC: &[Field] =
    &[("OutPackets", U64), ("InPackets", U64), ("OutBytes", U64), ("InBytes", U64), ("Duration", U64)];

const WHY: &[Field] = &[("Why", U8)];

/// The longest field stands last: it is copied from where it lies.
const PATH: &[Field] = &[("ProcessPath", UTF16)];

const PACKET: &[Field] =
    &[("FlowHandle", HEX64), ("ProcessId", PID), ("ProcessStartKey", HEX64), ("Direction", U8), ("Bytes", U32)];

const STEP: &[Field] = &[("Step", ASCII), ("Status", NTSTATUS)];

/// Those of the `totals` line.
const TOTALS: &[Field] = &{
    let mut fields = [("", U64); EVENT_FIELDS.len()];
    let mut number = 0;
    while number < fields.len() {
        fields[number].0 = EVENT_FIELDS[number];
        number += 1;
    }
    fields
};

macro_rules! event {
    ($name:literal, $level:expr, $keyword:expr, $($group:expr),+) => {{
        const GROUPS: &[&[Field]] = &[$($group),+];
        const METADATA: [u8; event_length($name, GROUPS)] = event($name, GROUPS);
        Event { level: $level, keyword: $keyword, metadata: &METADATA }
    }};
}

/// All events, in the order of [`Id`].
pub static EVENTS: [Event; 12] = [
    event!("FlowOpen", level::INFORMATION, keyword::FLOW, FLOW, PATH),
    event!("FlowClose", level::INFORMATION, keyword::FLOW, FLOW, TRAFFIC, WHY, PATH),
    event!("FlowRundown", level::INFORMATION, keyword::FLOW, FLOW, TRAFFIC, PATH),
    event!("FirstPacket", level::VERBOSE, keyword::FIRST_PACKET, PACKET),
    event!("Packet", level::VERBOSE, keyword::PACKET, PACKET),
    event!(
        "Loaded",
        level::INFORMATION,
        keyword::DRIVER,
        &[("Version", ASCII), ("TraceLevel", U32), ("MaxFlows", U32)]
    ),
    event!("LoadFailed", level::ERROR, keyword::DRIVER, STEP),
    event!("Failed", level::WARNING, keyword::DRIVER, STEP),
    event!("Retrying", level::INFORMATION, keyword::DRIVER, STEP),
    event!("Lost", level::WARNING, keyword::DRIVER, &[("Kind", ASCII), ("Status", NTSTATUS)]),
    event!("Stopping", level::INFORMATION, keyword::DRIVER, &[("LiveFlows", U32)]),
    event!("Totals", level::INFORMATION, keyword::DRIVER, TOTALS),
];

/// Which events are wanted, a bit for each in the order of [`Id`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted(pub u32);

impl Wanted {
    /// None.
    pub const NOTHING: Self = Self(0);

    /// Those that pass what the sessions together have asked for, by the rules of evntprov.h (`EVENT_DESCRIPTOR`): a level of 0 is
    /// every level, and keywords of 0 are all of them.
    #[must_use]
    pub fn by(level: u8, any: u64, all: u64) -> Self {
        let level = if level == 0 { u8::MAX } else { level };
        let any = if any == 0 { u64::MAX } else { any };
        let mut wanted = 0;
        let mut bit: u32 = 1;
        for event in &EVENTS {
            let passes = event.level <= level && event.keyword & any != 0 && event.keyword & all == all;
            if passes {
                wanted |= bit;
            }
            bit = bit.wrapping_shl(1);
        }
        Self(wanted)
    }

    /// Whether this event is among them.
    #[must_use]
    pub const fn contains(self, id: Id) -> bool {
        self.0 & 1_u32.wrapping_shl(id as u32) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Id; 12] = [
        Id::FlowOpen,
        Id::FlowClose,
        Id::FlowRundown,
        Id::FirstPacket,
        Id::Packet,
        Id::Loaded,
        Id::LoadFailed,
        Id::Failed,
        Id::Retrying,
        Id::Lost,
        Id::Stopping,
        Id::Totals,
    ];
    const FLOWS: [Id; 3] = [Id::FlowOpen, Id::FlowClose, Id::FlowRundown];

    fn wanted(level: u8, any: u64, all: u64) -> Vec<Id> {
        let wanted = Wanted::by(level, any, all);
        ALL.into_iter().filter(|id| wanted.contains(*id)).collect()
    }

    #[test]
    fn each_event_has_its_name_at_its_place() {
        for id in ALL {
            let name = format!("{id:?}\0");
            assert_eq!(&EVENTS[id as usize].metadata[3..][..name.len()], name.as_bytes());
        }
    }

    /// How docs/events.md names the type of these bytes, and how many of them there are.
    fn named(types: &[u8]) -> (&'static str, usize) {
        match *types {
            [4, ..] => ("UInt8", 1),
            [8, ..] => ("UInt32", 1),
            [10, ..] => ("UInt64", 1),
            [17, ..] => ("FileTime", 1),
            [19, ..] => ("Sid", 1),
            [21, ..] => ("HexUInt64", 1),
            [22, ..] => ("CountedString16", 1),
            [23, ..] => ("CountedString", 1),
            [0x88, 5, ..] => ("Pid", 2),
            [0x88, 14, ..] => ("NTStatus", 2),
            [0x8e, 10, ..] => ("SocketAddress", 2),
            _ => panic!("a type that docs/events.md does not know: {types:?}"),
        }
    }

    /// The fields of an event and their types, as its metadata has them.
    fn fields(event: &Event) -> Vec<(String, &'static str)> {
        let mut fields = Vec::new();
        let mut rest = &event.metadata[3..];
        rest = &rest[rest.iter().position(|byte| *byte == 0).unwrap() + 1..];
        while let Some(end) = rest.iter().position(|byte| *byte == 0) {
            let name = String::from_utf8(rest[..end].to_vec()).unwrap();
            let (kind, length) = named(&rest[end + 1..]);
            fields.push((name, kind));
            rest = &rest[end + 1 + length..];
        }
        assert!(rest.is_empty());
        fields
    }

    const DOCUMENT: &str = include_str!("../../docs/events.md");

    /// The rows of the tables below these words of the document, up to the next text that names events.
    fn documented(words: &str) -> Vec<(String, String)> {
        let (_, after) = DOCUMENT.split_once(words).unwrap_or_else(|| panic!("docs/events.md lacks: {words}"));
        let rows = after.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
        let cells = rows.skip(2).map(|row| {
            let mut cells = row.split('|').skip(1).map(|cell| cell.trim().trim_matches('`').to_owned());
            (cells.next().unwrap(), cells.next().unwrap())
        });
        cells.collect()
    }

    #[test]
    fn the_document_has_each_event_with_its_fields_in_their_order() {
        const FLOW: &str = "\n`FlowOpen`, `FlowClose` and `FlowRundown`:";
        const TRAFFIC: &str = "\n`FlowClose` and `FlowRundown` go on with";
        const WHY: &str = "\n`FlowClose` with";
        const PATH: &str = "\nand all three end with";
        const PACKET: &str = "\n`FirstPacket` and `Packet`:";
        const STEP: &str = "\n`LoadFailed`, `Failed` and `Retrying`:";
        for id in ALL {
            let tables: &[&str] = match id {
                Id::FlowOpen => &[FLOW, PATH],
                Id::FlowClose => &[FLOW, TRAFFIC, WHY, PATH],
                Id::FlowRundown => &[FLOW, TRAFFIC, PATH],
                Id::FirstPacket | Id::Packet => &[PACKET],
                Id::LoadFailed | Id::Failed | Id::Retrying => &[STEP],
                Id::Loaded => &["\n`Loaded`:"],
                Id::Lost => &["\n`Lost`:"],
                Id::Stopping => &["\n`Stopping`:"],
                Id::Totals => &["\n`Totals`:"],
            };
            let documented: Vec<_> = tables.iter().flat_map(|words| documented(words)).collect();
            let fields = fields(&EVENTS[id as usize]);
            let fields: Vec<_> = fields.into_iter().map(|(name, kind)| (name, kind.to_owned())).collect();
            assert_eq!(documented, fields, "{id:?}");
        }
    }

    #[test]
    fn the_document_has_each_event_with_its_level_and_keyword() {
        for id in ALL {
            let Event { level, keyword, .. } = EVENTS[id as usize];
            let start = format!("| `{id:?}` | {level}, ");
            let row = DOCUMENT.lines().find(|line| line.starts_with(&start));
            let row = row.unwrap_or_else(|| panic!("docs/events.md has no row {start}"));
            assert!(row.contains(&format!(" | {keyword:#x} | ")), "{row}");
        }
    }

    #[test]
    fn level_0_is_every_level() {
        assert_eq!(wanted(0, u64::MAX, 0), ALL);
        assert_eq!(wanted(255, u64::MAX, 0), ALL);
    }

    #[test]
    fn a_level_is_the_last_that_is_wanted() {
        assert_eq!(wanted(1, u64::MAX, 0), []);
        assert_eq!(wanted(2, u64::MAX, 0), [Id::LoadFailed]);
        assert_eq!(wanted(3, u64::MAX, 0), [Id::LoadFailed, Id::Failed, Id::Lost]);
        assert_eq!(wanted(4, 1, 0), FLOWS);
        assert_eq!(wanted(3, 1, 0), []);
        assert_eq!(wanted(5, 6, 0), [Id::FirstPacket, Id::Packet]);
        assert_eq!(wanted(4, 6, 0), []);
    }

    #[test]
    fn no_keyword_is_all_of_them() {
        assert_eq!(wanted(0, 0, 0), ALL);
    }

    #[test]
    fn an_event_has_one_of_any_and_each_of_all() {
        assert_eq!(wanted(0, 1, 0), FLOWS);
        assert_eq!(wanted(0, 3, 2), [Id::FirstPacket]);
        assert_eq!(wanted(0, 0, 4), [Id::Packet]);
        assert_eq!(wanted(0, 1, 2), []);
        assert_eq!(wanted(0, u64::MAX, 3), []);
        assert_eq!(wanted(0, 16, 0), []);
    }

    #[test]
    fn nothing_is_wanted_of_nobody() {
        assert!(ALL.into_iter().all(|id| !Wanted::NOTHING.contains(id)));
    }
}
