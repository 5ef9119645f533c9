//! The engine's structures and numbers against the facts.

use std::mem::offset_of;

use serde_json::Value;

use super::*;

fn facts() -> Value {
    serde_json::from_str(include_str!("../../../tests/data/wdk-facts.json")).expect("the facts are JSON")
}

/// Offset of a member, or the size of the whole when `member` is empty.
fn fact(structure: &str, member: &str) -> u64 {
    let facts = facts();
    let structure = &facts["structs"][structure];
    if member.is_empty() {
        return structure["size"].as_u64().expect("a size");
    }
    let members = structure["fields"].as_array().expect("fields");
    let member = members.iter().find(|field| field["name"] == member).expect("the member exists");
    member["offset"].as_u64().expect("an offset")
}

/// One test for each structure: its size, and the offset of every member that the engine reads or fills.
macro_rules! layout {
    ($test:ident: $ours:ident = $theirs:literal { $($member:ident = $their_member:literal,)* }) => {
        #[test]
        fn $test() {
            assert_eq!(size_of::<$ours>() as u64, fact($theirs, ""), "size");
            $(assert_eq!(offset_of!($ours, $member) as u64, fact($theirs, $their_member), $their_member);)*
        }
    };
}

layout!(callout_has_the_documented_layout: FwpsCallout = "FWPS_CALLOUT2" {
    callout_key = "calloutKey", flags = "flags", classify_fn = "classifyFn", notify_fn = "notifyFn",
    flow_delete_fn = "flowDeleteFn",
});
layout!(classify_out_has_the_documented_layout: FwpsClassifyOut = "FWPS_CLASSIFY_OUT0" {
    action_type = "actionType", out_context = "outContext", filter_id = "filterId", rights = "rights", flags = "flags",
    reserved = "reserved",
});
layout!(value_has_the_documented_layout: FwpValue = "FWP_VALUE0" { value_type = "type", value = "uint32", });
layout!(byte_blob_has_the_documented_layout: FwpByteBlob = "FWP_BYTE_BLOB" { size = "size", data = "data", });
layout!(incoming_values_have_the_documented_layout: FwpsIncomingValues = "FWPS_INCOMING_VALUES0" {
    layer_id = "layerId", value_count = "valueCount", incoming_value = "incomingValue",
});
layout!(metadata_has_the_documented_layout: FwpsIncomingMetadataValues = "FWPS_INCOMING_METADATA_VALUES0" {
    current_metadata_values = "currentMetadataValues", flags = "flags", flow_handle = "flowHandle",
    ip_header_size = "ipHeaderSize", transport_header_size = "transportHeaderSize", process_path = "processPath",
    token = "token", process_id = "processId", compartment_id = "compartmentId",
    transport_endpoint_handle = "transportEndpointHandle", packet_direction = "packetDirection",
    parent_endpoint_handle = "parentEndpointHandle", icmp_id_and_sequence = "icmpIdAndSequence",
    sub_process_tag = "subProcessTag", reserved1 = "reserved1",
});
layout!(filter_has_the_documented_layout: FwpsFilter = "FWPS_FILTER2" {
    filter_id = "filterId", weight = "weight", sub_layer_weight = "subLayerWeight", flags = "flags",
    num_filter_conditions = "numFilterConditions", filter_condition = "filterCondition", action_type = "action",
    context = "context", provider_context = "providerContext",
});
layout!(session_has_the_documented_layout: FwpmSession = "FWPM_SESSION0" {
    session_key = "sessionKey", name = "displayData", flags = "flags",
    txn_wait_timeout_in_msec = "txnWaitTimeoutInMSec", process_id = "processId", sid = "sid", username = "username",
    kernel_mode = "kernelMode",
});
layout!(sublayer_has_the_documented_layout: FwpmSubLayer = "FWPM_SUBLAYER0" {
    sub_layer_key = "subLayerKey", name = "displayData", flags = "flags", provider_key = "providerKey",
    provider_data = "providerData", weight = "weight",
});
layout!(managed_callout_has_the_documented_layout: FwpmCallout = "FWPM_CALLOUT0" {
    callout_key = "calloutKey", name = "displayData", flags = "flags", provider_key = "providerKey",
    provider_data = "providerData", applicable_layer = "applicableLayer", callout_id = "calloutId",
});
layout!(managed_filter_has_the_documented_layout: FwpmFilter = "FWPM_FILTER0" {
    filter_key = "filterKey", name = "displayData", flags = "flags", provider_key = "providerKey",
    provider_data = "providerData", layer_key = "layerKey", sub_layer_key = "subLayerKey", weight = "weight",
    num_filter_conditions = "numFilterConditions", filter_condition = "filterCondition", action_type = "action",
    raw_context = "rawContext", reserved = "reserved", filter_id = "filterId", effective_weight = "effectiveWeight",
});
layout!(net_buffer_list_has_the_documented_layout: NetBufferList = "NET_BUFFER_LIST" {
    next = "Next", first_net_buffer = "FirstNetBuffer", context = "Context",
    parent_net_buffer_list = "ParentNetBufferList", nbl_flags = "NblFlags", child_ref_count = "ChildRefCount",
    flags = "Flags", status = "Status", net_buffer_list_info = "NetBufferListInfo",
});
layout!(net_buffer_has_the_documented_layout: NetBuffer = "NET_BUFFER" {
    next = "Next", current_mdl = "CurrentMdl", current_mdl_offset = "CurrentMdlOffset", data_length = "DataLength",
    mdl_chain = "MdlChain", data_offset = "DataOffset", checksum_bias = "ChecksumBias",
});
layout!(mdl_has_the_documented_layout: Mdl = "MDL" {
    next = "Next", size = "Size", mdl_flags = "MdlFlags", mapped_system_va = "MappedSystemVa", start_va = "StartVa",
    byte_count = "ByteCount", byte_offset = "ByteOffset",
});

#[test]
fn action_callout_key_lies_where_the_action_has_it() {
    let within_action = offset_of!(FwpmFilter, action_callout_key) - offset_of!(FwpmFilter, action_type);
    assert_eq!(within_action as u64, fact("FWPM_ACTION0", "calloutKey"));
}

#[test]
fn callout_id_lies_where_the_action_has_it() {
    let within_action = offset_of!(FwpsFilter, callout_id) - offset_of!(FwpsFilter, action_type);
    assert_eq!(within_action as u64, fact("FWPS_ACTION0", "calloutId"));
}

#[test]
fn constants_have_the_documented_values() {
    let facts = facts();
    for (group, name, ours) in [
        ("fwp_actions", "FWP_ACTION_BLOCK", action::BLOCK),
        ("fwp_actions", "FWP_ACTION_PERMIT", action::PERMIT),
        ("fwp_actions", "FWP_ACTION_CALLOUT_TERMINATING", action::CALLOUT_TERMINATING),
        ("fwp_actions", "FWP_ACTION_CALLOUT_INSPECTION", action::CALLOUT_INSPECTION),
        ("fwp_actions", "FWP_ACTION_CALLOUT_UNKNOWN", action::CALLOUT_UNKNOWN),
        ("fwp_actions", "FWP_ACTION_CONTINUE", action::CONTINUE),
        ("fwp_actions", "FWP_ACTION_NONE", action::NONE),
        ("fwps_rights_and_filter_flags", "FWPS_RIGHT_ACTION_WRITE", RIGHT_ACTION_WRITE),
        ("fwps_metadata_fields", "FWPS_METADATA_FIELD_FLOW_HANDLE", metadata::FLOW_HANDLE),
        ("fwps_metadata_fields", "FWPS_METADATA_FIELD_IP_HEADER_SIZE", metadata::IP_HEADER_SIZE),
        ("fwps_metadata_fields", "FWPS_METADATA_FIELD_PROCESS_PATH", metadata::PROCESS_PATH),
        ("fwps_metadata_fields", "FWPS_METADATA_FIELD_PROCESS_ID", metadata::PROCESS_ID),
        ("fwps_metadata_fields", "FWPS_METADATA_FIELD_TRANSPORT_HEADER_SIZE", metadata::TRANSPORT_HEADER_SIZE),
        ("fwps_metadata_fields", "FWPS_METADATA_FIELD_COMPARTMENT_ID", metadata::COMPARTMENT_ID),
        ("fwps_metadata_fields", "FWPS_METADATA_FIELD_TRANSPORT_ENDPOINT_HANDLE", metadata::TRANSPORT_ENDPOINT_HANDLE),
        ("fwps_metadata_fields", "FWPS_METADATA_FIELD_PACKET_DIRECTION", metadata::PACKET_DIRECTION),
        ("fwp_misc", "FWP_CONDITION_FLAG_IS_LOOPBACK", condition_flag::IS_LOOPBACK),
        ("fwp_misc", "FWP_CONDITION_FLAG_IS_REAUTHORIZE", condition_flag::IS_REAUTHORIZE),
        ("fwp_misc", "FWP_CONDITION_REAUTHORIZE_REASON_POLICY_CHANGE", REAUTHORIZE_REASON_POLICY_CHANGE),
        ("fwp_callout_flags", "FWP_CALLOUT_FLAG_CONDITIONAL_ON_FLOW", callout_flag::CONDITIONAL_ON_FLOW),
        ("fwp_callout_flags", "FWP_CALLOUT_FLAG_ENABLE_COMMIT_ADD_NOTIFY", callout_flag::ENABLE_COMMIT_ADD_NOTIFY),
        ("fwpm_flags", "FWPM_FILTER_FLAG_PERMIT_IF_CALLOUT_UNREGISTERED", FILTER_FLAG_PERMIT_IF_CALLOUT_UNREGISTERED),
        ("fwpm_flags", "FWPM_SESSION_FLAG_DYNAMIC", SESSION_FLAG_DYNAMIC),
        ("fwpm_flags", "FWPM_TXN_READ_ONLY", TXN_READ_ONLY),
    ] {
        assert_eq!(facts["constants"][group][name]["value"], u64::from(ours), "{name}");
    }
}

#[test]
fn enumerators_have_the_documented_values() {
    let facts = facts();
    for (group, name, ours) in [
        ("FWP_DATA_TYPE", "FWP_EMPTY", u64::from(data_type::EMPTY)),
        ("FWP_DATA_TYPE", "FWP_UINT8", u64::from(data_type::UINT8)),
        ("FWP_DATA_TYPE", "FWP_UINT16", u64::from(data_type::UINT16)),
        ("FWP_DATA_TYPE", "FWP_UINT32", u64::from(data_type::UINT32)),
        ("FWP_DATA_TYPE", "FWP_UINT64", u64::from(data_type::UINT64)),
        ("FWP_DATA_TYPE", "FWP_BYTE_ARRAY16_TYPE", u64::from(data_type::BYTE_ARRAY16)),
        ("FWP_DATA_TYPE", "FWP_BYTE_BLOB_TYPE", u64::from(data_type::BYTE_BLOB)),
        ("FWPS_CALLOUT_NOTIFY_TYPE", "FWPS_CALLOUT_NOTIFY_ADD_FILTER", notify::ADD_FILTER),
        ("FWPS_CALLOUT_NOTIFY_TYPE", "FWPS_CALLOUT_NOTIFY_DELETE_FILTER", notify::DELETE_FILTER),
        ("FWPS_CALLOUT_NOTIFY_TYPE", "FWPS_CALLOUT_NOTIFY_ADD_FILTER_POST_COMMIT", notify::ADD_FILTER_POST_COMMIT),
    ] {
        assert_eq!(facts["enums"][group]["enumerators"][name], ours, "{name}");
    }
}

#[test]
fn statuses_have_the_documented_values() {
    use crate::wfp::status;
    let facts = facts();
    for (name, ours) in [
        ("STATUS_SUCCESS", status::SUCCESS),
        ("STATUS_PENDING", status::PENDING),
        ("STATUS_OBJECT_NAME_EXISTS", status::OBJECT_NAME_EXISTS),
        ("STATUS_DEVICE_BUSY", status::DEVICE_BUSY),
        ("STATUS_UNSUCCESSFUL", status::UNSUCCESSFUL),
        ("STATUS_INVALID_HANDLE", status::INVALID_HANDLE),
        ("STATUS_INVALID_PARAMETER", status::INVALID_PARAMETER),
        ("STATUS_NO_MEMORY", status::NO_MEMORY),
        ("STATUS_INSUFFICIENT_RESOURCES", status::INSUFFICIENT_RESOURCES),
        ("STATUS_NOT_SUPPORTED", status::NOT_SUPPORTED),
        ("STATUS_NOT_FOUND", status::NOT_FOUND),
    ] {
        assert_eq!(facts["constants"]["status"][name]["value"], u64::from(ours), "{name}");
    }
    for (name, ours) in [
        ("STATUS_FWP_CALLOUT_NOT_FOUND", status::FWP_CALLOUT_NOT_FOUND),
        ("STATUS_FWP_LAYER_NOT_FOUND", status::FWP_LAYER_NOT_FOUND),
        ("STATUS_FWP_SUBLAYER_NOT_FOUND", status::FWP_SUBLAYER_NOT_FOUND),
        ("STATUS_FWP_ALREADY_EXISTS", status::FWP_ALREADY_EXISTS),
        ("STATUS_FWP_IN_USE", status::FWP_IN_USE),
        ("STATUS_FWP_NO_TXN_IN_PROGRESS", status::FWP_NO_TXN_IN_PROGRESS),
        ("STATUS_FWP_TXN_IN_PROGRESS", status::FWP_TXN_IN_PROGRESS),
        ("STATUS_FWP_TXN_ABORTED", status::FWP_TXN_ABORTED),
        ("STATUS_FWP_SESSION_ABORTED", status::FWP_SESSION_ABORTED),
        ("STATUS_FWP_INCOMPATIBLE_TXN", status::FWP_INCOMPATIBLE_TXN),
        ("STATUS_FWP_TIMEOUT", status::FWP_TIMEOUT),
        ("STATUS_FWP_INCOMPATIBLE_LAYER", status::FWP_INCOMPATIBLE_LAYER),
        ("STATUS_FWP_LIFETIME_MISMATCH", status::FWP_LIFETIME_MISMATCH),
        ("STATUS_FWP_NULL_DISPLAY_NAME", status::FWP_NULL_DISPLAY_NAME),
        ("STATUS_FWP_INVALID_ACTION_TYPE", status::FWP_INVALID_ACTION_TYPE),
        ("STATUS_FWP_INVALID_WEIGHT", status::FWP_INVALID_WEIGHT),
        ("STATUS_FWP_CALLOUT_NOTIFICATION_FAILED", status::FWP_CALLOUT_NOTIFICATION_FAILED),
        ("STATUS_FWP_TCPIP_NOT_READY", status::FWP_TCPIP_NOT_READY),
    ] {
        assert_eq!(facts["constants"]["status_fwp"][name]["value"], u64::from(ours), "{name}");
    }
}
