//! Blocks from the host's allocator, with padding behind them.

use std::alloc::{Layout, alloc_zeroed, dealloc};

use super::block::{ALIGNMENT, Block};

/// Bytes behind a block that are checked when it is freed.
pub(super) const PAD: usize = 16;

fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(PAD)?, ALIGNMENT).ok()
}

/// A zeroed block with [`PAD`] bytes behind it.
pub(super) fn allocate(size: usize) -> Option<u64> {
    // SAFETY: the layout is never empty: the padding is not.
    let block = unsafe { alloc_zeroed(layout(size)?) };
    (!block.is_null()).then_some(block as u64)
}

/// Gives a block back that `allocate` made.
pub(super) fn free(block: &Block) {
    let layout = layout(block.size).expect("the layout was possible when the block was allocated");
    // SAFETY: the pool's table gives out each retired block once, and `allocate` made it with this layout.
    unsafe { dealloc(block.address as *mut u8, layout) };
}
