//! The pool: what drivers have allocated, with what Driver Verifier checks about it.
//!
//! - `calls`, `with_tag`: the exports.
//! - [`block`]: a block, and what is wrong with it.
//! - `special`, `plain`: where blocks live.

pub mod block;
pub(super) mod calls;
mod plain;
mod special;
pub(super) mod with_tag;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

pub use self::block::{Block, Misuse, Places, Tag};
pub(crate) use self::calls::give_back;
use self::{
    block::{ALIGNMENT, damaged_slack, fill_slack, overrun, violation},
    special::{Arena, PAGE},
};
use crate::computer::{Finding, Irql};

/// What a block holds that nobody asked to be zeroed.
const UNINITIALIZED: u8 = 0xCD;
/// More than any non-paged pool has.
const LARGEST: usize = 4 << 30;

const POOL_FLAG_UNINITIALIZED: u64 = 0x2;
pub(crate) const POOL_FLAG_NON_PAGED: u64 = 0x40;
const POOL_FLAG_NON_PAGED_EXECUTE: u64 = 0x80;
pub(super) const POOL_FLAG_PAGED: u64 = 0x100;

const BAD_POOL_CALLER: u32 = 0xC2;
const DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL: u32 = 0xD5;
const DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION: u32 = 0xD6;

/// Where blocks live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolKind {
    /// Each block on pages of its own: an overrun or a use after free faults at once.
    #[default]
    Special,
    /// Blocks from the host's allocator: an overrun shows only when the block is freed. For large and fast runs.
    Plain,
}

/// What the live blocks of one tag amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TagUse {
    /// Live blocks.
    pub blocks: usize,
    /// Their bytes, as asked for.
    pub bytes: usize,
    /// Blocks ever allocated.
    pub allocations: u64,
}

/// One machine's pool.
pub struct Pool {
    arena: Option<Arena>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// Live blocks, and freed ones whose pages are still inaccessible; by the first address that belongs to them.
    blocks: BTreeMap<u64, Block>,
    tags: BTreeMap<Tag, TagUse>,
}

impl Pool {
    /// An empty pool.
    ///
    /// # Panics
    /// When the system has no address space left.
    #[must_use]
    pub fn new(kind: PoolKind) -> Self {
        let arena = (kind == PoolKind::Special).then(|| Arena::new().expect("address space for the special pool"));
        Self { arena, table: Mutex::default() }
    }

    /// Allocates a block for the code at `caller`; `None` when there is no memory.
    pub fn allocate(&self, flags: u64, size: usize, tag: Tag, caller: u64) -> Option<u64> {
        if size > LARGEST {
            return None;
        }
        let (address, run) = match self.arena.as_ref().and_then(|arena| arena.open(size.div_ceil(PAGE))) {
            Some(run) => (run.end() - size.next_multiple_of(ALIGNMENT) as u64, Some(run)),
            // As on Windows, what does not fit into the special pool comes from the ordinary one.
            None => (plain::allocate(size)?, None),
        };
        let paged = flags & POOL_FLAG_PAGED != 0;
        let block = Block { address, size, tag, paged, allocated_by: caller, freed_by: None, run };
        fill_slack(&block);
        if flags & POOL_FLAG_UNINITIALIZED != 0 {
            // SAFETY: the block was just made and nobody else knows it.
            unsafe { (address as *mut u8).write_bytes(UNINITIALIZED, size) };
        }
        let mut table = self.table();
        table.blocks.insert(block.first_address(), block);
        let used = table.tags.entry(tag).or_default();
        used.blocks += 1;
        used.bytes += size;
        used.allocations += 1;
        Some(address)
    }

    /// Frees the block at `address`; `tag` 0 fits every block.
    ///
    /// # Errors
    /// The misuse, if it is one; nothing is freed then.
    pub fn free(&self, address: u64, tag: Tag, irql: Irql, caller: u64, places: Places<'_>) -> Result<(), Misuse> {
        let block = self.retire(address, tag, irql, caller, places)?;
        if let Some(corrupt) = damaged_slack(&block) {
            return Err(overrun(&block, corrupt, places));
        }
        match (block.run, &self.arena) {
            (Some(run), Some(arena)) => arena.close(run),
            _ => plain::free(&block),
        }
        Ok(())
    }

    /// Takes the block at `address` out of the live ones, if freeing it is allowed.
    fn retire(&self, address: u64, tag: Tag, irql: Irql, caller: u64, places: Places<'_>) -> Result<Block, Misuse> {
        let mut table = self.table();
        let Some(block) = table.find_mut(address).filter(|block| block.address == address) else {
            return Err(violation(
                [0x10, address, 0, 0],
                format!("{address:#x} was freed, which is not the start of a pool block"),
            ));
        };
        if let Some(first) = block.freed_by {
            return Err(violation(
                [0x13, 0, address, first],
                format!("{} was freed a second time", block.described(places)),
            ));
        }
        if tag.0 != 0 && tag != block.tag {
            return Err(Misuse {
                code: BAD_POOL_CALLER,
                parameters: [0x0A, address, u64::from(block.tag.0), u64::from(tag.0)],
                reason: format!("{} was freed with the tag {tag}", block.described(places)),
            });
        }
        let (limit, parameter) = if block.paged { (Irql::APC, 0x11) } else { (Irql::DISPATCH, 0x12) };
        if irql > limit {
            return Err(violation(
                [parameter, u64::from(irql.0), u64::from(block.paged), address],
                format!("{} was freed at {irql}; {limit} is the highest level for it", block.described(places)),
            ));
        }
        block.freed_by = Some(caller);
        let block = block.clone();
        if block.run.is_none() {
            table.blocks.remove(&block.first_address());
        }
        let used = table.tags.entry(block.tag).or_default();
        used.blocks -= 1;
        used.bytes -= block.size;
        Ok(block)
    }

    /// The live blocks, by address.
    #[must_use]
    pub fn live_blocks(&self) -> Vec<Block> {
        self.table().blocks.values().filter(|block| block.freed_by.is_none()).cloned().collect()
    }

    /// Whether `address` lies in a live block of paged pool.
    pub(crate) fn is_paged(&self, address: u64) -> bool {
        let table = self.table();
        let near = table.blocks.range(..=address).next_back().map(|(_, block)| block);
        near.is_some_and(|block| {
            block.paged
                && block.freed_by.is_none()
                && (block.address..block.address + block.size as u64).contains(&address)
        })
    }

    /// The live blocks in words, those of one place and tag together; `None` when there are none.
    pub(crate) fn leaks(&self, places: Places<'_>) -> Option<String> {
        let mut groups: BTreeMap<(Tag, u64), (usize, usize)> = BTreeMap::new();
        for block in self.live_blocks() {
            let (blocks, bytes) = groups.entry((block.tag, block.allocated_by)).or_default();
            *blocks += 1;
            *bytes += block.size;
        }
        let described = groups.iter().map(|((tag, caller), (blocks, bytes))| {
            format!("{blocks} with tag {tag} ({bytes} bytes) allocated at {}", places(*caller))
        });
        (!groups.is_empty()).then(|| described.collect::<Vec<_>>().join("; "))
    }

    /// A number that says what the live blocks hold, and where they are.
    pub(crate) fn contents(&self) -> u64 {
        let table = self.table();
        let live = table.blocks.values().filter(|block| block.freed_by.is_none());
        // SAFETY: live blocks are not released before this lock is.
        live.map(|block| unsafe { block.contents() }).fold(0, u64::wrapping_add)
    }

    /// How many blocks are live.
    #[must_use]
    pub fn live_count(&self) -> usize {
        self.table().tags.values().map(|used| used.blocks).sum()
    }

    /// What the live blocks of `tag` amount to.
    #[must_use]
    pub fn used_by(&self, tag: Tag) -> TagUse {
        self.table().tags.get(&tag).copied().unwrap_or_default()
    }

    /// What is known about an address at which the driver faulted.
    pub(crate) fn explain(&self, address: u64, places: Places<'_>) -> Option<Finding> {
        let arena = self.arena.as_ref().filter(|arena| arena.contains(address))?;
        let table = self.table();
        let near = table.blocks.range(..=address).next_back().map(|(_, block)| block);
        let Some((block, run)) = near.and_then(|block| Some((block, block.run?))) else {
            return Some(Finding {
                code: DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL,
                text: "pool that was never given out".into(),
            });
        };
        let guard = run.end()..run.end() + PAGE as u64;
        debug_assert!(arena.contains(run.start));
        let (code, text) = if guard.contains(&address) {
            let behind = address - (block.address + block.size as u64);
            (
                DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION,
                format!("{behind} bytes behind the end of {}", block.described(places)),
            )
        } else if address < guard.start && block.freed_by.is_some() {
            let into = address.wrapping_sub(block.address).cast_signed();
            (DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL, format!("{into} bytes into {}", block.described(places)))
        } else {
            (DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL, "pool that is not given out".into())
        };
        Some(Finding { code, text })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap()
    }
}

impl Table {
    /// The block that `address` may belong to: the nearest that starts at or before it.
    fn find_mut(&mut self, address: u64) -> Option<&mut Block> {
        self.blocks.range_mut(..=address).next_back().map(|(_, block)| block)
    }
}

#[cfg(test)]
mod tests;
