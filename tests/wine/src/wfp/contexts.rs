//! Contexts of flows. Each one that was taken is given back by flowDeleteFn, once.
use super::{
    PLATFORM, Platform,
    flow::{Context, Flow},
    layer,
    management::CALLOUT_NOT_FOUND,
};
use crate::{
    complain,
    nt::{INVALID_PARAMETER, NOT_FOUND, OBJECT_NAME_EXISTS, SUCCESS, Status, UNSUCCESSFUL},
};

/// `FwpsFlowAssociateContext0` (DDI). `STATUS_NOT_FOUND` for an unknown flow, and what `folds` chooses between, come from
/// one disassembled build of Windows 11.
pub fn associate(handle: u64, layer: u16, callout: u32, value: u64) -> Status {
    PLATFORM.with(|platform| {
        let Some(registered) = platform.callouts.iter().find(|registered| registered.id == callout) else {
            complain!("a context for callout {callout}, which is not registered");
            return CALLOUT_NOT_FOUND;
        };
        if value == 0 || registered.flow_delete.is_none() {
            return INVALID_PARAMETER;
        }
        let key = registered.key;
        let filters = |filter: &super::management::Filter| {
            filter.callout == key && layer::by_key(filter.layer).is_some_and(|known| known.id == layer)
        };
        if !platform.management.filters().any(filters) {
            complain!("a context for callout {callout} at layer {layer}, where no filter calls it");
            return INVALID_PARAMETER;
        }
        let folds = platform.folds;
        let Some(flow) = platform.flows.iter_mut().find(|flow| flow.handle == handle) else { return NOT_FOUND };
        if flow.contexts.iter().any(|context| (context.layer, context.callout) == (layer, callout)) {
            return if folds { SUCCESS } else { OBJECT_NAME_EXISTS };
        }
        flow.contexts.push(Context { layer, callout, value });
        SUCCESS
    })
}

/// `FwpsFlowRemoveContext0` (DDI). No classify of the flow runs meanwhile: there is one thread of traffic.
pub fn remove(handle: u64, layer: u16, callout: u32) -> Status {
    let taken = PLATFORM.with(|platform| {
        let flow = platform.flows.iter_mut().find(|flow| flow.handle == handle).ok_or(NOT_FOUND)?;
        let fits = |context: &Context| (context.layer, context.callout) == (layer, callout);
        flow.contexts.take(fits).ok_or(UNSUCCESSFUL)
    });
    match taken {
        Ok(context) => {
            give_back(context);
            SUCCESS
        }
        Err(status) => status,
    }
}

/// Ends a flow: its contexts are taken off it, then given back.
pub fn end(flow: &mut Flow) {
    while let Some(context) = flow.contexts.take(|_| true) {
        give_back(context);
    }
}

/// Calls flowDeleteFn.
fn give_back(context: Context) {
    let registered = |platform: &mut Platform| {
        let callout = platform.callouts.iter().find(|callout| callout.id == context.callout)?;
        callout.flow_delete
    };
    match PLATFORM.with(registered) {
        // SAFETY: the callout was registered with it, and is registered.
        Some(flow_delete) => unsafe { flow_delete(context.layer, context.callout, context.value) },
        None => complain!("callout {} is gone, and left a context", context.callout),
    }
}
