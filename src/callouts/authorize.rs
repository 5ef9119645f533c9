//! The ALE authorization layers: learns whose a flow is, and hangs it on the flow.
//!
//! The numbered steps are those of "The life of a flow" in docs/architecture.md.
use core::{ffi::c_void, mem};

use wdk_sys::{STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_OBJECT_NAME_EXISTS, STATUS_SUCCESS};

use super::{associate, go_on, remove};
use crate::{
    details::Details,
    etw::{self, Id, fields},
    flow::{self, FlowRef, InSlot, Known, NewFlow, NoSlot, RING},
    identity::Identity,
    package::Stored,
    path::Path,
    print,
    sync::{AtDispatch, Rundown},
    tag::{Address, Direction, Endpoint, Family, Origin, Tag},
    totals::{TOTALS, Total},
    trace::{self, level},
    wfp::{
        ffi::{
            FWP_CONDITION_FLAG_IS_REAUTHORIZE, FWPS_CLASSIFY_OUT0, FWPS_FIELD_ALE_AUTH_CONNECT_V4_ALE_PACKAGE_ID,
            FWPS_FIELD_ALE_AUTH_CONNECT_V4_FLAGS, FWPS_FIELD_ALE_AUTH_CONNECT_V4_INTERFACE_INDEX,
            FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_ADDRESS, FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_PORT,
            FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_PROTOCOL, FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_ADDRESS,
            FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_PORT, FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_ALE_PACKAGE_ID,
            FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_FLAGS, FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_INTERFACE_INDEX,
            FWPS_INCOMING_METADATA_VALUES0, FWPS_INCOMING_VALUES0, FWPS_LAYER_ALE_AUTH_CONNECT_V4,
            FWPS_LAYER_ALE_AUTH_CONNECT_V6, FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V4, FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V6,
        },
        metadata::Metadata,
        values::Values,
    },
};

/// Held by every authorization that associates. Unload waits for them all before it drains, and then there are no more.
pub static AUTHORIZING: Rundown = Rundown::new();

/// Where a connect and an accept have their flags, whatever the family.
const CONNECT: u32 = FWPS_FIELD_ALE_AUTH_CONNECT_V4_FLAGS;
const ACCEPT: u32 = FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_FLAGS;

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
    if !unsafe { go_on(out) } {
        // This connection does not come to be, or, if it was only put off, is authorized again (DDI FwpsPendOperation0).
        TOTALS.blocked.count();
        return;
    }
    // SAFETY: from the filter engine, for the time of this call.
    let Some(values) = (unsafe { values.as_ref() }) else { return };
    let layer = values.layerId;
    // SAFETY: as above.
    let values = unsafe { Values::new(values) };
    // SAFETY: as above.
    let Some(metadata) = (unsafe { metadata.as_ref() }) else { return };
    // SAFETY: as above.
    let metadata = unsafe { Metadata::new(metadata) };

    match layer {
        FWPS_LAYER_ALE_AUTH_CONNECT_V4 => describe(values, metadata, Direction::Out, Family::V4, CONNECT),
        FWPS_LAYER_ALE_AUTH_CONNECT_V6 => describe(values, metadata, Direction::Out, Family::V6, CONNECT),
        FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V4 => describe(values, metadata, Direction::In, Family::V4, ACCEPT),
        FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V6 => describe(values, metadata, Direction::In, Family::V6, ACCEPT),
        _ => {}
    }
}

/// Step 1. Reads what the authorization tells of its flow, and goes on if it names flow and process. Apart from the
/// flags, the four layers have the same fields in the same places.
///
/// IRQL: that at which the classify was entered
#[expect(clippy::inline_always, reason = "once a layer, each without what the others need")]
#[inline(always)]
fn describe(values: Values, metadata: Metadata, direction: Direction, family: Family, flags: u32) {
    let Some((flow, pid)) = metadata.flow_and_process() else {
        print::lost(&TOTALS.unnamed, "unnamed", None);
        return;
    };
    let reauthorized = values.u32(flags).unwrap_or_default() & FWP_CONDITION_FLAG_IS_REAUTHORIZE != 0;
    let tag = Tag {
        flow,
        pid,
        local: Endpoint {
            address: address(values, family, FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_ADDRESS),
            port: values.u16(FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_PORT).into(),
        },
        remote: Endpoint {
            address: address(values, family, FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_ADDRESS),
            port: values.u16(FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_PORT).into(),
        },
        protocol: values.u8(FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_PROTOCOL).into(),
        family,
        direction,
        origin: if reauthorized { Origin::Reauth } else { Origin::New },
    };
    know_or_capture(&Asked { tag, values, metadata });
}

/// What is authorized, and all that is told of it. In one place, and the tag first, so that one register leads to both.
#[repr(C)]
struct Asked<'a> {
    tag: Tag,
    values: Values<'a>,
    metadata: Metadata<'a>,
}

fn address(values: Values, family: Family, field: u32) -> Address {
    match family {
        // IPv4 addresses come as numbers in host order.
        Family::V4 => values.u32(field).map(|address| Address::V4(address.to_be_bytes())),
        Family::V6 => values.bytes16(field).map(Address::V6),
    }
    .unwrap_or(Address::Unknown)
}

/// A tagged flow is known again here: nothing is allocated for it, and nobody has to make room. Once for all layers, which
/// is why it is apart from classify.
///
/// IRQL: that at which the classify was entered
#[inline(never)]
fn know_or_capture(asked: &Asked) {
    match flow::known(&asked.tag) {
        Some(known) => count_known(known),
        None => capture(asked),
    }
}

/// Step 2. The path is read here, at the entry IRQL: nobody promises that it is in nonpaged memory.
///
/// Apart from its caller, so that knowing a flow again does not pay for the registers that this saves.
///
/// IRQL: that at which the classify was entered
#[inline(never)]
fn capture(Asked { tag, values, metadata }: &Asked) {
    let (details, package) = details(tag.direction, *values, *metadata);
    let path = Path::of(metadata.process_path().unwrap_or_default());
    match NewFlow::allocate(tag, details, &path, package) {
        Some(flow) => tag_flow(flow),
        None => print::lost(&TOTALS.alloc_failed, "alloc_failed", None),
    }
}

/// What else is told, and the app container of the owner. The layers have these fields in different places, those of both families in the same ones.
///
/// IRQL: that at which the classify was entered
fn details<'a>(direction: Direction, values: Values<'a>, metadata: Metadata) -> (Details, Stored<'a>) {
    let (interface, package) = match direction {
        Direction::Out => {
            (FWPS_FIELD_ALE_AUTH_CONNECT_V4_INTERFACE_INDEX, FWPS_FIELD_ALE_AUTH_CONNECT_V4_ALE_PACKAGE_ID)
        }
        Direction::In => {
            (FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_INTERFACE_INDEX, FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_ALE_PACKAGE_ID)
        }
    };
    let details = Details {
        service_tag: metadata.service_tag(),
        compartment: metadata.compartment(),
        interface: values.u32(interface).unwrap_or_default(),
        identity: Identity::UNKNOWN,
    };
    (details, Stored::of(values.sid(package)))
}

/// Steps 3 to 7. The guards drop in the order that step 7 asks for: reference, rundown, IRQL.
///
/// IRQL: <= `DISPATCH_LEVEL`
fn tag_flow(mut flow: NewFlow) {
    // Step 3. A thread suspended inside the rundown would block unload for as long; at DISPATCH_LEVEL none is.
    let irql = AtDispatch::raise();
    let Some(_authorizing) = AUTHORIZING.enter() else {
        drop(flow);
        return;
    };
    flow.identify(&irql);
    let flow = flow.bring_to_life();

    // Step 4. The slot comes first: from the first association on, unload must be able to find the flow.
    if !reserve(&irql, &flow) {
        return;
    }

    // Steps 5 and 6. Whatever a removal answers, the slot stays until the context's reference is back.
    let contexts = flow.contexts();
    if !hand_over(&flow, Direction::Out) {
        return;
    }
    if !hand_over(&flow, Direction::In) {
        flow.abandon(&irql);
        remove(contexts, Direction::Out);
        return;
    }
    if !flow.commit(&irql) {
        TOTALS.gone.count();
        remove(contexts, Direction::Out);
        remove(contexts, Direction::In);
        return;
    }
    flow.set_opened();
    TOTALS.opened.count();
    // After the commit: a session that begins meanwhile and asks for all live flows gets this one here or there.
    if print::is_flow_seen(level::FLOWS) || etw::wants(Id::FlowOpen) {
        tell_of_opening(&flow);
    }
}

/// Writes the line and the event of a flow that has been tagged.
///
/// IRQL: `DISPATCH_LEVEL`
#[cold]
#[inline(never)]
fn tell_of_opening(flow: &FlowRef) {
    let told = flow.told();
    print::flow(level::FLOWS, |line| trace::open(line, told.tag, told.details, told.path));
    etw::write_with_path(Id::FlowOpen, told.path, |payload| fields::flow_open(payload, told));
}

/// Takes a slot, at the expense of another flow if need be; the ring knows of which.
///
/// Each look at the ring looks the handle up again, in the same hold of the lock: meanwhile another processor may have
/// authorized the same flow. Whatever WFP holds of ours has a record, a record has a slot that is not free, and the slot
/// bears the handle; so a flow that gets a slot here has no context of ours. This takes for granted that WFP empties its
/// entry before it calls flowDeleteFn, as was seen in one build for the end of a flow. If it does so afterwards, Associate
/// refuses, and `busy` counts that; should it answer success instead, the record stays and unload waits for ever.
///
/// IRQL: `DISPATCH_LEVEL`, inside the rundown
fn reserve(irql: &AtDispatch, flow: &FlowRef) -> bool {
    let evicted = {
        let mut ring = RING.lock_raised(irql);
        let Err(refusal) = flow.reserve(&mut ring) else { return true };
        if !matches!(refusal, NoSlot::Full) || flow.tag().origin == Origin::Reauth {
            drop(ring);
            // When filters change, Windows reauthorizes every flow in turn (Win32, "ALE re-authorization"): those would
            // push each other out.
            count_refusal(refusal, &TOTALS.reauth_skipped, "reauth_skipped");
            return false;
        }
        ring.evict(InSlot::moved, |record| {
            // SAFETY: it is the ring that calls this, and its lock is held.
            unsafe { record.keep() }
        })
    };
    if let Some((contexts, evicted)) = evicted {
        TOTALS.evicted.count();
        // The statuses say nothing that counts: the slot becomes free when the last reference to its record does,
        // now, or later if a classify of that flow is running.
        remove(contexts, Direction::Out);
        remove(contexts, Direction::In);
        drop(evicted);
    }
    // Once: another authorization may have taken the slot that became free.
    let outcome = flow.reserve(&mut RING.lock_raised(irql));
    let Err(refusal) = outcome else { return true };
    count_refusal(refusal, &TOTALS.untracked, "untracked");
    false
}

/// Counts why there is no slot.
///
/// IRQL: `DISPATCH_LEVEL`, without the ring's lock
#[cold]
fn count_refusal(refusal: NoSlot, full: &Total, kind: &str) {
    match refusal {
        NoSlot::Known(known) => count_known(known),
        NoSlot::Full => print::lost(full, kind, None),
    }
}

fn count_known(known: Known) {
    match known {
        Known::Tagged => TOTALS.already_tagged.count(),
        Known::Busy => TOTALS.busy.count(),
    };
}

/// Associates one way's context and hands WFP a reference with it.
///
/// IRQL: `DISPATCH_LEVEL`, inside the rundown
fn hand_over(flow: &FlowRef, direction: Direction) -> bool {
    let reference = flow.clone();
    let status = associate(flow.contexts(), direction, reference.context(direction));
    match status {
        // Not NT_SUCCESS, which STATUS_OBJECT_NAME_EXISTS passes although WFP has not taken the context.
        STATUS_SUCCESS => {
            // flowDeleteFn gives it back, and may have done so already.
            mem::forget(reference);
            return true;
        }
        STATUS_OBJECT_NAME_EXISTS => {
            TOTALS.busy.count();
        }
        // What Windows answers for a flow that has ended since it was classified: seen in one build. The page documents the
        // second for arguments that are wrong, which ours are not.
        STATUS_NOT_FOUND | STATUS_INVALID_PARAMETER => {
            TOTALS.gone.count();
        }
        _ => print::lost(&TOTALS.associate_failed, "associate_failed", Some(status)),
    }
    false
}
