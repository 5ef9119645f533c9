//! The blocks of a pcapng file (draft-ietf-opsawg-pcapng, "General Block Structure").

use std::io::Read;

use super::{Block, Order, Stop, kind, window::Window};

/// Type, length and length.
const SHORTEST: u32 = 12;
/// More than any packet or list of names takes: a longer one is taken for damage (ours).
pub const LONGEST: u32 = 16 << 20;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const WHAT: &str = "block";

/// A file, block by block.
pub(super) struct Blocks<R> {
    window: Window<R>,
    order: Order,
}

impl<R: Read> Blocks<R> {
    /// `window` is at the first block, which is a section header.
    pub(super) const fn new(window: Window<R>) -> Self {
        Self { window, order: Order::Little }
    }

    pub(super) fn next_block(&mut self) -> Result<Option<Block<'_>>, Stop> {
        let offset = self.window.offset();
        let damaged = |why: String| Stop::Damaged { what: WHAT, offset, why };
        let cut = |has: usize, wants: u32| Stop::Cut { what: WHAT, offset, has: has as u64, wants: wants.into() };

        let head = self.window.peek(SHORTEST as usize)?;
        if head.is_empty() {
            return Ok(None);
        }
        let Some(&[k0, k1, k2, k3, l0, l1, l2, l3, m0, m1, m2, m3]) = head.first_chunk() else {
            return Err(cut(head.len(), SHORTEST));
        };
        // The type of a section header reads the same either way: behind it the order may be another.
        if self.order.u32([k0, k1, k2, k3]) == kind::SECTION_HEADER {
            self.order = match [Order::Little, Order::Big].map(|order| order.u32([m0, m1, m2, m3]) == BYTE_ORDER_MAGIC)
            {
                [true, _] => Order::Little,
                [_, true] => Order::Big,
                _ => return Err(damaged("begins a section without saying in which order bytes are".into())),
            };
        }
        let order = self.order;
        let kind = order.u32([k0, k1, k2, k3]);
        let length = order.u32([l0, l1, l2, l3]);
        if !(SHORTEST..=LONGEST).contains(&length) || !length.is_multiple_of(4) {
            return Err(damaged(format!("says that it has {length} bytes")));
        }
        let size = length as usize;
        let there = self.window.peek(size)?;
        if there.len() < size {
            return Err(cut(there.len(), length));
        }
        let at_its_end = order.u32_at(there, size - 4);
        if at_its_end != Some(length) {
            let other = at_its_end.unwrap_or_default();
            return Err(damaged(format!("has {length} bytes at its beginning, and {other} at its end")));
        }
        Ok(Some(Block { kind, bytes: self.window.take(size), order, offset }))
    }
}
