//! The WFP and NDIS structures that the engine shares with a driver, as x64 Windows lays them out.
//!
//! They are the simulator's own and are held against the facts in `tests/data/wdk-facts.json`; the driver has its own
//! set, so that a mistake in one does not hide in the other. Padding is spelled out: every byte is defined, because the
//! values are copied to and from memory that the driver sees.

#![expect(clippy::struct_field_names, reason = "fields are named as in the headers")]

use bytemuck::{Pod, Zeroable};

/// A GUID.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
pub struct Guid {
    /// First eight hexadecimal digits.
    pub data1: u32,
    /// Next four.
    pub data2: u16,
    /// Next four.
    pub data3: u16,
    /// The last sixteen, in the order they are written.
    pub data4: [u8; 8],
}

impl Guid {
    /// The GUID of no object: where a key is optional, it asks the engine to choose one.
    pub const NULL: Self = Self::new(0, 0, 0, [0; 8]);

    /// A GUID from its parts, as `DEFINE_GUID` takes them.
    #[must_use]
    pub const fn new(data1: u32, data2: u16, data3: u16, data4: [u8; 8]) -> Self {
        Self { data1, data2, data3, data4 }
    }
}

/// `FWPS_CALLOUT2`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct FwpsCallout {
    pub callout_key: Guid,
    pub flags: u32,
    pub padding: u32,
    pub classify_fn: u64,
    pub notify_fn: u64,
    pub flow_delete_fn: u64,
}

/// `FWPS_CLASSIFY_OUT0`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct FwpsClassifyOut {
    pub action_type: u32,
    pub padding: u32,
    pub out_context: u64,
    pub filter_id: u64,
    pub rights: u32,
    pub flags: u32,
    pub reserved: u32,
    pub tail_padding: u32,
}

/// `FWP_VALUE0`: the union is its eight bytes, a value or a pointer by `value_type`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct FwpValue {
    pub value_type: u32,
    pub padding: u32,
    pub value: u64,
}

/// `FWP_BYTE_BLOB`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct FwpByteBlob {
    pub size: u32,
    pub padding: u32,
    pub data: u64,
}

/// `FWPS_INCOMING_VALUES0`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct FwpsIncomingValues {
    pub layer_id: u16,
    pub padding: u16,
    pub value_count: u32,
    pub incoming_value: u64,
}

/// `FWPS_INCOMING_METADATA_VALUES0`; the parts that the engine never fills are `unused`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct FwpsIncomingMetadataValues {
    pub current_metadata_values: u32,
    pub flags: u32,
    pub unused_to_flow_handle: [u64; 3],
    pub flow_handle: u64,
    pub ip_header_size: u32,
    pub transport_header_size: u32,
    pub process_path: u64,
    pub token: u64,
    pub process_id: u64,
    pub unused_to_compartment: [u32; 2],
    pub compartment_id: u32,
    pub unused_to_endpoint: [u32; 7],
    pub transport_endpoint_handle: u64,
    pub unused_to_direction: [u32; 5],
    pub packet_direction: u32,
    pub unused_to_parent: [u64; 6],
    pub parent_endpoint_handle: u64,
    pub icmp_id_and_sequence: u32,
    pub unused_to_sub_process_tag: [u32; 15],
    pub sub_process_tag: u64,
    pub reserved1: u64,
}

/// `FWPS_FILTER2`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct FwpsFilter {
    pub filter_id: u64,
    pub weight: FwpValue,
    pub sub_layer_weight: u16,
    pub flags: u16,
    pub num_filter_conditions: u32,
    pub filter_condition: u64,
    pub action_type: u32,
    pub callout_id: u32,
    pub context: u64,
    pub provider_context: u64,
}

/// `FWPM_SESSION0`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct FwpmSession {
    pub session_key: Guid,
    pub name: u64,
    pub description: u64,
    pub flags: u32,
    pub txn_wait_timeout_in_msec: u32,
    pub process_id: u32,
    pub padding: u32,
    pub sid: u64,
    pub username: u64,
    pub kernel_mode: u32,
    pub tail_padding: u32,
}

/// `FWPM_SUBLAYER0`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct FwpmSubLayer {
    pub sub_layer_key: Guid,
    pub name: u64,
    pub description: u64,
    pub flags: u32,
    pub padding: u32,
    pub provider_key: u64,
    pub provider_data: FwpByteBlob,
    pub weight: u16,
    pub tail_padding: [u16; 3],
}

/// `FWPM_CALLOUT0`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct FwpmCallout {
    pub callout_key: Guid,
    pub name: u64,
    pub description: u64,
    pub flags: u32,
    pub padding: u32,
    pub provider_key: u64,
    pub provider_data: FwpByteBlob,
    pub applicable_layer: Guid,
    pub callout_id: u32,
    pub tail_padding: u32,
}

/// `FWPM_FILTER0`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct FwpmFilter {
    pub filter_key: Guid,
    pub name: u64,
    pub description: u64,
    pub flags: u32,
    pub padding: u32,
    pub provider_key: u64,
    pub provider_data: FwpByteBlob,
    pub layer_key: Guid,
    pub sub_layer_key: Guid,
    pub weight: FwpValue,
    pub num_filter_conditions: u32,
    pub padding_before_conditions: u32,
    pub filter_condition: u64,
    pub action_type: u32,
    pub action_callout_key: Guid,
    pub padding_after_action: u32,
    pub raw_context: u64,
    pub rest_of_provider_context_key: u64,
    pub reserved: u64,
    pub filter_id: u64,
    pub effective_weight: FwpValue,
}

/// `NET_BUFFER_LIST` (NDIS 6.80).
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct NetBufferList {
    pub next: u64,
    pub first_net_buffer: u64,
    pub context: u64,
    pub parent_net_buffer_list: u64,
    pub unused: [u64; 12],
    pub nbl_flags: u32,
    pub child_ref_count: i32,
    pub flags: u32,
    pub status: u32,
    pub net_buffer_list_info: [u64; 27],
    pub tail_padding: u64,
}

/// `NET_BUFFER`.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct NetBuffer {
    pub next: u64,
    pub current_mdl: u64,
    pub current_mdl_offset: u32,
    pub padding: u32,
    /// `DataLength`; the upper half of `stDataLength` is the next field.
    pub data_length: u32,
    pub data_length_high: u32,
    pub mdl_chain: u64,
    pub data_offset: u32,
    pub padding_after_offset: u32,
    pub checksum_bias: u16,
    pub reserved: [u16; 3],
    pub unused: [u64; 15],
}

/// `MDL`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Mdl {
    pub next: u64,
    pub size: i16,
    pub mdl_flags: i16,
    pub padding: u32,
    pub process: u64,
    pub mapped_system_va: u64,
    pub start_va: u64,
    pub byte_count: u32,
    pub byte_offset: u32,
}

/// `FWP_DATA_TYPE`: the types that the engine hands out or takes.
pub mod data_type {
    pub const EMPTY: u32 = 0;
    pub const UINT8: u32 = 1;
    pub const UINT16: u32 = 2;
    pub const UINT32: u32 = 3;
    pub const UINT64: u32 = 4;
    pub const BYTE_ARRAY16: u32 = 11;
    pub const BYTE_BLOB: u32 = 12;
    pub const SID: u32 = 13;
}

/// `FWP_ACTION_TYPE`.
pub mod action {
    pub const BLOCK: u32 = 0x1001;
    pub const PERMIT: u32 = 0x1002;
    pub const CALLOUT_TERMINATING: u32 = 0x5003;
    pub const CALLOUT_INSPECTION: u32 = 0x6004;
    pub const CALLOUT_UNKNOWN: u32 = 0x4005;
    pub const CONTINUE: u32 = 0x2006;
    pub const NONE: u32 = 0x7;
}

/// `FWPS_RIGHT_ACTION_WRITE`.
pub const RIGHT_ACTION_WRITE: u32 = 1;

/// `FWPS_METADATA_FIELD_*`.
pub mod metadata {
    pub const FLOW_HANDLE: u32 = 0x2;
    pub const IP_HEADER_SIZE: u32 = 0x4;
    pub const PROCESS_PATH: u32 = 0x8;
    pub const PROCESS_ID: u32 = 0x20;
    pub const TRANSPORT_HEADER_SIZE: u32 = 0x400;
    pub const COMPARTMENT_ID: u32 = 0x800;
    pub const TRANSPORT_ENDPOINT_HANDLE: u32 = 0x8000;
    pub const PACKET_DIRECTION: u32 = 0x4_0000;
    pub const SUB_PROCESS_TAG: u32 = 0x8000_0000;
}

/// `FWP_CONDITION_FLAG_*`, the bits of a layer's FLAGS field.
pub mod condition_flag {
    pub const IS_LOOPBACK: u32 = 0x1;
    pub const IS_REAUTHORIZE: u32 = 0x4;
    pub const IS_HONORING_POLICY_AUTHORIZE: u32 = 0x200_0000;
}

/// `FWP_CONDITION_REAUTHORIZE_REASON_POLICY_CHANGE`.
pub const REAUTHORIZE_REASON_POLICY_CHANGE: u32 = 1;

/// `FWP_CALLOUT_FLAG_*`.
pub mod callout_flag {
    pub const CONDITIONAL_ON_FLOW: u32 = 0x1;
    pub const ENABLE_COMMIT_ADD_NOTIFY: u32 = 0x4;
}

/// `FWPM_FILTER_FLAG_PERMIT_IF_CALLOUT_UNREGISTERED`.
pub const FILTER_FLAG_PERMIT_IF_CALLOUT_UNREGISTERED: u32 = 0x10;
/// `FWPM_SESSION_FLAG_DYNAMIC`.
pub const SESSION_FLAG_DYNAMIC: u32 = 1;
/// `FWPM_TXN_READ_ONLY`.
pub const TXN_READ_ONLY: u32 = 1;

/// `FWPS_CALLOUT_NOTIFY_TYPE`.
pub mod notify {
    pub const ADD_FILTER: u64 = 0;
    pub const DELETE_FILTER: u64 = 1;
    pub const ADD_FILTER_POST_COMMIT: u64 = 2;
}

#[cfg(test)]
#[path = "abi_tests.rs"]
mod tests;
