//! The path of a process's image, in a block of pool of its own, in the form in which flows have theirs.
use core::{ptr::NonNull, slice};

use crate::{
    path::{Path, Unit},
    pool,
};

/// An owned path. Its block begins with the number of code units that follow.
pub struct StoredPath(NonNull<usize>);

// SAFETY: it owns its block, which any thread may read and free.
unsafe impl Send for StoredPath {}

impl StoredPath {
    /// Stores what is kept of UTF-16LE in bytes. [`None`] for nothing, or when memory is short.
    ///
    /// IRQL: <= `DISPATCH_LEVEL`, or lower where the bytes are pageable
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let path = Path::of(bytes);
        let units = path.units();
        if units == 0 {
            return None;
        }
        let bytes = units.wrapping_mul(size_of::<Unit>()).wrapping_add(size_of::<usize>());
        let block = pool::allocate(bytes, pool::PROCESS)?.cast::<usize>();
        // SAFETY: the block is large and aligned enough, and ours.
        unsafe { block.write(units) };
        // SAFETY: the block goes on behind the length.
        let behind = unsafe { block.add(1) };
        // SAFETY: for as many zeroed code units as the path has.
        path.write(unsafe { slice::from_raw_parts_mut(behind.cast::<Unit>().as_ptr(), units) });
        Some(Self(block))
    }
}

impl AsRef<[u8]> for StoredPath {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: written by `of`, and the block is ours.
        let units = unsafe { self.0.read() };
        // SAFETY: the block goes on behind the length.
        let behind = unsafe { self.0.add(1) };
        // SAFETY: `of` made room for the path there, and wrote it.
        unsafe { slice::from_raw_parts(behind.cast::<Unit>().as_ptr(), units) }.as_flattened()
    }
}

impl Drop for StoredPath {
    /// IRQL: <= `DISPATCH_LEVEL`, without a lock
    fn drop(&mut self) {
        // SAFETY: allocated with this tag, and nobody else knows it.
        unsafe { pool::free(self.0.cast(), pool::PROCESS) };
    }
}
