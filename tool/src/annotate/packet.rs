//! An Enhanced Packet Block, taken apart and put together again with more options (draft-ietf-opsawg-pcapng, "Enhanced Packet Block").

use super::marks;
use crate::{
    capture::{
        Block, LONGEST,
        options::{self, COMMENT},
    },
    event::Direction,
};

/// Interface, time in two halves, captured and original length.
const FIXED: usize = 20;
const EPB_FLAGS: u16 = 2;

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    /// The number of its interface.
    pub(super) interface: u32,
    /// When it was captured, in units of the interface.
    pub(super) time: u64,
    /// What was captured of it.
    pub(super) data: &'a [u8],
    /// Which way it went, if its flags say so.
    pub(super) direction: Option<Direction>,
    /// It says already whose it is.
    pub(super) is_annotated: bool,
    /// Where in the block's body its options end: what follows is the end of their list, if there is one.
    options_end: usize,
}

impl<'a> Packet<'a> {
    /// The packet of a block; `None` if the block is not as it should be.
    pub(super) fn read(block: &Block<'a>) -> Option<Self> {
        let (body, order) = (block.body(), block.order);
        let number = |place| order.u32_at(body, place);
        let (interface, high, low, captured) = (number(0)?, number(4)?, number(8)?, number(12)?);
        let captured = usize::try_from(captured).ok()?;
        let data = body.get(FIXED..FIXED.checked_add(captured)?)?;
        let begin = FIXED + captured.next_multiple_of(4);
        let listed = body.get(begin..)?;
        let (mut direction, mut is_annotated) = (None, false);
        let length = options::read(listed, order, |option| match (option.code, option.value) {
            (EPB_FLAGS, value) => direction = order.u32_at(value, 0).and_then(which_way),
            (marks::EPB_PROCESSID_THREADID, _) => is_annotated = true,
            (COMMENT, text) => is_annotated |= marks::is_ours(text),
            _ => {}
        });
        let options_end = begin + length.ok()?;
        let time = u64::from(high) << 32 | u64::from(low);
        Some(Self { interface, time, data, direction, is_annotated, options_end })
    }

    /// Appends the block with further options behind those that it has. `false`, and nothing is appended: it would be longer than
    /// blocks may be.
    pub(super) fn with_options(&self, block: &Block<'_>, more: &[u8], bytes: &mut Vec<u8>) -> bool {
        let (body, order) = (block.body(), block.order);
        let (kept, rest) = body.split_at(self.options_end);
        let list_end = if rest.is_empty() { 4 } else { rest.len() };
        let length = u32::try_from(12 + kept.len() + more.len() + list_end).ok().filter(|&length| length <= LONGEST);
        let Some(length) = length.map(|length| order.bytes32(length)) else { return false };
        bytes.extend(&block.bytes[..4]);
        bytes.extend(length);
        bytes.extend(kept);
        bytes.extend(more);
        if rest.is_empty() {
            options::append_end(bytes, order);
        } else {
            bytes.extend(rest);
        }
        bytes.extend(length);
        true
    }
}

/// The lowest two bits: 1 came in, 2 went out ("Enhanced Packet Block Flags Word").
const fn which_way(flags: u32) -> Option<Direction> {
    match flags & 3 {
        1 => Some(Direction::In),
        2 => Some(Direction::Out),
        _ => None,
    }
}
