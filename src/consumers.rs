//! Who consumes events: the callback by which ETW says what sessions want, and the live flows for one that asks for them.
use core::ffi::c_void;

use wdk_sys::NTSTATUS;

use crate::{
    demand,
    etw::{
        self, EVENT_CONTROL_CODE_CAPTURE_STATE, EVENT_CONTROL_CODE_DISABLE_PROVIDER,
        EVENT_CONTROL_CODE_ENABLE_PROVIDER, Id, Wanted, fields,
    },
    flow::Captured,
    sync::{AtDispatch, Rundown},
    wfp::ffi::GUID,
};

/// Entered for each batch of a capture. That `EtwUnregister` waits for callbacks no page says.
pub static CAPTURES: Rundown = Rundown::new();

/// Makes the provider known to ETW. A driver whose events nobody can get works as well.
///
/// IRQL: `PASSIVE_LEVEL`
pub fn welcome() -> NTSTATUS {
    etw::register(enabled)
}

/// Ends captures, and then the provider: no event is written any more.
///
/// IRQL: `PASSIVE_LEVEL`
pub fn dismiss() {
    CAPTURES.wait();
    etw::unregister();
}

/// The enable callback (wdm.h, `ETWENABLECALLBACK`). Level and keywords are already the least restrictive of all sessions'
/// (evntprov.h, at `PENABLECALLBACK`).
///
/// It may be called inside `EtwRegister`, and at any time until `EtwUnregister` returns.
///
/// IRQL: `PASSIVE_LEVEL`
///
/// # Safety
/// Called by ETW only.
unsafe extern "C" fn enabled(
    _source: *const GUID,
    code: u32,
    level: u8,
    any: u64,
    all: u64,
    _filter: *const c_void,
    _context: *mut c_void,
) {
    match code {
        EVENT_CONTROL_CODE_DISABLE_PROVIDER => etw::want(Wanted::NOTHING),
        EVENT_CONTROL_CODE_ENABLE_PROVIDER => etw::want(Wanted::by(level, any, all)),
        EVENT_CONTROL_CODE_CAPTURE_STATE => {
            let mut flows = Captured::start();
            while capture(&mut flows) {}
            return;
        }
        _ => return,
    }
    demand::update();
}

/// Writes an event for each of the next few live flows. False at the end.
///
/// A flow that is tagged meanwhile is not missed by a session that was enabled before: `FlowOpen` is written after the flow has
/// become live, and what is wanted was stored before the ring's lock is taken here. So either it is live by then, or whoever
/// makes it live under that lock afterwards sees that its event is wanted. It may get both, in any order. `FlowClose` comes last,
/// since the flow's record cannot go while this has a reference to it.
///
/// IRQL: <= `APC_LEVEL`
fn capture(flows: &mut Captured) -> bool {
    // A thread suspended inside the rundown would block unload for as long; at DISPATCH_LEVEL none is.
    let irql = AtDispatch::raise();
    let Some(_in) = CAPTURES.enter() else { return false };
    if !etw::wants(Id::FlowRundown) {
        return false;
    }
    let more = flows.next(&irql);
    for flow in flows.take() {
        let told = flow.told();
        etw::write_with_path(Id::FlowRundown, told.path, |payload| {
            fields::flow_rundown(payload, told, flow.history());
        });
    }
    more
}
