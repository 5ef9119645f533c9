//! Where everything that a callout is told comes from.

use crate::computer::{
    Handed,
    handed::{cited, guessed},
};

const VALUES: &str = "FWPS_INCOMING_VALUES0";
const FIELD: &str = "value of a layer's field";
const METADATA: &str = "FWPS_INCOMING_METADATA_VALUES0";
const OUT: &str = "FWPS_CLASSIFY_OUT0";
const FILTER: &str = "FWPS_FILTER2";
const LIST: &str = "NET_BUFFER_LIST";
const BUFFER: &str = "NET_BUFFER";
const MDL: &str = "MDL";

const BY_LAYER: &str = "WDK \"Metadata fields at each filtering layer\"";
const DDI_METADATA: &str = "DDI FWPS_INCOMING_METADATA_VALUES0";
const IDENTIFIERS: &str = "Win32 \"Filtering condition identifiers\"";
const SAMPLES: &str =
    "microsoft/Windows-driver-samples, network/trans: inspect and ddproxy turn them into network order";
const DATA: &str = "WDK \"Data offset positions\"";

/// What classifyFn, notifyFn and flowDeleteFn are told.
pub(super) const HANDED: &[Handed] = &[
    cited(VALUES, "layerId", "the run-time id of the layer", "DDI FWPS_INCOMING_VALUES0; fwpsk.h, FWPS_BUILTIN_LAYERS"),
    cited(VALUES, "valueCount", "as many as the layer has fields", "fwpsk.h of the kit 19041, FWPS_FIELDS_*_MAX"),
    cited(VALUES, "incomingValue", "the values, by FWPS_FIELDS_*", "fwpsk.h"),
    guessed(FIELD, "ALE_APP_ID", "the process path, byte for byte", "only that both name the same file is documented"),
    cited(FIELD, "IP_LOCAL_ADDRESS, IP_REMOTE_ADDRESS, IPv4", "a number in host order", SAMPLES),
    guessed(
        FIELD,
        "IP_LOCAL_ADDRESS, IP_REMOTE_ADDRESS, IPv6",
        "16 bytes in network order",
        "as all samples copy them",
    ),
    guessed(FIELD, "IP_LOCAL_ADDRESS_TYPE, IP_DESTINATION_ADDRESS_TYPE", "NlatUnicast", "no other traffic is modelled"),
    cited(FIELD, "IP_LOCAL_PORT, IP_REMOTE_PORT", "numbers in host order; of ICMP type and code", SAMPLES),
    cited(FIELD, "IP_PROTOCOL", "the protocol's number", IDENTIFIERS),
    guessed(
        FIELD,
        "IP_LOCAL_INTERFACE, INTERFACE_INDEX, SUB_INTERFACE_INDEX",
        "one interface, index 12, sub-interface 0",
        "a number of ours",
    ),
    cited(
        FIELD,
        "FLAGS",
        "IS_LOOPBACK, IS_REAUTHORIZE, IS_HONORING_POLICY_AUTHORIZE",
        "fwptypes.h, FWP_CONDITION_FLAG_*",
    ),
    cited(FIELD, "DIRECTION", "FWP_DIRECTION of the flow", IDENTIFIERS),
    guessed(
        FIELD,
        "REAUTHORIZE_REASON",
        "POLICY_CHANGE, or FWP_EMPTY",
        "changed filters are the one reason that is modelled",
    ),
    guessed(
        FIELD,
        "ALE_PACKAGE_ID",
        "the security identifier of the app container, or S-1-0-0",
        "what who is in none has is written nowhere",
    ),
    guessed(
        FIELD,
        "every other field",
        "FWP_EMPTY",
        "Windows fills more of them; tokens, user ids and profiles have no model",
    ),
    cited(METADATA, "currentMetadataValues", "what is present, of what the layer may have", BY_LAYER),
    guessed(METADATA, "flags", "0", "no page says what is in it"),
    guessed(METADATA, "reserved", "0", "reserved"),
    cited(METADATA, "discardMetadata", "0, its bit clear", "DDI: at the discard layers"),
    cited(METADATA, "flowHandle", "the flow's handle; garbage behind a clear bit", DDI_METADATA),
    cited(METADATA, "ipHeaderSize", "20 or 40, where there is a packet", DDI_METADATA),
    cited(METADATA, "transportHeaderSize", "as the packet says", DDI_METADATA),
    cited(
        METADATA,
        "processPath",
        "the path of the process that has the endpoint; garbage behind a clear bit",
        DDI_METADATA,
    ),
    cited(METADATA, "token", "0, its bit clear", BY_LAYER),
    cited(METADATA, "processId", "of the process that has the endpoint; garbage behind a clear bit", DDI_METADATA),
    cited(METADATA, "sourceInterfaceIndex", "0, its bit clear", BY_LAYER),
    cited(METADATA, "destinationInterfaceIndex", "0, its bit clear", BY_LAYER),
    guessed(METADATA, "compartmentId", "1", "the default compartment, as computers without others report it"),
    cited(METADATA, "fragmentMetadata", "0, its bit clear", "DDI: of fragments, which are not modelled"),
    guessed(METADATA, "pathMtu", "0, its bit clear", "Windows has it at some layers"),
    guessed(
        METADATA,
        "completionHandle",
        "0, its bit clear",
        "Windows has it where an operation can be pended; FwpsPendOperation0 has no model",
    ),
    guessed(METADATA, "transportEndpointHandle", "a number of the flow's own", "what number is written nowhere"),
    guessed(METADATA, "remoteScopeId", "0, its bit clear", "Windows has it at some layers"),
    guessed(METADATA, "controlData", "0, its bit clear", "Windows has it for packets with ancillary data"),
    guessed(METADATA, "controlDataLength", "0, its bit clear", "Windows has it for packets with ancillary data"),
    cited(
        METADATA,
        "packetDirection",
        "of the packet that has a flow authorized again",
        "Win32 \"ALE Reauthorization\"",
    ),
    guessed(METADATA, "headerIncludeHeader", "0, its bit clear", "of raw sockets, which are not modelled"),
    guessed(METADATA, "headerIncludeHeaderLength", "0, its bit clear", "of raw sockets, which are not modelled"),
    guessed(METADATA, "destinationPrefix", "0, its bit clear", "Windows has it at some layers"),
    guessed(METADATA, "frameLength", "0, its bit clear", "Windows has it at some layers"),
    guessed(METADATA, "parentEndpointHandle", "0, its bit clear", "Windows has it for accepted connections"),
    guessed(METADATA, "icmpIdAndSequence", "0, its bit clear", "Windows has it for ICMP"),
    guessed(
        METADATA,
        "localRedirectTargetPID",
        "0, its bit clear",
        "of redirected connections to a proxy, which are not modelled",
    ),
    guessed(
        METADATA,
        "originalDestination",
        "0, its bit clear",
        "of redirected connections to a proxy, which are not modelled",
    ),
    guessed(
        METADATA,
        "redirectRecords",
        "0, its bit clear",
        "of redirected connections to a proxy, which are not modelled",
    ),
    cited(
        METADATA,
        "currentL2MetadataValues and the layer 2 fields",
        "0",
        "DDI: at the layers of frames, which are not modelled",
    ),
    guessed(
        METADATA,
        "subProcessTag",
        "the service's tag; garbage behind a clear bit",
        "the page says \"Reserved\"; whether who is no service has the bit is written nowhere",
    ),
    guessed(METADATA, "reserved1", "0", "reserved"),
    cited("classifyFn", "layerData", "the packet, or NULL where the layer has none", "DDI FWPS_CALLOUT_CLASSIFY_FN2"),
    guessed(
        "classifyFn",
        "classifyContext",
        "NULL",
        "Windows hands over a handle that FwpsAcquireClassifyHandle0 takes, which has no model",
    ),
    cited(
        "classifyFn",
        "flowContext",
        "the context of this flow, layer and callout, or 0",
        "DDI FWPS_CALLOUT_CLASSIFY_FN2",
    ),
    guessed(
        OUT,
        "actionType",
        "what filters above have decided; a switch hides it",
        "no page says what callouts find there",
    ),
    guessed(OUT, "outContext", "0", "reserved for the system"),
    guessed(OUT, "filterId", "0", "reserved for the system"),
    cited(OUT, "rights", "FWPS_RIGHT_ACTION_WRITE, or 0 by arbitration or a switch", "Win32 \"Filter Arbitration\""),
    guessed(OUT, "flags", "0", "Windows sets FWPS_CLASSIFY_OUT_FLAG_* by itself where it likes"),
    guessed(OUT, "reserved", "0", "reserved"),
    cited(FILTER, "filterId", "the filter's id", "DDI FWPS_FILTER2"),
    guessed(
        FILTER,
        "weight",
        "FWP_UINT64: the filter's weight, or 0 where the engine chooses",
        "how the engine chooses is not modelled",
    ),
    cited(FILTER, "subLayerWeight", "the sub-layer's", "DDI FWPS_FILTER2"),
    guessed(FILTER, "flags", "0", "Windows tells FWPS_FILTER_FLAG_*"),
    cited(FILTER, "numFilterConditions", "0", "the filter has none"),
    cited(FILTER, "filterCondition", "NULL", "the filter has none"),
    cited(FILTER, "action", "its type and the callout's run-time id", "DDI FWPS_ACTION0"),
    cited(FILTER, "context", "rawContext of the filter that was added", "DDI FWPS_FILTER2"),
    cited(FILTER, "providerContext", "NULL", "the filter has none"),
    cited(LIST, "FirstNetBuffer", "the first of the packet's buffers", DATA),
    guessed(LIST, "(the rest)", "0", "Windows has pools, ownership and out-of-band data there"),
    cited(BUFFER, "Next", "the next one of the packet", DATA),
    cited(BUFFER, "DataLength", "with the transport header outbound, without it inbound", DATA),
    guessed(BUFFER, "(the rest)", "an MDL without contents; else 0", "packets have lengths and no bytes here"),
    guessed(MDL, "ByteCount", "as long as the data", "packets have lengths and no bytes here"),
    guessed(MDL, "(the rest)", "its size; else 0", "packets have lengths and no bytes here"),
    cited("notifyFn", "notifyType", "FWPS_CALLOUT_NOTIFY_TYPE", "DDI FWPS_CALLOUT_NOTIFY_FN2"),
    cited("notifyFn", "filterKey", "the filter's key; NULL for a filter that is gone", "DDI FWPS_CALLOUT_NOTIFY_FN2"),
    cited("notifyFn", "filter", "as for classifyFn", "DDI FWPS_CALLOUT_NOTIFY_FN2"),
    cited("state change callback", "context", "as it was passed", "DDI FwpmBfeStateSubscribeChanges0"),
    cited("state change callback", "newState", "FWPM_SERVICE_STATE", "DDI FwpmBfeStateSubscribeChanges0; fwpmtypes.h"),
    cited("flowDeleteFn", "layerId", "the layer of the context", "DDI FWPS_CALLOUT_FLOW_DELETE_NOTIFY_FN0"),
    cited("flowDeleteFn", "calloutId", "the callout of the context", "DDI FWPS_CALLOUT_FLOW_DELETE_NOTIFY_FN0"),
    cited("flowDeleteFn", "flowContext", "the context", "DDI FWPS_CALLOUT_FLOW_DELETE_NOTIFY_FN0"),
];
