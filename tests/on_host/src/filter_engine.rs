//! A stand-in for the run-time part of WFP: callouts, classifies and flow contexts.
//!
//! It keeps the rules on which the driver's memory depends. A context belongs to one flow and callout. Whoever detaches
//! it calls flowDeleteFn, without the engine's lock, unless a classify with this context runs: then the last of those
//! does. A callout is busy while it has contexts or classifies.

use std::{
    collections::{HashMap, HashSet},
    ffi::c_void,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use crate::{
    NTSTATUS, STATUS_FWP_CALLOUT_NOT_FOUND, STATUS_NOT_FOUND, STATUS_PENDING, STATUS_SUCCESS, STATUS_UNSUCCESSFUL,
    wfp::ffi::{FWPS_CALLOUT_CLASSIFY_FN2, FWPS_CALLOUT_FLOW_DELETE_NOTIFY_FN0, FWPS_CALLOUT2},
};

const STATUS_DEVICE_BUSY: NTSTATUS = 0x8000_0011_u32.cast_signed();

struct Callout {
    classify: FWPS_CALLOUT_CLASSIFY_FN2,
    flow_delete: Option<FWPS_CALLOUT_FLOW_DELETE_NOTIFY_FN0>,
    running: usize,
}

struct Context {
    value: u64,
    /// Classifies that were handed it.
    running: usize,
    /// Detached: the last of those classifies gives it back.
    detached: bool,
}

#[derive(Default)]
struct Engine {
    callouts: HashMap<u32, Callout>,
    contexts: HashMap<(u64, u32), Context>,
    ended: HashSet<u64>,
}

static ENGINE: LazyLock<Mutex<Engine>> = LazyLock::new(Mutex::default);

fn engine() -> MutexGuard<'static, Engine> {
    ENGINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A machine that has just been switched on.
pub fn reset() {
    *engine() = Engine::default();
}

/// Contexts that are associated, or detached and not given back yet.
pub fn contexts() -> usize {
    engine().contexts.len()
}

/// A context is to be given back: to this function, with this value.
struct GiveBack {
    flow_delete: FWPS_CALLOUT_FLOW_DELETE_NOTIFY_FN0,
    callout: u32,
    value: u64,
}

impl GiveBack {
    /// Calls flowDeleteFn; nobody's lock is held.
    fn call(self) {
        // SAFETY: the context was associated, and is gone from the engine.
        unsafe { (self.flow_delete)(0, self.callout, self.value) };
    }
}

impl Engine {
    /// Detaches a context. `Ok(None)`: a classify has it, and will give it back.
    fn detach(&mut self, flow: u64, callout: u32) -> Result<Option<GiveBack>, NTSTATUS> {
        let context = self.contexts.get_mut(&(flow, callout)).filter(|context| !context.detached);
        let context = context.ok_or(STATUS_UNSUCCESSFUL)?;
        context.detached = true;
        if context.running > 0 {
            return Ok(None);
        }
        Ok(Some(self.give_back(flow, callout)))
    }

    fn give_back(&mut self, flow: u64, callout: u32) -> GiveBack {
        let context = self.contexts.remove(&(flow, callout)).expect("a context");
        let flow_delete = self.callouts[&callout].flow_delete.expect("callouts with contexts have one");
        GiveBack { flow_delete, callout, value: context.value }
    }
}

/// The network ends a flow.
pub fn end_flow(flow: u64) {
    let mut engine = engine();
    engine.ended.insert(flow);
    let callouts: Vec<_> = engine.contexts.keys().filter(|key| key.0 == flow).map(|key| key.1).collect();
    let given_back: Vec<_> =
        callouts.into_iter().filter_map(|callout| engine.detach(flow, callout).ok().flatten()).collect();
    drop(engine);
    given_back.into_iter().for_each(GiveBack::call);
}

/// Runs a classifyFn, if the callout is registered, with the context of `flow`; `call` is given both.
pub fn classify(callout: u32, flow: u64, call: impl FnOnce(FWPS_CALLOUT_CLASSIFY_FN2, u64)) {
    let mut locked = engine();
    let Some(registered) = locked.callouts.get_mut(&callout) else { return };
    registered.running += 1;
    let classify = registered.classify;
    let context = locked.contexts.get_mut(&(flow, callout)).filter(|context| !context.detached);
    let context = context.map(|context| {
        context.running += 1;
        context.value
    });
    drop(locked);

    call(classify, context.unwrap_or_default());

    let mut locked = engine();
    locked.callouts.get_mut(&callout).expect("a busy callout stays").running -= 1;
    let mut given_back = None;
    if context.is_some() {
        let context = locked.contexts.get_mut(&(flow, callout)).expect("a context in use stays");
        context.running -= 1;
        if context.detached && context.running == 0 {
            given_back = Some(locked.give_back(flow, callout));
        }
    }
    drop(locked);
    if let Some(given_back) = given_back {
        given_back.call();
    }
}

/// Callouts get the ids 1, 2, 3 … in the order of their registration.
#[unsafe(no_mangle)]
extern "C" fn FwpsCalloutRegister2(_device: *mut c_void, callout: *const FWPS_CALLOUT2, id: *mut u32) -> NTSTATUS {
    // SAFETY: the driver passes a callout.
    let callout = unsafe { &*callout };
    let mut engine = engine();
    let new = u32::try_from(engine.callouts.len()).expect("few callouts") + 1;
    let callout = Callout { classify: callout.classifyFn, flow_delete: callout.flowDeleteFn, running: 0 };
    engine.callouts.insert(new, callout);
    // SAFETY: the driver passes room for it.
    unsafe { id.write(new) };
    STATUS_SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn FwpsCalloutUnregisterById0(id: u32) -> NTSTATUS {
    let mut engine = engine();
    let Some(callout) = engine.callouts.get(&id) else { return STATUS_FWP_CALLOUT_NOT_FOUND };
    if callout.running > 0 || engine.contexts.keys().any(|key| key.1 == id) {
        return STATUS_DEVICE_BUSY;
    }
    engine.callouts.remove(&id);
    STATUS_SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn FwpsFlowAssociateContext0(flow: u64, _layer: u16, callout: u32, value: u64) -> NTSTATUS {
    let mut engine = engine();
    if engine.ended.contains(&flow) {
        return STATUS_NOT_FOUND;
    }
    // Windows may answer that there is one, or that all is well and keep the old one: the driver has to know by itself.
    assert!(!engine.contexts.contains_key(&(flow, callout)), "Associate on a flow that has a context of this callout");
    engine.contexts.insert((flow, callout), Context { value, running: 0, detached: false });
    STATUS_SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn FwpsFlowRemoveContext0(flow: u64, _layer: u16, callout: u32) -> NTSTATUS {
    let detached = engine().detach(flow, callout);
    match detached {
        Ok(Some(given_back)) => {
            given_back.call();
            STATUS_SUCCESS
        }
        Ok(None) => STATUS_PENDING,
        Err(status) => status,
    }
}
