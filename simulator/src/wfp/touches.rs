//! Which steps of the filtering platform touch what threads share, for the interleavings.

use super::switches::{BfeStop, Switches};
use crate::{
    computer::Call,
    interleave::{Part, Touches},
    kernel,
};

/// Filters, sub-layers and sessions.
const POLICIES: Part = Part::numbered(2);
/// The table of callouts. The counts in it are only read by who unregisters; adding to them commutes.
const REGISTERED: Part = Part::numbered(3);
/// Which handles flows get.
const HANDED_OUT: Part = Part::numbered(4);
/// What pending removals owe.
const OWED: Part = Part::numbered(5);

/// The policy in force is looked up.
pub(super) const POLICY: Touches = Touches::reading(POLICIES);
/// The policy in force changes, or how flows stand to it.
const NEW_POLICY: Touches = Touches::writing(POLICIES);
/// A callout's contexts or running calls are counted.
pub(super) const CALLOUT_COUNTS: Touches = Touches::reading(REGISTERED);
/// Callouts come or go.
const CALLOUTS: Touches = Touches::writing(REGISTERED);
/// Whose a handle is, is looked up.
pub(super) const HANDLE: Touches = Touches::reading(HANDED_OUT);
/// A flow gets its handle, or gives it back.
pub(super) const HANDLES: Touches = Touches::writing(HANDED_OUT);
/// What pending removals owe.
pub(super) const DEFERRED: Touches = Touches::writing(OWED);

/// The contexts of the flow with this handle.
pub(super) const fn flow(handle: u64) -> Touches {
    Touches::object(handle)
}

/// What else the end of a call into the driver touches: it may let a callout go that has ended with the filter engine.
pub(super) fn ending(switches: &Switches) -> Touches {
    if switches.bfe_stop == BfeStop::EndsCallouts { CALLOUTS.and(kernel::DEVICES) } else { Touches::NOTHING }
}

pub(super) fn of(call: &Call<'_>) -> Touches {
    match call.name() {
        "FwpsFlowAssociateContext0" => {
            let ends_flows = call.machine.wfp().switches().end_flow_after_associations.is_some();
            if ends_flows { Touches::EVERYTHING } else { flow(call.arg(0)).and(CALLOUT_COUNTS) }
        }
        _ if call.may_be_made_to_fail() => Touches::EVERYTHING,
        "FwpsFlowRemoveContext0" => flow(call.arg(0)).and(DEFERRED).and(CALLOUT_COUNTS),
        "FwpsCalloutUnregisterById0" => CALLOUTS.and(DEFERRED),
        // The end of a session that is not dynamic takes nothing along that is in force.
        "FwpmEngineClose0" if !call.machine.wfp().state().bfe.is_dynamic(call.arg(0)) => POLICY,
        "FwpmEngineClose0" | "FwpmTransactionCommit0" => NEW_POLICY,
        // A transaction works on a policy of its own until it is committed.
        "FwpmTransactionBegin0"
        | "FwpmFilterDeleteByKey0"
        | "FwpmCalloutDeleteByKey0"
        | "FwpmSubLayerDeleteByKey0"
        | "FwpmProviderDeleteByKey0" => POLICY,
        _ => Touches::EVERYTHING,
    }
}
