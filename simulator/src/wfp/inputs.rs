//! What becomes of everything that a driver passes to the filtering platform.
//!
//! *Win32* is the page of the structure in the WFP guide of the SDK, or of the function's twin for programs.

use super::{abi::Guid, layer::Layer};
use crate::computer::{Input, argument, field};

const LAYERS: &str = "fwpmu.h, FWPM_LAYER_*: those that have a model";
const LAYER_IDS: &str = "fwpsk.h, FWPS_BUILTIN_LAYERS: those that have a model";
const NO_BYTES: &str =
    "Win32 FWP_BYTE_BLOB: its size; bytes would be copied and kept for the provider, which has no model";
const SHOWN: &str = "Win32: shown to people";
const RETURNED: &str = "Win32: filled in by the engine when the object is read";
const NO_DESCRIPTOR: &str = "DDI: NULL, the descriptor that everybody inherits; no access is checked here";
const PROVIDER: &str = "wfp::policy::tests::an_object_needs_the_provider_that_it_names";

/// The keys of all layers, and their run-time ids.
const LAYER_KEYS: [u128; Layer::ALL.len()] = {
    let mut keys = [0; Layer::ALL.len()];
    let mut n = 0;
    while n < keys.len() {
        keys[n] = Layer::ALL[n].key().number();
        n += 1;
    }
    keys
};
const IDS: [u64; Layer::ALL.len()] = {
    let mut ids = [0; Layer::ALL.len()];
    let mut n = 0;
    while n < ids.len() {
        ids[n] = Layer::ALL[n].id() as u64;
        n += 1;
    }
    ids
};

impl Guid {
    /// Its bytes as one number.
    const fn number(self) -> u128 {
        let Self { data1, data2, data3, data4 } = self;
        let low = data1 as u64 | (data2 as u64) << 32 | (data3 as u64) << 48;
        low as u128 | (u64::from_le_bytes(data4) as u128) << 64
    }
}

const ENGINE: Input = argument(0, "engineHandle").used("wfp::tests::inputs::each_session_sees_its_own_transaction");
const SD_2: Input = argument(2, "sd").values(8, &[0], NO_DESCRIPTOR);

pub(super) const SESSION_ONLY: &[Input] = &[ENGINE];

pub(super) const ENGINE_OPEN: &[Input] = &[
    argument(0, "serverName").values(8, &[0], "DDI FwpmEngineOpen0: callout drivers must pass NULL"),
    argument(1, "authnService").values(
        4,
        &[10, 0xFFFF_FFFF],
        "DDI FwpmEngineOpen0: one of these two, for callout drivers",
    ),
    argument(2, "authIdentity").ignored("DDI FwpmEngineOpen0: ignored when a callout driver calls"),
    field(3, 0, "session.sessionKey").ignored("Win32 FWPM_SESSION0: names the session, for who lists sessions"),
    field(3, 16, "session.displayData.name").ignored(SHOWN),
    field(3, 24, "session.displayData.description").ignored(SHOWN),
    field(3, 32, "session.flags").flags(4, 1, "Win32 FWPM_SESSION0: FWPM_SESSION_FLAG_DYNAMIC"),
    field(3, 36, "session.txnWaitTimeoutInMSec")
        .guess("a second session that wants to write is told FWP_TIMEOUT at once"),
    field(3, 40, "session.processId").ignored(RETURNED),
    field(3, 48, "session.sid").ignored(RETURNED),
    field(3, 56, "session.username").ignored(RETURNED),
    field(3, 64, "session.kernelMode").ignored(RETURNED),
    argument(4, "engineHandle").used("wfp::tests::inputs::each_session_sees_its_own_transaction"),
];

pub(super) const TRANSACTION_BEGIN: &[Input] =
    &[ENGINE, argument(1, "flags").flags(4, 1, "Win32 FwpmTransactionBegin0: FWPM_TXN_READ_ONLY")];

pub(super) const SUBLAYER_ADD: &[Input] = &[
    ENGINE,
    field(1, 0, "subLayer.subLayerKey").used("wfp::policy::tests::a_sublayer_key_is_used_once"),
    field(1, 16, "subLayer.displayData.name").used("wfp::tests::managing::a_sublayer_needs_a_name"),
    field(1, 24, "subLayer.displayData.description").ignored(SHOWN),
    field(1, 32, "subLayer.flags").flags(4, 0, "Win32 FWPM_SUBLAYER0; what outlives a restart has no model"),
    field(1, 40, "subLayer.providerKey").used(PROVIDER),
    field(1, 48, "subLayer.providerData.size").values(4, &[0], NO_BYTES),
    field(1, 48 + 8, "subLayer.providerData.data").ignored(NO_BYTES),
    field(1, 64, "subLayer.weight").used("wfp::policy::tests::heavy_sublayers_are_evaluated_first"),
    SD_2,
];

pub(super) const CALLOUT_ADD: &[Input] = &[
    ENGINE,
    field(1, 0, "callout.calloutKey").used("wfp::policy::tests::a_callout_key_is_used_once"),
    field(1, 16, "callout.displayData.name").used("wfp::tests::inputs::a_callout_and_a_filter_need_a_name"),
    field(1, 24, "callout.displayData.description").ignored(SHOWN),
    field(1, 32, "callout.flags").flags(
        4,
        0,
        "Win32 FWPM_CALLOUT0; what outlives a restart, and provider contexts, have no model",
    ),
    field(1, 40, "callout.providerKey").used(PROVIDER),
    field(1, 48, "callout.providerData.size").values(4, &[0], NO_BYTES),
    field(1, 48 + 8, "callout.providerData.data").ignored(NO_BYTES),
    field(1, 64, "callout.applicableLayer").keys(&LAYER_KEYS, LAYERS),
    field(1, 80, "callout.calloutId").ignored(RETURNED),
    SD_2,
    argument(3, "id").used("wfp::tests::inputs::the_ids_of_what_is_added_are_told"),
];

pub(super) const FILTER_ADD: &[Input] = &[
    ENGINE,
    field(1, 0, "filter.filterKey").used("wfp::policy::tests::a_filter_key_is_used_once"),
    field(1, 16, "filter.displayData.name").used("wfp::tests::inputs::a_callout_and_a_filter_need_a_name"),
    field(1, 24, "filter.displayData.description").ignored(SHOWN),
    field(1, 32, "filter.flags").flags(4, 0x10, "Win32 FWPM_FILTER0: FWPM_FILTER_FLAG_PERMIT_IF_CALLOUT_UNREGISTERED"),
    field(1, 40, "filter.providerKey").used(PROVIDER),
    field(1, 48, "filter.providerData.size").values(4, &[0], NO_BYTES),
    field(1, 48 + 8, "filter.providerData.data").ignored(NO_BYTES),
    field(1, 64, "filter.layerKey").keys(&LAYER_KEYS, LAYERS),
    field(1, 80, "filter.subLayerKey").used("wfp::policy::tests::a_filter_needs_its_sublayer"),
    field(1, 96, "filter.weight.type").values(4, &[0, 1, 4], "Win32 FWPM_FILTER0: FWP_EMPTY, FWP_UINT8, FWP_UINT64"),
    field(1, 104, "filter.weight (the rest)")
        .used("wfp::tests::inputs::the_heavier_filter_of_a_sublayer_is_asked_first"),
    field(1, 112, "filter.numFilterConditions").values(
        4,
        &[0],
        "Win32 FWPM_FILTER0: without conditions it matches all",
    ),
    field(1, 120, "filter.filterCondition").ignored("Win32 FWPM_FILTER0: of numFilterConditions, which is 0"),
    field(1, 128, "filter.action.type")
        .refused("wfp::tests::managing::a_filter_needs_an_action_that_exists", "Win32: FWP_E_INVALID_ACTION_TYPE"),
    field(1, 132, "filter.action.filterType").ignored("Win32 FWPM_ACTION0: means nothing for callouts"),
    field(1, 132, "filter.action.calloutKey").used("wfp::policy::tests::a_filter_needs_its_callout"),
    field(1, 132, "filter.action.bitmapIndex").ignored("fwpmtypes.h: of an action that is refused"),
    field(1, 152, "filter.rawContext").used("wfp::tests::inputs::a_filters_context_is_told_to_its_callout"),
    field(1, 152, "filter.providerContextKey")
        .ignored("Win32 FWPM_FILTER0: only with FWPM_FILTER_FLAG_HAS_PROVIDER_CONTEXT, which has no model"),
    field(1, 168, "filter.reserved").values(8, &[0], "Win32 FWPM_FILTER0: reserved"),
    field(1, 176, "filter.filterId").ignored(RETURNED),
    field(1, 184, "filter.effectiveWeight").ignored(RETURNED),
    SD_2,
    argument(3, "id").used("wfp::tests::inputs::the_ids_of_what_is_added_are_told"),
];

pub(super) const PROVIDER_ADD: &[Input] = &[
    ENGINE,
    field(1, 0, "provider.providerKey")
        .used("wfp::tests::for_other_drivers::a_provider_is_added_once_and_goes_with_its_session"),
    field(1, 16, "provider.displayData.name").used("wfp::tests::inputs::a_provider_needs_a_name"),
    field(1, 24, "provider.displayData.description").ignored(SHOWN),
    field(1, 32, "provider.flags").flags(4, 0, "Win32 FWPM_PROVIDER0; what outlives a restart has no model"),
    field(1, 40, "provider.providerData.size").values(4, &[0], NO_BYTES),
    field(1, 40 + 8, "provider.providerData.data").ignored(NO_BYTES),
    field(1, 56, "provider.serviceName").ignored("Win32 FWPM_PROVIDER0: for who lists providers"),
    SD_2,
];

pub(super) const DELETE_BY_KEY: &[Input] =
    &[ENGINE, argument(1, "key").used("wfp::tests::for_other_drivers::what_is_not_there_cannot_be_deleted")];

pub(super) const CALLOUT_REGISTER: &[Input] = &[
    argument(0, "deviceObject").used(
        "wfp::tests::one_build::what_is_no_device_object_of_the_machine_stops_it_when_a_callout_is_registered_for_it",
    ),
    field(1, 0, "callout.calloutKey").used("wfp::callout::tests::a_key_is_registered_once"),
    field(1, 16, "callout.flags").flags(
        4,
        0x347,
        "DDI FWPS_CALLOUT2; fwptypes.h of the kit 19041 for the last two. Nothing is offloaded or coalesced here, so that to \
         allow it (0x342) changes nothing",
    ),
    field(1, 24, "callout.classifyFn").used("wfp::callout::tests::a_callout_without_classify_function_is_refused"),
    field(1, 32, "callout.notifyFn").used("wfp::tests::managing::a_callout_hears_of_a_new_filter"),
    field(1, 40, "callout.flowDeleteFn").used("wfp::tests::contexts::a_callout_without_delete_function_is_refused_a_context"),
    argument(2, "calloutId").used("wfp::tests::inputs::the_ids_of_what_is_added_are_told"),
];

pub(super) const UNREGISTER_BY_ID: &[Input] =
    &[argument(0, "calloutId").used("wfp::callout::tests::an_unknown_callout_cannot_be_unregistered")];

pub(super) const UNREGISTER_BY_KEY: &[Input] =
    &[argument(0, "calloutKey").used("wfp::tests::inputs::a_callout_is_unregistered_by_its_key")];

pub(super) const ASSOCIATE: &[Input] = &[
    argument(0, "flowId").used("wfp::tests::contexts::an_unknown_flow_answers_not_found"),
    argument(1, "layerId").values(2, &IDS, LAYER_IDS),
    argument(2, "calloutId").used("wfp::tests::contexts::a_callout_without_delete_function_is_refused_a_context"),
    argument(3, "flowContext").used("wfp::tests::contexts::a_context_without_a_value_is_refused"),
];

pub(super) const REMOVE: &[Input] = &[
    argument(0, "flowId").used("wfp::tests::contexts::removing_without_a_context_is_unsuccessful"),
    argument(1, "layerId").values(2, &IDS, LAYER_IDS),
    argument(2, "calloutId").used("wfp::tests::inputs::a_context_is_removed_for_its_own_callout_only"),
];

pub(super) const INJECTION_HANDLE_CREATE: &[Input] = &[
    argument(0, "addressFamily").values(2, &[0, 2, 23], "DDI FwpsInjectionHandleCreate0: AF_UNSPEC, AF_INET, AF_INET6"),
    argument(1, "flags").flags(
        4,
        0x3F,
        "fwpsk.h, FWPS_INJECTION_TYPE_*; each function that injects stops the machine by its name",
    ),
    argument(2, "injectionHandle").used("wfp::tests::for_other_drivers::an_injection_handle_is_destroyed_once"),
];

pub(super) const INJECTION_HANDLE_DESTROY: &[Input] =
    &[argument(0, "injectionHandle").used("wfp::tests::for_other_drivers::an_injection_handle_is_destroyed_once")];

pub(super) const BFE_STATE_SUBSCRIBE: &[Input] = &[
    argument(0, "deviceObject")
        .used("wfp::tests::bfe_state::subscribing_for_what_is_no_device_object_stops_the_machine"),
    argument(1, "callback").used("wfp::tests::bfe_state::a_subscriber_hears_of_every_state_of_a_restart"),
    argument(2, "context")
        .used("wfp::tests::bfe_state::a_change_is_told_at_passive_level_with_the_subscribers_context"),
    argument(3, "changeHandle").used("wfp::tests::bfe_state::a_handle_ends_its_own_subscription_once"),
];

pub(super) const BFE_STATE_UNSUBSCRIBE: &[Input] =
    &[argument(0, "changeHandle").used("wfp::tests::bfe_state::a_handle_ends_its_own_subscription_once")];
