//! Nonpaged pool with tags of our own, so that `poolmon` and a leak report tell what is what.
use core::ptr::NonNull;

use wdk_sys::{
    POOL_FLAG_NON_PAGED,
    ntddk::{ExAllocatePool2, ExFreePoolWithTag},
};

/// Tag of the flow records, shown as `FtFl`.
pub const FLOW: u32 = u32::from_le_bytes(*b"FtFl");
/// Tag of what is known of processes, shown as `FtPr`.
pub const PROCESS: u32 = u32::from_le_bytes(*b"FtPr");
/// Tag of the ring's slots, shown as `FtRg`.
pub const RING: u32 = u32::from_le_bytes(*b"FtRg");

/// What every block begins at a multiple of, on 64-bit Windows (DDI `ExAllocatePool2`).
pub const ALIGNMENT: usize = 16;

/// Zeroed memory, aligned to [`ALIGNMENT`]. [`None`] when memory is short.
///
/// IRQL: <= `DISPATCH_LEVEL`
pub fn allocate(bytes: usize, tag: u32) -> Option<NonNull<u8>> {
    // SAFETY: these flags and tags are valid, and a size of zero is not asked for.
    let block = unsafe { ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes as u64, tag) };
    NonNull::new(block.cast())
}

/// Gives memory back.
///
/// IRQL: <= `DISPATCH_LEVEL`
///
/// # Safety
/// The block comes from [`allocate`] with the same tag, and nothing uses it any more.
pub unsafe fn free(block: NonNull<u8>, tag: u32) {
    // SAFETY: the caller's promise.
    unsafe { ExFreePoolWithTag(block.as_ptr().cast(), tag) };
}
