//! Packets that wait for each other: whose they are is asked together, which takes much less time where there are many flows.

use crate::capture::{Block, Order, kind};

/// So many wait at most,
const MOST: usize = 128;
/// or as many as have so many bytes: what a cache near the processor has room for.
const BYTES: usize = 1 << 18;

/// The blocks of packets that follow each other, copied.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Where each ends, the order of its numbers, and where in the file it was.
    ends: Vec<(usize, Order, u64)>,
}

impl Batch {
    /// Adds a block of a packet.
    pub(super) fn add(&mut self, block: &Block<'_>) {
        self.bytes.extend(block.bytes);
        self.ends.push((self.bytes.len(), block.order, block.offset));
    }

    /// Whether the next one has to wait for these.
    pub(super) fn is_full(&self) -> bool {
        self.ends.len() >= MOST || self.bytes.len() >= BYTES
    }

    /// The blocks, in their order.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        let mut begin = 0;
        self.ends.iter().map(move |&(end, order, offset)| {
            let bytes = &self.bytes[begin..end];
            begin = end;
            Block { kind: kind::ENHANCED_PACKET, bytes, order, offset }
        })
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}
