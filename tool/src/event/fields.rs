//! The fields of events by their names in docs/events.md: the one place that spells them.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::number::Hex;
use crate::time::Time;

macro_rules! fields {
    ($($member:ident: $kind:ty = $name:literal,)*) => {
        /// What an event has told: each of its fields, and of all others nothing.
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(default)]
        #[expect(missing_docs, reason = "docs/events.md says what each is")]
        pub struct Fields {
            $(#[serde(rename = $name)] pub $member: Option<$kind>,)*
        }

        /// The names of all fields, in an order that keeps that of each event.
        pub const NAMES: &[&str] = &[$($name),*];

        impl Fields {
            /// What each field of [`NAMES`] has, as text; nothing where the event has none.
            pub fn cells(&self) -> impl Iterator<Item = String> {
                [$(self.$member.as_ref().map(ToString::to_string).unwrap_or_default()),*].into_iter()
            }
        }

        impl Serialize for Fields {
            /// As a map of what is there.
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                $(if let Some(value) = &self.$member { map.serialize_entry($name, value)?; })*
                map.end()
            }
        }
    };
}

fields! {
    version: String = "Version",
    trace_level: u32 = "TraceLevel",
    max_flows: u32 = "MaxFlows",
    step: String = "Step",
    kind: String = "Kind",
    status: Hex = "Status",
    live_flows: u32 = "LiveFlows",
    flow_handle: Hex = "FlowHandle",
    process_id: u32 = "ProcessId",
    process_start_key: Hex = "ProcessStartKey",
    process_create_time: Time = "ProcessCreateTime",
    parent_process_id: u32 = "ParentProcessId",
    service_tag: Hex = "ServiceTag",
    package_sid: String = "PackageSid",
    direction: u8 = "Direction",
    bytes: u32 = "Bytes",
    protocol: u8 = "Protocol",
    local_address: SocketAddr = "LocalAddress",
    remote_address: SocketAddr = "RemoteAddress",
    interface_index: u32 = "InterfaceIndex",
    compartment_id: u32 = "CompartmentId",
    origin: u8 = "Origin",
    out_packets: u64 = "OutPackets",
    in_packets: u64 = "InPackets",
    out_bytes: u64 = "OutBytes",
    in_bytes: u64 = "InBytes",
    duration: u64 = "Duration",
    why: u8 = "Why",
    process_path: String = "ProcessPath",
    opened: u64 = "Opened",
    closed: u64 = "Closed",
    evicted: u64 = "Evicted",
    untracked: u64 = "Untracked",
    reauth_skipped: u64 = "ReauthSkipped",
    alloc_failed: u64 = "AllocFailed",
    associate_failed: u64 = "AssociateFailed",
    already_tagged: u64 = "AlreadyTagged",
    busy: u64 = "Busy",
    gone: u64 = "Gone",
    unnamed: u64 = "Unnamed",
    blocked: u64 = "Blocked",
    unlisted: u64 = "Unlisted",
}
