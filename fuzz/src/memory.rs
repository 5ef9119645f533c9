//! How much memory something takes.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator, which counts for each thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Bytes that this thread has allocated, less those that it has freed.
    static NOW: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// What takes this much for whatever it is given, and so much more for each byte of that, does not believe what lengths promise.
const ANYHOW: usize = 1 << 20;
const PER_BYTE: usize = 64;

/// Does the work on bytes, and panics if it had more memory at once than so many bytes explain.
pub(crate) fn bounded<T>(bytes: &[u8], work: impl FnOnce() -> T) -> T {
    let before = NOW.get();
    MOST.set(before);
    let result = work();
    let most = MOST.get().wrapping_sub(before).unsigned_abs();
    let limit = ANYHOW + PER_BYTE * bytes.len();
    assert!(most <= limit, "{most} bytes of memory for {} bytes: more than {limit}", bytes.len());
    result
}

fn count(bytes: isize) {
    let now = NOW.get().wrapping_add(bytes);
    NOW.set(now);
    MOST.set(MOST.get().max(now));
}

// SAFETY: all of it is the system's, and counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the same rules.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.cast_signed().wrapping_sub(layout.size().cast_signed()));
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(layout.size().cast_signed().wrapping_neg());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}
