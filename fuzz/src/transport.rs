//! The driver's transport classify: chains of packets of any number and length, with and without a header.

use arbitrary::{Arbitrary, Unstructured};
use flowtag_on_host::{
    Machine,
    machine::metadata,
    tag::{Direction, Family},
    wfp::ffi::{FWPS_INCOMING_METADATA_VALUES0, FWPS_METADATA_FIELD_TRANSPORT_HEADER_SIZE},
};

const FLOW: u64 = 0x2a1;

#[derive(Arbitrary, Debug)]
struct Packets {
    trace_level: u32,
    batches: Vec<Batch>,
}

#[derive(Arbitrary, Debug)]
struct Batch {
    inbound: bool,
    header: Option<u32>,
    lengths: Vec<u32>,
}

/// Sends and receives packets of a tagged flow, and of one that is not.
pub fn run(input: &[u8]) {
    let Ok(it) = Packets::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let machine = Machine::start(16, it.trace_level);
    machine.authorize(FLOW, 4242, &mut []);
    for batch in &it.batches {
        let metadata = FWPS_INCOMING_METADATA_VALUES0 {
            currentMetadataValues: batch.header.map_or(0, |_| FWPS_METADATA_FIELD_TRANSPORT_HEADER_SIZE),
            transportHeaderSize: batch.header.unwrap_or(u32::MAX),
            ..metadata(FLOW, 0)
        };
        let direction = if batch.inbound { Direction::In } else { Direction::Out };
        for flow in [FLOW, FLOW + 1] {
            machine.transport_as(flow, direction, Family::V4, &metadata, &batch.lengths);
        }
    }
    machine.end(FLOW);
    machine.stop();
}
