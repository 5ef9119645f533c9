//! Holds the driver's hand-written bindings against the facts taken from the real headers.
#[path = "../../src/wfp/ffi.rs"]
#[expect(dead_code, reason = "only layouts and numbers are looked at, nothing is called")]
#[expect(clippy::upper_case_acronyms, reason = "the names of the Windows headers")]
mod ffi;

#[path = "../../src/processes/ffi.rs"]
#[expect(dead_code, reason = "as above")]
#[expect(clippy::upper_case_acronyms, reason = "as above")]
mod processes;

use std::{collections::BTreeMap, mem::offset_of, sync::LazyLock};

use ffi::*;
use processes::{
    PROCESS_BASIC_INFORMATION, PROCESS_QUERY_LIMITED_INFORMATION, PS_CREATE_NOTIFY_INFO, ProcessBasicInformation,
    SYSTEM_PROCESS_INFORMATION, SystemProcessInformation,
};
use serde_json::Value;

static FACTS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../data/wdk-facts.json")).expect("wdk-facts.json is JSON"));

/// Offset of each member of a structure, as the headers have it.
fn offsets(structure: &str) -> BTreeMap<&'static str, u64> {
    FACTS["structs"][structure]["fields"]
        .as_array()
        .unwrap_or_else(|| panic!("the facts have no structure {structure}"))
        .iter()
        .map(|field| (field["name"].as_str().expect("name"), field["offset"].as_u64().expect("offset")))
        .collect()
}

/// A named number, from whichever group of constants or enumerations has it.
fn number(name: &str) -> u64 {
    let constants = FACTS["constants"].as_object().expect("constants").values().map(|group| &group[name]["value"]);
    let enums =
        FACTS["enums"].as_object().expect("enums").values().map(|enumeration| &enumeration["enumerators"][name]);
    constants.chain(enums).find_map(Value::as_u64).unwrap_or_else(|| panic!("the facts have no number {name}"))
}

fn text(guid: GUID) -> String {
    let data4 = u64::from_be_bytes(guid.Data4);
    let (clock, node) = (data4 >> 48, data4 & 0xffff_ffff_ffff);
    format!("{:08x}-{:04x}-{:04x}-{clock:04x}-{node:012x}", guid.Data1, guid.Data2, guid.Data3)
}

macro_rules! assert_offsets {
    ($structure:ident: $($field:ident)*) => {{
        let facts = offsets(stringify!($structure));
        $(
            let name = stringify!($field).trim_start_matches("r#");
            assert_eq!(
                Some(&(offset_of!($structure, $field) as u64)),
                facts.get(name),
                concat!("offset of ", stringify!($structure), "::", stringify!($field))
            );
        )*
    }};
}

macro_rules! assert_layout {
    ($structure:ident: $($field:ident)*) => {{
        assert_offsets!($structure: $($field)*);
        assert_eq!(
            Some(size_of::<$structure>() as u64),
            FACTS["structs"][stringify!($structure)]["size"].as_u64(),
            concat!("size of ", stringify!($structure))
        );
    }};
}

macro_rules! assert_numbers {
    ($($name:ident)*) => {{ $( assert_eq!(u64::from($name), number(stringify!($name)), stringify!($name)); )* }};
}

macro_rules! assert_guids {
    ($($name:ident)*) => {{
        $( assert_eq!(Some(text($name).as_str()), FACTS["guids"][stringify!($name)].as_str(), stringify!($name)); )*
    }};
}

#[test]
fn structures_passed_to_windows_have_the_headers_layout() {
    assert_layout!(GUID: Data1 Data2 Data3 Data4);
    assert_layout!(FWP_BYTE_BLOB: size data);
    assert_layout!(FWPS_CALLOUT2: calloutKey flags classifyFn notifyFn flowDeleteFn);
    assert_layout!(FWPM_DISPLAY_DATA0: name description);
    assert_layout!(FWPM_SESSION0: sessionKey displayData flags txnWaitTimeoutInMSec processId sid username kernelMode);
    assert_layout!(FWPM_PROVIDER0: providerKey displayData flags providerData serviceName);
    assert_layout!(FWPM_SUBLAYER0: subLayerKey displayData flags providerKey providerData weight);
    assert_layout!(FWPM_CALLOUT0: calloutKey displayData flags providerKey providerData applicableLayer calloutId);
    assert_layout!(FWPM_ACTION0: r#type calloutKey);
    assert_layout!(FWPM_FILTER0: filterKey displayData flags providerKey providerData layerKey subLayerKey weight
        numFilterConditions filterCondition action rawContext reserved filterId effectiveWeight);
}

#[test]
fn structures_read_from_windows_have_the_headers_layout() {
    assert_layout!(FWP_VALUE0: r#type);
    assert_eq!(Some(&(offset_of!(FWP_VALUE0, value) as u64)), offsets("FWP_VALUE0").get("byteArray16"));
    assert_layout!(FWPS_INCOMING_VALUES0: layerId valueCount incomingValue);
    assert_layout!(FWPS_CLASSIFY_OUT0: actionType outContext filterId rights flags reserved);
}

#[test]
fn an_incoming_value_is_a_bare_value() {
    assert_eq!(FACTS["structs"]["FWPS_INCOMING_VALUE0"]["size"].as_u64(), Some(size_of::<FWP_VALUE0>() as u64));
}

#[test]
fn prefixes_have_the_headers_offsets() {
    assert_offsets!(FWPS_INCOMING_METADATA_VALUES0: currentMetadataValues flags reserved discardMetadata flowHandle
        ipHeaderSize transportHeaderSize processPath token processId sourceInterfaceIndex destinationInterfaceIndex
        compartmentId subProcessTag);
    assert_offsets!(NET_BUFFER: Next CurrentMdl CurrentMdlOffset DataLength);
    assert_offsets!(NET_BUFFER_LIST: Next FirstNetBuffer);
}

#[test]
fn what_is_told_of_processes_has_the_layout_of_headers_and_pages() {
    assert_offsets!(PS_CREATE_NOTIFY_INFO: Size Flags ParentProcessId);
    assert_offsets!(SYSTEM_PROCESS_INFORMATION: NextEntryOffset NumberOfThreads Reserved1 Reserved2 UniqueProcessId);
    assert_layout!(PROCESS_BASIC_INFORMATION: ExitStatus PebBaseAddress AffinityMask BasePriority UniqueProcessId
        InheritedFromUniqueProcessId);
    assert_numbers!(SystemProcessInformation ProcessBasicInformation PROCESS_QUERY_LIMITED_INFORMATION);
}

#[test]
fn numbers_are_the_headers() {
    assert_numbers!(FWP_EMPTY FWP_UINT8 FWP_UINT16 FWP_UINT32 FWP_BYTE_ARRAY16_TYPE FWP_SID
        FWPS_METADATA_FIELD_FLOW_HANDLE FWPS_METADATA_FIELD_PROCESS_PATH FWPS_METADATA_FIELD_PROCESS_ID
        FWPS_METADATA_FIELD_TRANSPORT_HEADER_SIZE FWPS_METADATA_FIELD_COMPARTMENT_ID FWPS_METADATA_FIELD_SUB_PROCESS_TAG
        FWP_ACTION_BLOCK FWP_ACTION_CONTINUE FWP_ACTION_CALLOUT_INSPECTION FWPS_RIGHT_ACTION_WRITE
        FWP_CALLOUT_FLAG_CONDITIONAL_ON_FLOW FWP_CALLOUT_FLAG_ALLOW_OFFLOAD FWP_CALLOUT_FLAG_ALLOW_RSC
        RPC_C_AUTHN_WINNT FWP_CONDITION_FLAG_IS_REAUTHORIZE FWPM_SERVICE_RUNNING);
}

#[test]
fn layers_have_the_headers_numbers() {
    assert_numbers!(FWPS_LAYER_INBOUND_TRANSPORT_V4 FWPS_LAYER_INBOUND_TRANSPORT_V6
        FWPS_LAYER_OUTBOUND_TRANSPORT_V4 FWPS_LAYER_OUTBOUND_TRANSPORT_V6
        FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V4 FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V6
        FWPS_LAYER_ALE_AUTH_CONNECT_V4 FWPS_LAYER_ALE_AUTH_CONNECT_V6);
}

#[test]
fn layers_have_the_headers_guids() {
    assert_guids!(FWPM_LAYER_INBOUND_TRANSPORT_V4 FWPM_LAYER_INBOUND_TRANSPORT_V6
        FWPM_LAYER_OUTBOUND_TRANSPORT_V4 FWPM_LAYER_OUTBOUND_TRANSPORT_V6
        FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4 FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V6
        FWPM_LAYER_ALE_AUTH_CONNECT_V4 FWPM_LAYER_ALE_AUTH_CONNECT_V6);
}

#[test]
fn fields_have_the_headers_indices() {
    assert_numbers!(FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_ADDRESS FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_PORT
        FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_PROTOCOL FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_ADDRESS
        FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_PORT FWPS_FIELD_ALE_AUTH_CONNECT_V4_FLAGS
        FWPS_FIELD_ALE_AUTH_CONNECT_V4_INTERFACE_INDEX FWPS_FIELD_ALE_AUTH_CONNECT_V4_ALE_PACKAGE_ID
        FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_FLAGS FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_INTERFACE_INDEX
        FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_ALE_PACKAGE_ID);
}

#[test]
fn the_four_layers_agree_on_the_fields_of_a_tag_but_the_flags() {
    for field in ["IP_LOCAL_ADDRESS", "IP_LOCAL_PORT", "IP_PROTOCOL", "IP_REMOTE_ADDRESS", "IP_REMOTE_PORT"] {
        let expected = number(&format!("FWPS_FIELD_ALE_AUTH_CONNECT_V4_{field}"));
        for layer in ["CONNECT_V6", "RECV_ACCEPT_V4", "RECV_ACCEPT_V6"] {
            assert_eq!(number(&format!("FWPS_FIELD_ALE_AUTH_{layer}_{field}")), expected, "{layer} {field}");
        }
    }
}

#[test]
fn flags_interface_and_package_do_not_depend_on_the_family() {
    for layer in ["CONNECT", "RECV_ACCEPT"] {
        for field in ["FLAGS", "INTERFACE_INDEX", "ALE_PACKAGE_ID"] {
            assert_eq!(
                number(&format!("FWPS_FIELD_ALE_AUTH_{layer}_V4_{field}")),
                number(&format!("FWPS_FIELD_ALE_AUTH_{layer}_V6_{field}"))
            );
        }
    }
}
