//! Registered callouts.
use core::ffi::c_void;

use super::{
    PLATFORM,
    abi::{Callout, ClassifyFn, FlowDeleteFn, Guid},
    management::{ALREADY_EXISTS, CALLOUT_NOT_FOUND},
};
use crate::{
    complain,
    nt::{DEVICE_BUSY, INVALID_PARAMETER, SUCCESS, Status},
};

/// `FWP_CALLOUT_FLAG_CONDITIONAL_ON_FLOW`.
const CONDITIONAL_ON_FLOW: u32 = 1;
/// The flags that DDI `FWPS_CALLOUT2` lists.
const FLAGS: u32 = 0x3FF;

/// A callout that is registered.
#[derive(Clone, Copy)]
pub struct Registered {
    /// Its run-time id.
    pub id: u32,
    /// Its key.
    pub key: Guid,
    /// Whether it is called only for flows that have its context.
    pub on_flow_only: bool,
    /// `classifyFn`.
    pub classify: ClassifyFn,
    /// `flowDeleteFn`.
    pub flow_delete: Option<FlowDeleteFn>,
}

/// `FwpsCalloutRegister2` (DDI).
///
/// # Errors
/// What it answers.
pub fn register(device: *const c_void, callout: &Callout) -> Result<u32, Status> {
    if device.is_null() || callout.notify.is_none() {
        complain!("a callout without device object or notifyFn");
        return Err(INVALID_PARAMETER);
    }
    let Some(classify) = callout.classify else { return Err(INVALID_PARAMETER) };
    if callout.flags & !FLAGS != 0 {
        complain!("callout flags {:#x} are not modelled", callout.flags);
        return Err(INVALID_PARAMETER);
    }
    PLATFORM.with(|platform| {
        if platform.callouts.iter().any(|registered| registered.key == callout.key) {
            return Err(ALREADY_EXISTS);
        }
        let id = platform.number();
        let on_flow_only = callout.flags & CONDITIONAL_ON_FLOW != 0;
        let flow_delete = callout.flow_delete;
        platform.callouts.push(Registered { id, key: callout.key, on_flow_only, classify, flow_delete });
        Ok(id)
    })
}

/// `FwpsCalloutUnregisterById0` (DDI): busy while a flow has a context of it.
pub fn unregister(id: u32) -> Status {
    PLATFORM.with(|platform| {
        if platform.flows.iter().any(|flow| flow.contexts.iter().any(|context| context.callout == id)) {
            return DEVICE_BUSY;
        }
        if platform.callouts.take(|callout| callout.id == id).is_none() {
            return CALLOUT_NOT_FOUND;
        }
        SUCCESS
    })
}
