//! A machine that runs the driver, and shorthands for what happens to it.

use std::{
    ffi::c_void,
    ptr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    STATUS_SUCCESS,
    callouts::{self, authorize::AUTHORIZING},
    consumers::{self, CAPTURES},
    demand, event_tracing, filter_engine, flow, irql, kernel, print,
    tag::{Direction, Family},
    totals::TOTALS,
    unload,
    wfp::ffi::{
        DataLength, FWP_BYTE_BLOB, FWP_UINT8, FWP_UINT16, FWP_UINT32, FWP_VALUE0, FWP_VALUE0_UNION, FWPS_CLASSIFY_OUT0,
        FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_ADDRESS, FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_PORT,
        FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_PROTOCOL, FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_ADDRESS,
        FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_PORT, FWPS_INCOMING_METADATA_VALUES0, FWPS_INCOMING_VALUES0,
        FWPS_LAYER_ALE_AUTH_CONNECT_V4, FWPS_METADATA_FIELD_FLOW_HANDLE, FWPS_METADATA_FIELD_PROCESS_ID,
        FWPS_METADATA_FIELD_PROCESS_PATH, FWPS_RIGHT_ACTION_WRITE, NET_BUFFER, NET_BUFFER_LIST,
    },
};

/// The driver has statics, so there is one machine at a time.
static ONLY: Mutex<()> = Mutex::new(());

/// A machine with the driver loaded.
pub struct Machine(#[expect(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

impl Machine {
    /// Loads the driver. Waits until no other machine is left.
    pub fn start(max_flows: u32, trace_level: u32) -> Self {
        let only = ONLY.lock().unwrap_or_else(PoisonError::into_inner);
        filter_engine::reset();
        // SAFETY: nothing calls the driver yet.
        unsafe { AUTHORIZING.initialize() };
        // SAFETY: as above.
        unsafe { CAPTURES.initialize() };
        assert_eq!(consumers::welcome(), STATUS_SUCCESS);
        print::set_level(trace_level);
        demand::update();
        flow::allocate_ring(max_flows).expect("memory for the ring");
        assert!(callouts::register(ptr::null_mut()).is_ok());
        Self(only)
    }

    /// `ALE_AUTH_CONNECT_V4` of a flow.
    pub fn authorize(&self, flow: u64, pid: u64, path: &mut [u8]) {
        let number = |r#type, value| FWP_VALUE0 { r#type, value };
        let mut list = [FWP_VALUE0::EMPTY; 41];
        list[FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_ADDRESS as usize] =
            number(FWP_UINT32, FWP_VALUE0_UNION { uint32: 0x0a00_0005 });
        list[FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_PORT as usize] =
            number(FWP_UINT16, FWP_VALUE0_UNION { uint16: 50_123 });
        list[FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_PROTOCOL as usize] = number(FWP_UINT8, FWP_VALUE0_UNION { uint8: 6 });
        list[FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_ADDRESS as usize] =
            number(FWP_UINT32, FWP_VALUE0_UNION { uint32: 0x5db8_d822 });
        list[FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_PORT as usize] =
            number(FWP_UINT16, FWP_VALUE0_UNION { uint16: 443 });
        let values = FWPS_INCOMING_VALUES0 {
            layerId: FWPS_LAYER_ALE_AUTH_CONNECT_V4,
            valueCount: 41,
            incomingValue: list.as_ptr(),
        };
        let blob = FWP_BYTE_BLOB { size: u32::try_from(path.len()).expect("a path"), data: path.as_mut_ptr() };
        let metadata = FWPS_INCOMING_METADATA_VALUES0 {
            currentMetadataValues: FWPS_METADATA_FIELD_FLOW_HANDLE
                | FWPS_METADATA_FIELD_PROCESS_ID
                | FWPS_METADATA_FIELD_PROCESS_PATH,
            processPath: &raw const blob,
            ..metadata(flow, pid)
        };
        // SAFETY: the values and the blob are what they say.
        unsafe { self.authorize_as(Direction::Out, Family::V4, &values, &metadata) };
    }

    /// An authorization with these values and metadata, whatever they are.
    ///
    /// # Safety
    /// Their pointers lead to what their types and sizes say.
    pub unsafe fn authorize_as(
        &self,
        direction: Direction,
        family: Family,
        values: &FWPS_INCOMING_VALUES0,
        metadata: &FWPS_INCOMING_METADATA_VALUES0,
    ) {
        classify(id(0, direction, family), 0, values, metadata, ptr::null_mut());
    }

    /// A packet of a flow.
    pub fn transport(&self, flow: u64, direction: Direction, lengths: &[u32]) {
        self.transport_as(flow, direction, Family::V4, &metadata(flow, 0), lengths);
    }

    /// A packet with this metadata: a list of one `NET_BUFFER` for each length.
    pub fn transport_as(
        &self,
        flow: u64,
        direction: Direction,
        family: Family,
        metadata: &FWPS_INCOMING_METADATA_VALUES0,
        lengths: &[u32],
    ) {
        // Each in a block of its own, so that a step beyond one is seen.
        let mut chain: Vec<Box<NET_BUFFER>> = Vec::new();
        for length in lengths.iter().rev() {
            chain.push(Box::new(NET_BUFFER {
                Next: chain.last().map_or(ptr::null(), |next| &raw const **next),
                CurrentMdl: ptr::null(),
                CurrentMdlOffset: 0,
                DataLength: DataLength(*length),
            }));
        }
        let first = chain.last().map_or(ptr::null(), |first| &raw const **first);
        let mut list = NET_BUFFER_LIST { Next: ptr::null(), FirstNetBuffer: first };
        let values = FWPS_INCOMING_VALUES0 { layerId: 0, valueCount: 0, incomingValue: ptr::null() };
        classify(id(4, direction, family), flow, &values, metadata, (&raw mut list).cast());
    }

    /// The network ends a flow.
    pub fn end(&self, flow: u64) {
        filter_engine::end_flow(flow);
    }

    /// Unloads the driver, in the driver's order, while the network may go on.
    pub fn stop(&self) {
        AUTHORIZING.wait();
        unload::drain();
        unload::unregister_callouts();
        consumers::dismiss();
        flow::free_ring();
        assert!(!event_tracing::is_registered(), "a provider is left");
        assert_eq!(flow::live(), 0, "records live");
        assert_eq!(filter_engine::contexts(), 0, "contexts are left");
        assert_eq!(kernel::blocks(), 0, "blocks of pool are left");
        assert_eq!(TOTALS.opened.get(), TOTALS.closed.get(), "opened and closed");
    }
}

/// No bit is set.
pub const fn metadata(flow: u64, pid: u64) -> FWPS_INCOMING_METADATA_VALUES0 {
    FWPS_INCOMING_METADATA_VALUES0 {
        currentMetadataValues: 0,
        flags: 0,
        reserved: 0,
        discardMetadata: [0; 2],
        flowHandle: flow,
        ipHeaderSize: 0,
        transportHeaderSize: 0,
        processPath: ptr::null(),
        token: 0,
        processId: pid,
        sourceInterfaceIndex: 0,
        destinationInterfaceIndex: 0,
        compartmentId: 1,
        unread: [0; 45],
        subProcessTag: 0x55,
    }
}

/// The id of a callout: `callouts::CALLOUTS` has four for authorization, then four for transport, and is registered
/// from its end.
fn id(first: u32, direction: Direction, family: Family) -> u32 {
    let of_direction = match direction {
        Direction::Out => 0,
        Direction::In => 2,
    };
    8 - first - of_direction - family as u32
}

fn classify(
    callout: u32,
    flow: u64,
    values: &FWPS_INCOMING_VALUES0,
    metadata: &FWPS_INCOMING_METADATA_VALUES0,
    layer_data: *mut c_void,
) {
    filter_engine::classify(callout, flow, |classify, context| {
        const NOT_DECIDED: u32 = 0;
        let mut out = FWPS_CLASSIFY_OUT0 {
            actionType: NOT_DECIDED,
            outContext: 0,
            filterId: 0,
            rights: FWPS_RIGHT_ACTION_WRITE,
            flags: 0,
            reserved: 0,
        };
        // SAFETY: all of it is what the driver may expect, by the promise of whoever made values and metadata.
        unsafe { classify(values, metadata, layer_data, ptr::null(), ptr::null(), context, &raw mut out) };
        assert_eq!(out.actionType, crate::wfp::ffi::FWP_ACTION_CONTINUE, "the driver blocks");
        assert_eq!(irql(), 0, "the driver returns at another IRQL");
    });
}
