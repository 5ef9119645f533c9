//! The ALE authorization layers: learns whose a flow is, and hangs it on the flow.
//!
//! The numbered steps are those of "The life of a flow" in docs/architecture.md.
use core::{ffi::c_void, mem};

use wdk_sys::{STATUS_OBJECT_NAME_EXISTS, STATUS_SUCCESS};

use super::{CALLOUTS, Role, associate, go_on, remove};
use crate::{
    flow::{FlowRef, NewFlow, RING},
    flow_ring::Contexts,
    path::Path,
    print,
    sync::{AtDispatch, Rundown},
    tag::{Address, Direction, Endpoint, Family, Origin, Tag},
    totals::TOTALS,
    trace::{self, level},
    wfp::{
        ffi::{
            FWP_CONDITION_FLAG_IS_REAUTHORIZE, FWPS_CLASSIFY_OUT0, FWPS_FIELD_ALE_AUTH_CONNECT_V4_FLAGS,
            FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_ADDRESS, FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_PORT,
            FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_PROTOCOL, FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_ADDRESS,
            FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_PORT, FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_FLAGS,
            FWPS_INCOMING_METADATA_VALUES0, FWPS_INCOMING_VALUES0,
        },
        metadata::Metadata,
        values::Values,
    },
};

/// Held by every authorization that associates. Unload waits for them all before it drains, and then there are no more.
pub static AUTHORIZING: Rundown = Rundown::new();

/// classifyFn of the four authorization callouts.
///
/// IRQL: <= `DISPATCH_LEVEL`
///
/// # Safety
/// Called by the filter engine only.
pub unsafe extern "C" fn classify(
    values: *const FWPS_INCOMING_VALUES0,
    metadata: *const FWPS_INCOMING_METADATA_VALUES0,
    _layer_data: *mut c_void,
    _classify_context: *const c_void,
    _filter: *const c_void,
    _flow_context: u64,
    out: *mut FWPS_CLASSIFY_OUT0,
) {
    // SAFETY: from the filter engine.
    unsafe { go_on(out) };
    // SAFETY: from the filter engine, for the time of this call.
    let Some(values) = (unsafe { values.as_ref() }) else { return };
    // SAFETY: as above.
    let values = unsafe { Values::new(values) };
    // SAFETY: as above.
    let Some(metadata) = (unsafe { metadata.as_ref() }) else { return };
    // SAFETY: as above.
    let metadata = unsafe { Metadata::new(metadata) };

    // Step 1. The path is read here, at the entry IRQL: nobody promises that it is in nonpaged memory.
    let Some(tag) = describe(values, metadata) else { return };
    let path = Path::of(metadata.process_path().unwrap_or_default());
    match NewFlow::allocate(tag, &path) {
        Some(flow) => tag_flow(flow),
        None => print::lost(&TOTALS.alloc_failed, "alloc_failed"),
    }
}

/// What this authorization tells of its flow; [`None`] if it does not name flow and process.
///
/// IRQL: that at which the classify was entered
fn describe(values: Values, metadata: Metadata) -> Option<Tag> {
    let layer = values.layer();
    let callout = CALLOUTS.iter().find(|callout| callout.role == Role::Authorize && callout.layer_id == layer)?;
    let flags = match callout.direction {
        Direction::Out => FWPS_FIELD_ALE_AUTH_CONNECT_V4_FLAGS,
        Direction::In => FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_FLAGS,
    };
    let reauthorized = values.u32(flags).unwrap_or_default() & FWP_CONDITION_FLAG_IS_REAUTHORIZE != 0;
    Some(Tag {
        flow: metadata.flow_handle()?,
        pid: metadata.process_id()?,
        local: Endpoint {
            address: address(values, callout.family, FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_ADDRESS),
            port: values.u16(FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_PORT),
        },
        remote: Endpoint {
            address: address(values, callout.family, FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_ADDRESS),
            port: values.u16(FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_PORT),
        },
        protocol: values.u8(FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_PROTOCOL),
        family: callout.family,
        direction: callout.direction,
        origin: if reauthorized { Origin::Reauth } else { Origin::New },
    })
}

fn address(values: Values, family: Family, field: u32) -> Address {
    match family {
        // IPv4 addresses come as numbers in host order.
        Family::V4 => values.u32(field).map(|address| Address::V4(address.to_be_bytes())),
        Family::V6 => values.bytes16(field).map(Address::V6),
    }
    .unwrap_or(Address::Unknown)
}

/// Steps 2 to 6. The guards drop in the order that step 6 asks for: reference, rundown, IRQL.
///
/// IRQL: <= `DISPATCH_LEVEL`
fn tag_flow(flow: NewFlow) {
    // Step 2. A thread suspended inside the rundown would block unload for as long; at DISPATCH_LEVEL none is.
    let irql = AtDispatch::raise();
    let Some(_authorizing) = AUTHORIZING.enter() else {
        drop(flow);
        return;
    };
    let flow = flow.bring_to_life();
    let contexts = Contexts { flow: flow.tag().flow, family: flow.tag().family };

    // Step 3. The slot comes first: from the first association on, unload must be able to find the flow.
    let Some(slot) = reserve(&irql, contexts, flow.tag().origin) else { return };
    flow.set_slot(slot);

    // Steps 4 and 5.
    if !hand_over(&flow, contexts, Direction::Out) {
        return;
    }
    if !hand_over(&flow, contexts, Direction::In) {
        RING.lock_raised(&irql).abandon(slot);
        // Whatever this answers, the slot stays until the context's reference is back.
        remove(contexts, Direction::Out);
        return;
    }
    RING.lock_raised(&irql).commit(slot);
    flow.set_opened();
    TOTALS.opened.count();
    print::flow(level::FLOWS, |line| trace::open(line, flow.tag(), flow.path()));
}

/// A slot, at the expense of the oldest flow if need be.
///
/// IRQL: `DISPATCH_LEVEL`, inside the rundown
fn reserve(irql: &AtDispatch, contexts: Contexts, origin: Origin) -> Option<u32> {
    let evicted = {
        let mut ring = RING.lock_raised(irql);
        let slot = ring.reserve(contexts);
        if slot.is_some() {
            return slot;
        }
        match origin {
            Origin::New => ring.evict(contexts.flow),
            // When filters change, Windows reauthorizes every flow in turn: those would push each other out.
            Origin::Reauth => None,
        }
    };
    if origin == Origin::Reauth {
        print::lost(&TOTALS.reauth_skipped, "reauth_skipped");
        return None;
    }
    if let Some(evicted) = evicted {
        TOTALS.evicted.count();
        // The statuses say nothing that counts: the slot becomes free when the last reference to its record does,
        // now, or later if a classify of that flow is running.
        remove(evicted, Direction::Out);
        remove(evicted, Direction::In);
    }
    // Once: another authorization may have taken the slot that became free.
    let slot = RING.lock_raised(irql).reserve(contexts);
    if slot.is_none() {
        print::lost(&TOTALS.untracked, "untracked");
    }
    slot
}

/// Associates one way's context and hands WFP a reference with it.
///
/// IRQL: `DISPATCH_LEVEL`, inside the rundown
fn hand_over(flow: &FlowRef, contexts: Contexts, direction: Direction) -> bool {
    let reference = flow.clone();
    let status = associate(contexts, direction, reference.context(direction));
    // Not NT_SUCCESS, which STATUS_OBJECT_NAME_EXISTS passes although WFP has not taken the context.
    if status == STATUS_SUCCESS {
        // flowDeleteFn gives it back, and may have done so already.
        mem::forget(reference);
        return true;
    }
    if status == STATUS_OBJECT_NAME_EXISTS {
        TOTALS.already_tagged.count();
    } else {
        print::lost(&TOTALS.associate_failed, "associate_failed");
    }
    false
}
