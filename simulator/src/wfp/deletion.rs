//! Taking objects away again: `Fwpm*DeleteByKey0`; and providers, which are only names for who added what.
//!
//! DDI `FwpmCalloutDeleteByKey0`; for a sub-layer that a filter refers to Win32 "Object Management" and "WFP Error Codes".
//! Simplification: whose session an object was added in is not looked at (SDK `FwpmSubLayerDeleteByKey0`:
//! `FWP_E_WRONG_SESSION`, `FWP_E_DYNAMIC_SESSION_IN_PROGRESS`).

use super::{
    abi::Guid,
    inputs,
    management::{answer_result, change_policy, check_name, export, key_or_new},
    policy::{Policy, Provider},
    status::{self, Status},
};
use crate::computer::{Call, Export};

/// The management functions that delete, and those for providers.
pub const EXPORTS: &[Export] = &[
    export(
        "FwpmCalloutDeleteByKey0",
        &[status::FWP_CALLOUT_NOT_FOUND, status::FWP_IN_USE],
        inputs::DELETE_BY_KEY,
        |call| delete(call, Policy::remove_callout),
    ),
    export(
        "FwpmFilterDeleteByKey0",
        &[status::FWP_FILTER_NOT_FOUND, status::FWP_SESSION_ABORTED],
        inputs::DELETE_BY_KEY,
        |call| delete(call, Policy::remove_filter),
    ),
    export(
        "FwpmProviderAdd0",
        &[status::FWP_ALREADY_EXISTS, status::FWP_NULL_DISPLAY_NAME],
        inputs::PROVIDER_ADD,
        |call| answer_result(call, add_provider(call)),
    ),
    export(
        "FwpmProviderDeleteByKey0",
        &[status::FWP_PROVIDER_NOT_FOUND, status::FWP_IN_USE],
        inputs::DELETE_BY_KEY,
        |call| delete(call, Policy::remove_provider),
    ),
    export(
        "FwpmSubLayerDeleteByKey0",
        &[status::FWP_SUBLAYER_NOT_FOUND, status::FWP_IN_USE],
        inputs::DELETE_BY_KEY,
        |call| delete(call, Policy::remove_sublayer),
    ),
];

/// Has `remove` take away the object whose key argument 1 points at, as session argument 0 sees it.
fn delete(call: &Call<'_>, remove: fn(&mut Policy, Guid) -> Result<(), Status>) -> u64 {
    let (session, key): (u64, Guid) = (call.arg(0), call.read(call.arg(1)));
    let removed = change_policy(call.cpu, |state| state.bfe.change(session, |policy, _| remove(policy, key)));
    answer_result(call, removed)
}

/// `FWPM_PROVIDER0` begins with its key and its display name.
fn add_provider(call: &Call<'_>) -> Result<(), Status> {
    let key: Guid = call.read(call.arg(1));
    check_name(call, call.read(call.arg(1) + size_of::<Guid>() as u64))?;
    let mut state = call.machine.wfp().state();
    let key = key_or_new(&mut state, key);
    state.bfe.change(call.arg(0), |policy, owner| policy.add_provider(Provider { key, owner }))
}
