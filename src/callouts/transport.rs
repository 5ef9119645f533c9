//! The transport layers: counts the packets of tagged flows.
use core::ffi::c_void;

use super::go_on;
use crate::{
    demand,
    etw::{self, Id, fields},
    print,
    side::Side,
    trace::{self, level},
    wfp::{
        ffi::{FWPS_CLASSIFY_OUT0, FWPS_INCOMING_METADATA_VALUES0, FWPS_INCOMING_VALUES0},
        metadata::Metadata,
        net_buffer::Payloads,
    },
};

/// classifyFn of the four transport callouts. Runs for every packet of a tagged flow, so it takes no lock, looks
/// nothing up, allocates nothing and calls nothing unless somebody wants to know of the packet.
///
/// IRQL: <= `DISPATCH_LEVEL`
///
/// # Safety
/// Called by the filter engine only.
pub unsafe extern "C" fn classify(
    _values: *const FWPS_INCOMING_VALUES0,
    metadata: *const FWPS_INCOMING_METADATA_VALUES0,
    layer_data: *mut c_void,
    _classify_context: *const c_void,
    _filter: *const c_void,
    flow_context: u64,
    out: *mut FWPS_CLASSIFY_OUT0,
) {
    // SAFETY: from the filter engine.
    unsafe { go_on(out) };
    // SAFETY: the context is ours, and its flowDeleteFn does not run before this classify has returned. That is documented
    // for a removal (STATUS_PENDING of FwpsFlowRemoveContext0). For the end of a flow it is a guess, on which Microsoft's
    // msnmntr relies as well: it frees in flowDeleteFn what its classify reads. In a disassembly of one build that path
    // (NETIO's WfpProcessFlowDelete) does not look at the count of classifies which a removal honours, so it has to be the network
    // stack that keeps a flow for as long as a packet of it is classified; that was not followed.
    let Some(side) = (unsafe { Side::from_context(flow_context) }) else { return };
    // SAFETY: from the filter engine, for the time of this call.
    let Some(metadata) = (unsafe { metadata.as_ref() }) else { return };
    // SAFETY: as above.
    let metadata = unsafe { Metadata::new(metadata) };
    let header = side.header(metadata.transport_header_size());
    // SAFETY: at these layers the data is one NET_BUFFER_LIST.
    let payloads = unsafe { Payloads::of(layer_data, header) };
    let (mut packets, mut bytes) = (0_u64, 0_u64);
    for payload in payloads.clone() {
        packets = packets.wrapping_add(1);
        bytes = bytes.wrapping_add(payload.into());
    }
    let before = side.count(packets, bytes);
    if demand::wants_packet(before) {
        tell(side, payloads, before);
    }
}

/// Writes the lines and events of these packets.
///
/// IRQL: <= `DISPATCH_LEVEL`
#[cold]
#[inline(never)]
fn tell(side: &Side, payloads: Payloads, before: u64) {
    let (tag, details, way) = (side.tag(), side.details(), side.direction());
    let mut first = before == 0;
    for payload in payloads {
        let (least_level, id) =
            if first { (level::FIRST_PACKETS, Id::FirstPacket) } else { (level::PACKETS, Id::Packet) };
        print::flow(least_level, |line| trace::packet(line, first, tag, way, payload));
        etw::write(id, |data| fields::packet(data, tag, details, way, payload));
        first = false;
    }
}
