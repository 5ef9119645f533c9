//! `flowDeleteFn`: an association has ended.
use crate::flow::FlowRef;

/// Gives back the reference that the association held. Nothing else, and never `FwpsFlowRemoveContext0`: WFP has
/// detached the context already.
///
/// IRQL: <= `DISPATCH_LEVEL`, on any thread, also inside Associate or Remove
///
/// # Safety
/// Called by the filter engine only.
pub unsafe extern "C" fn flow_delete(_layer_id: u16, _callout_id: u32, flow_context: u64) {
    // SAFETY: WFP calls this once for each association, with its context.
    drop(unsafe { FlowRef::from_context(flow_context) });
}
