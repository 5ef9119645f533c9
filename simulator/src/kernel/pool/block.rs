//! A block of pool, and what is wrong with it.

use std::{fmt, ops::Range, slice};

use super::{
    plain,
    special::{PAGE, Run},
};
use crate::image::digest;

/// Blocks start at multiples of this.
pub(super) const ALIGNMENT: usize = 16;
/// What the unused bytes around a block hold; checked when it is freed.
pub(super) const SLACK: u8 = 0xA5;

/// From so many pages on it is worth a system call to learn which of them are not zeros.
const LARGE: usize = 8;

const SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION: u32 = 0xC1;
const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;

/// A pool tag: four characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(pub u32);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.to_le_bytes().escape_ascii())
    }
}

/// A block of pool.
#[derive(Clone, Debug)]
pub struct Block {
    /// Where it starts.
    pub address: u64,
    /// The bytes that were asked for.
    pub size: usize,
    /// Its tag.
    pub tag: Tag,
    /// Whether it is paged pool.
    pub paged: bool,
    /// The code that allocated it.
    pub allocated_by: u64,
    /// The code that freed it, if it has been freed.
    pub freed_by: Option<u64>,
    pub(super) run: Option<Run>,
}

/// A misuse of the pool: the bug check it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Misuse {
    /// The bug check code.
    pub code: u32,
    /// Its parameters.
    pub parameters: [u64; 4],
    /// What happened.
    pub reason: String,
}

/// Says what code lies at an address.
pub type Places<'a> = &'a dyn Fn(u64) -> String;

impl Block {
    pub(super) fn first_address(&self) -> u64 {
        self.run.map_or(self.address, |run| run.start)
    }

    /// The bytes before and behind the block that belong to nobody.
    fn slack(&self) -> [Range<u64>; 2] {
        let end = self.address + self.size as u64;
        let behind = self.run.map_or(end + plain::PAD as u64, Run::end);
        [self.first_address()..self.address, end..behind]
    }

    /// A number that says what the block holds, and where it is.
    ///
    /// # Safety
    /// The block is live.
    pub(super) unsafe fn contents(&self) -> u64 {
        let block = self.address..self.address + self.size.next_multiple_of(8) as u64;
        let Some(run) = self.run.filter(|run| run.pages >= LARGE) else {
            // SAFETY: the caller's promise; blocks begin at multiples of 16, and have room for the last eight bytes.
            return unsafe { digest(block.clone()) }.wrapping_add(self.address);
        };
        // This is asked for between any two steps of a run, and most of a large block is zeros that nobody has touched.
        run.touched()
            .map(|page| {
                let part = page.start.max(block.start)..page.end.min(block.end);
                // SAFETY: as above, for a part of it.
                unsafe { digest_unless_zero(part) }
            })
            .fold(self.address, u64::wrapping_add)
    }

    pub(super) fn described(&self, places: Places<'_>) -> String {
        let Self { address, size, tag, .. } = self;
        let freed = self.freed_by.map_or_else(String::new, |freed_by| format!(", freed at {}", places(freed_by)));
        let allocated = places(self.allocated_by);
        format!("the block of {size} bytes at {address:#x}, tag {tag}, allocated at {allocated}{freed}")
    }
}

/// The same number for zeros that were written or read as for those that nobody has touched: none.
///
/// # Safety
/// As for [`digest`].
unsafe fn digest_unless_zero(memory: Range<u64>) -> u64 {
    let length = (memory.end - memory.start) as usize;
    // SAFETY: the caller's promise.
    let bytes = unsafe { slice::from_raw_parts(memory.start as *const u8, length) };
    if *bytes == [0; PAGE][..length] {
        return 0;
    }
    // SAFETY: as above.
    unsafe { digest(memory) }
}

pub(super) fn fill_slack(block: &Block) {
    for range in block.slack() {
        // SAFETY: the block's pages (or its padding) were just made and nobody else knows them.
        unsafe { (range.start as *mut u8).write_bytes(SLACK, (range.end - range.start) as usize) };
    }
}

/// The first address around the block that something was written to.
pub(super) fn damaged_slack(block: &Block) -> Option<u64> {
    block.slack().into_iter().find_map(|range| {
        let length = (range.end - range.start) as usize;
        // SAFETY: the block has been retired by this call alone, and its memory is not released yet.
        let bytes = unsafe { slice::from_raw_parts(range.start as *const u8, length) };
        if *bytes == [SLACK; PAGE][..length] {
            return None;
        }
        bytes.iter().position(|&byte| byte != SLACK).map(|at| range.start + at as u64)
    })
}

pub(super) fn violation(parameters: [u64; 4], reason: String) -> Misuse {
    Misuse { code: DRIVER_VERIFIER_DETECTED_VIOLATION, parameters, reason }
}

pub(super) fn overrun(block: &Block, at: u64, places: Places<'_>) -> Misuse {
    let (kind, place) = if at < block.address { (0x23, "before") } else { (0x24, "behind") };
    Misuse {
        code: SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION,
        parameters: [block.address, at, 0, kind],
        reason: format!("{at:#x}, {place} {}, had been written to", block.described(places)),
    }
}
