//! The eight callouts: two roles, two directions, two families.
pub mod authorize;
mod flow_delete;
mod transport;

use core::{
    ffi::c_void,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use wdk_sys::{NTSTATUS, STATUS_FWP_ALREADY_EXISTS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use crate::{
    failure::{Failure, check},
    flow_ring::Contexts,
    life, print,
    tag::{Direction, Family},
    wfp::ffi::{
        FWP_ACTION_BLOCK, FWP_ACTION_CONTINUE, FWP_CALLOUT_FLAG_ALLOW_OFFLOAD, FWP_CALLOUT_FLAG_ALLOW_RSC,
        FWP_CALLOUT_FLAG_ALLOW_URO, FWP_CALLOUT_FLAG_ALLOW_USO, FWP_CALLOUT_FLAG_CONDITIONAL_ON_FLOW,
        FWPM_LAYER_ALE_AUTH_CONNECT_V4, FWPM_LAYER_ALE_AUTH_CONNECT_V6, FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4,
        FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V6, FWPM_LAYER_INBOUND_TRANSPORT_V4, FWPM_LAYER_INBOUND_TRANSPORT_V6,
        FWPM_LAYER_OUTBOUND_TRANSPORT_V4, FWPM_LAYER_OUTBOUND_TRANSPORT_V6, FWPS_CALLOUT2, FWPS_CLASSIFY_OUT0,
        FWPS_LAYER_ALE_AUTH_CONNECT_V4, FWPS_LAYER_ALE_AUTH_CONNECT_V6, FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V4,
        FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V6, FWPS_LAYER_INBOUND_TRANSPORT_V4, FWPS_LAYER_INBOUND_TRANSPORT_V6,
        FWPS_LAYER_OUTBOUND_TRANSPORT_V4, FWPS_LAYER_OUTBOUND_TRANSPORT_V6, FWPS_RIGHT_ACTION_WRITE,
        FwpsCalloutRegister2, FwpsCalloutUnregisterById0, FwpsFlowAssociateContext0, FwpsFlowRemoveContext0, GUID,
    },
    wide::wide,
};

/// What a callout is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Learns whose a flow is, and tags it.
    Authorize,
    /// Reads the tag and counts packets. The target of the associations.
    Transport,
}

/// One callout: where it sits, and its run-time id once it is registered.
pub struct Callout {
    /// Its key, ours.
    pub key: GUID,
    /// Key of its filter, ours.
    pub filter: GUID,
    /// Key of its layer.
    pub layer: GUID,
    /// Name in the filter engine.
    pub name: &'static [u16],
    /// Run-time id of its layer. An association must name the layer and the callout that will read it, not those
    /// of the classify that makes it.
    layer_id: u16,
    role: Role,
    id: AtomicU32,
    registered: AtomicBool,
}

/// Every callout, in the order in which they are unregistered, which is the reverse of that of registration.
pub static CALLOUTS: [Callout; 8] = [
    Callout {
        key: GUID::new(0xe172_6015, 0xad43, 0x4667, 0x8aac_7ed6_0c4f_94e5),
        filter: GUID::new(0x0f6b_b926, 0x074b, 0x42ec, 0x8e37_4c3f_deb3_6d33),
        layer: FWPM_LAYER_ALE_AUTH_CONNECT_V4,
        layer_id: FWPS_LAYER_ALE_AUTH_CONNECT_V4,
        name: wide!("flowtag connect IPv4"),
        ..Callout::new(Role::Authorize)
    },
    Callout {
        key: GUID::new(0xc251_b864, 0xbf1a, 0x4347, 0x8d3b_677d_501f_1744),
        filter: GUID::new(0x0d06_06eb, 0xde14, 0x4830, 0xa84e_bb3e_4012_f632),
        layer: FWPM_LAYER_ALE_AUTH_CONNECT_V6,
        layer_id: FWPS_LAYER_ALE_AUTH_CONNECT_V6,
        name: wide!("flowtag connect IPv6"),
        ..Callout::new(Role::Authorize)
    },
    Callout {
        key: GUID::new(0x6546_90a0, 0x9bc4, 0x42c5, 0x8874_fa90_1b8d_fe83),
        filter: GUID::new(0x245a_639e, 0xdcf0, 0x4905, 0xa2b4_5f4a_da3c_fba5),
        layer: FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4,
        layer_id: FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V4,
        name: wide!("flowtag accept IPv4"),
        ..Callout::new(Role::Authorize)
    },
    Callout {
        key: GUID::new(0x0205_0392, 0xb641, 0x4649, 0xb383_087d_fcd7_2e2d),
        filter: GUID::new(0xade3_086b, 0xb070, 0x476f, 0xb65a_70d5_4ae9_90c9),
        layer: FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V6,
        layer_id: FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V6,
        name: wide!("flowtag accept IPv6"),
        ..Callout::new(Role::Authorize)
    },
    Callout {
        key: GUID::new(0xc0c0_59c2, 0x7a50, 0x425c, 0xb768_08ee_c3e8_d49b),
        filter: GUID::new(0xe233_5fc5, 0xbafe, 0x4854, 0x872b_f187_36cb_1455),
        layer: FWPM_LAYER_OUTBOUND_TRANSPORT_V4,
        layer_id: FWPS_LAYER_OUTBOUND_TRANSPORT_V4,
        name: wide!("flowtag outbound IPv4"),
        ..Callout::new(Role::Transport)
    },
    Callout {
        key: GUID::new(0x5ccf_84ef, 0x8777, 0x4a67, 0xb9fa_1e9f_4a85_9b3b),
        filter: GUID::new(0x7a30_6ebd, 0xc204, 0x4b9e, 0x85d4_14ab_431f_41c8),
        layer: FWPM_LAYER_OUTBOUND_TRANSPORT_V6,
        layer_id: FWPS_LAYER_OUTBOUND_TRANSPORT_V6,
        name: wide!("flowtag outbound IPv6"),
        ..Callout::new(Role::Transport)
    },
    Callout {
        key: GUID::new(0x31f7_d674, 0xc999, 0x40dc, 0xaec3_d0b9_f5dc_c7c0),
        filter: GUID::new(0x2bb3_8670, 0xb27f, 0x4578, 0x90ef_4aca_6e14_b493),
        layer: FWPM_LAYER_INBOUND_TRANSPORT_V4,
        layer_id: FWPS_LAYER_INBOUND_TRANSPORT_V4,
        name: wide!("flowtag inbound IPv4"),
        ..Callout::new(Role::Transport)
    },
    Callout {
        key: GUID::new(0xf35b_4976, 0x5d79, 0x4dc1, 0xb0b2_f848_1284_2c20),
        filter: GUID::new(0x3c90_2e11, 0x2c82, 0x4211, 0xb9e4_2222_5e49_c15e),
        layer: FWPM_LAYER_INBOUND_TRANSPORT_V6,
        layer_id: FWPS_LAYER_INBOUND_TRANSPORT_V6,
        name: wide!("flowtag inbound IPv6"),
        ..Callout::new(Role::Transport)
    },
];

impl Callout {
    const fn new(role: Role) -> Self {
        Self {
            key: GUID::ZERO,
            filter: GUID::ZERO,
            layer: GUID::ZERO,
            name: &[],
            layer_id: 0,
            role,
            id: AtomicU32::new(0),
            registered: AtomicBool::new(false),
        }
    }

    /// The callout that reads one way of a family's flows.
    ///
    /// IRQL: <= `DISPATCH_LEVEL`
    fn transport(direction: Direction, family: Family) -> &'static Self {
        let [_, _, _, _, out_v4, out_v6, in_v4, in_v6] = &CALLOUTS;
        match (direction, family) {
            (Direction::Out, Family::V4) => out_v4,
            (Direction::Out, Family::V6) => out_v6,
            (Direction::In, Family::V4) => in_v4,
            (Direction::In, Family::V6) => in_v6,
        }
    }

    /// Set before the filters are committed, and so before any classify asks for it.
    ///
    /// IRQL: <= `DISPATCH_LEVEL`
    fn id(&self) -> u32 {
        self.id.load(Ordering::Relaxed)
    }

    fn register(&self, device: *mut c_void, flags: u32) -> NTSTATUS {
        let mut callout = FWPS_CALLOUT2 {
            calloutKey: self.key,
            flags,
            classifyFn: authorize::classify,
            notifyFn: notify,
            flowDeleteFn: None,
        };
        if self.role == Role::Transport {
            callout.flags |= FWP_CALLOUT_FLAG_CONDITIONAL_ON_FLOW;
            callout.classifyFn = transport::classify;
            callout.flowDeleteFn = Some(flow_delete::flow_delete);
        }
        // What is registered already keeps its id where Windows gives none.
        let mut id = self.id();
        // SAFETY: the device object is ours, and the rest is copied.
        let status = unsafe { FwpsCalloutRegister2(device, &raw const callout, &raw mut id) };
        // Any kind of success may have registered it. If none has, unregistering finds nothing, which is as good.
        if wdk::nt_success(status) {
            self.id.store(id, Ordering::Relaxed);
            self.registered.store(true, Ordering::Relaxed);
        }
        status
    }
}

/// Flags without which Windows turns these offloads off for all traffic that a callout sees (DDI `FWPS_CALLOUT2`).
const OFFLOADS: u32 = FWP_CALLOUT_FLAG_ALLOW_OFFLOAD | FWP_CALLOUT_FLAG_ALLOW_RSC;
/// The same, for offloads that older versions of Windows have not.
const NEW_OFFLOADS: u32 = FWP_CALLOUT_FLAG_ALLOW_USO | FWP_CALLOUT_FLAG_ALLOW_URO;

/// Registers the callouts, the last first: one that authorizes needs those that its contexts are for. What was registered
/// before a failure stays so. Done once more, this is for those that are not registered any more.
///
/// IRQL: `PASSIVE_LEVEL`
pub fn register(device: *mut c_void) -> Result<(), Failure> {
    for (index, callout) in CALLOUTS.iter().enumerate().rev() {
        let before = callout.registered.load(Ordering::Relaxed);
        let mut status = callout.register(device, OFFLOADS | NEW_OFFLOADS);
        // A guess: what a flag that is not known would bring, if Windows looks at them at all. Any other failure says itself
        // below.
        if status == STATUS_INVALID_PARAMETER {
            print::failed("FwpsCalloutRegister2", status, |line| life::without_flags(line, index, status));
            status = callout.register(device, OFFLOADS);
        }
        // Its key is taken (DDI `FwpsCalloutRegister2`): by us, or this driver would not have been started.
        if before && status == STATUS_FWP_ALREADY_EXISTS {
            continue;
        }
        check("FwpsCalloutRegister2", status)?;
    }
    Ok(())
}

/// Tries to unregister a callout, if it is registered.
///
/// IRQL: `PASSIVE_LEVEL`
pub fn unregister(callout: &Callout) -> NTSTATUS {
    if !callout.registered.load(Ordering::Relaxed) {
        return STATUS_SUCCESS;
    }
    // SAFETY: the id came from the registration.
    unsafe { FwpsCalloutUnregisterById0(callout.id()) }
}

/// Associates a context with one way of a flow, for the callout and layer that will read it.
///
/// IRQL: <= `DISPATCH_LEVEL`, without the ring's lock
fn associate(contexts: Contexts, direction: Direction, context: u64) -> NTSTATUS {
    let callout = Callout::transport(direction, contexts.family);
    // SAFETY: the callout is registered, or no authorization would run.
    unsafe { FwpsFlowAssociateContext0(contexts.flow, callout.layer_id, callout.id(), context) }
}

/// Removes the context of one way of a flow. It may run flowDeleteFn before it returns.
///
/// IRQL: <= `DISPATCH_LEVEL`, without the ring's lock
pub fn remove(contexts: Contexts, direction: Direction) -> NTSTATUS {
    let callout = Callout::transport(direction, contexts.family);
    // SAFETY: the callout is registered until the last flow is drained.
    unsafe { FwpsFlowRemoveContext0(contexts.flow, callout.layer_id, callout.id()) }
}

/// Lets a classified packet or flow go on, and says whether it does. That is the only answer of an inspection callout;
/// whatever else a classify does, this comes first.
///
/// It does not where a filter above has blocked for good: a block without the right is not overridden (Win32, "Filter
/// Arbitration"). That callouts find it here is a guess, but tnodir/fort takes it so (fortcout.c). Where Windows does not show it,
/// what is blocked is taken for traffic that is not.
///
/// IRQL: <= `DISPATCH_LEVEL`
///
/// # Safety
/// `out` is what the filter engine passed.
unsafe fn go_on(out: *mut FWPS_CLASSIFY_OUT0) -> bool {
    // SAFETY: the caller's promise; `as_mut` sorts out NULL.
    let Some(out) = (unsafe { out.as_mut() }) else { return true };
    if out.rights & FWPS_RIGHT_ACTION_WRITE != 0 {
        out.actionType = FWP_ACTION_CONTINUE;
    }
    out.actionType != FWP_ACTION_BLOCK
}

/// notifyFn: filters may come and go.
///
/// IRQL: <= `DISPATCH_LEVEL`
///
/// # Safety
/// Called by the filter engine only.
unsafe extern "C" fn notify(_type: u32, _filter_key: *const GUID, _filter: *mut c_void) -> NTSTATUS {
    STATUS_SUCCESS
}
