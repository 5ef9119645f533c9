//! The pool: `ExAllocatePool2` and its counterparts, with what Driver Verifier checks about them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard},
};

use super::{
    exports::{Call, Export, Fails},
    irql::Irql,
    plain_pool,
    special_pool::{Arena, PAGE, Run},
};
use crate::{image::digest, referee::crash::Finding};

/// Pool blocks start at multiples of this.
pub(super) const ALIGNMENT: usize = 16;
/// What the unused bytes around a block hold; checked when it is freed.
pub(super) const SLACK: u8 = 0xA5;
/// What a block holds that nobody asked to be zeroed.
const UNINITIALIZED: u8 = 0xCD;
/// More than any non-paged pool has.
const LARGEST: usize = 4 << 30;

pub(super) const POOL_FLAG_UNINITIALIZED: u64 = 0x2;
pub(crate) const POOL_FLAG_NON_PAGED: u64 = 0x40;
pub(super) const POOL_FLAG_NON_PAGED_EXECUTE: u64 = 0x80;
pub(super) const POOL_FLAG_PAGED: u64 = 0x100;
/// Flags that fail the allocation when they are not known.
const REQUIRED: u64 = 0xFFFF_FFFF;
const KNOWN: u64 = 0x6F | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED;

const BAD_POOL_CALLER: u32 = 0xC2;
const SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION: u32 = 0xC1;
const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;
const DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL: u32 = 0xD5;
const DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION: u32 = 0xD6;

/// The pool's exports.
pub const EXPORTS: &[Export] = &[
    Export { module: "ntoskrnl.exe", name: "ExAllocatePool2", max_irql: Irql::HIGH, fails: Fails::Null, run: allocate },
    Export {
        module: "ntoskrnl.exe",
        name: "ExFreePoolWithTag",
        max_irql: Irql::HIGH,
        fails: Fails::Never,
        run: free_tagged,
    },
    Export { module: "ntoskrnl.exe", name: "ExFreePool", max_irql: Irql::HIGH, fails: Fails::Never, run: free },
];

/// Where blocks live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolKind {
    /// Each block on pages of its own: an overrun or a use after free faults at once.
    #[default]
    Special,
    /// Blocks from the host's allocator: an overrun shows only when the block is freed. For large and fast runs.
    Plain,
}

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
    run: Option<Run>,
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
            None => (plain_pool::allocate(size)?, None),
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
            _ => plain_pool::free(&block),
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
        live.map(|block| {
            let end = block.address + block.size.next_multiple_of(8) as u64;
            // SAFETY: live blocks are not released before this lock is; they begin at multiples of 16.
            unsafe { digest(block.address..end) }.wrapping_add(block.address)
        })
        .fold(0, u64::wrapping_add)
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

impl Block {
    fn first_address(&self) -> u64 {
        self.run.map_or(self.address, |run| run.start)
    }

    /// The bytes before and behind the block that belong to nobody.
    fn slack(&self) -> [std::ops::Range<u64>; 2] {
        let end = self.address + self.size as u64;
        let behind = self.run.map_or(end + plain_pool::PAD as u64, Run::end);
        [self.first_address()..self.address, end..behind]
    }

    fn described(&self, places: Places<'_>) -> String {
        let Self { address, size, tag, .. } = self;
        let freed = self.freed_by.map_or_else(String::new, |freed_by| format!(", freed at {}", places(freed_by)));
        let allocated = places(self.allocated_by);
        format!("the block of {size} bytes at {address:#x}, tag {tag}, allocated at {allocated}{freed}")
    }
}

fn fill_slack(block: &Block) {
    for range in block.slack() {
        // SAFETY: the block's pages (or its padding) were just made and nobody else knows them.
        unsafe { (range.start as *mut u8).write_bytes(SLACK, (range.end - range.start) as usize) };
    }
}

/// The first address around the block that something was written to.
fn damaged_slack(block: &Block) -> Option<u64> {
    block.slack().into_iter().find_map(|range| {
        let length = (range.end - range.start) as usize;
        // SAFETY: the block has been retired by this call alone, and its memory is not released yet.
        let bytes = unsafe { std::slice::from_raw_parts(range.start as *const u8, length) };
        if *bytes == [SLACK; PAGE][..length] {
            return None;
        }
        bytes.iter().position(|&byte| byte != SLACK).map(|at| range.start + at as u64)
    })
}

fn violation(parameters: [u64; 4], reason: String) -> Misuse {
    Misuse { code: DRIVER_VERIFIER_DETECTED_VIOLATION, parameters, reason }
}

fn overrun(block: &Block, at: u64, places: Places<'_>) -> Misuse {
    let (kind, place) = if at < block.address { (0x23, "before") } else { (0x24, "behind") };
    Misuse {
        code: SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION,
        parameters: [block.address, at, 0, kind],
        reason: format!("{at:#x}, {place} {}, had been written to", block.described(places)),
    }
}

fn allocate(call: &Call<'_>) -> u64 {
    allocate_as(call, call.arg(0))
}

/// Allocates what arguments 1 and 2, size and tag, ask for.
pub(super) fn allocate_as(call: &Call<'_>, flags: u64) -> u64 {
    let (size, tag) = (call.arg(1), Tag(call.arg_u32(2)));
    let irql = call.cpu.irql();
    let paged = flags & POOL_FLAG_PAGED != 0;
    let kinds = flags & (POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED);
    if size == 0 {
        let parameters = [0, u64::from(irql.0), flags, 0];
        call.bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, parameters, "the driver allocated 0 bytes of pool");
    }
    let (limit, parameter) = if paged { (Irql::APC, 1) } else { (Irql::DISPATCH, 2) };
    if irql > limit {
        call.bug_check(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            [parameter, u64::from(irql.0), flags, size],
            format!("pool was allocated at {irql}; {limit} is the highest level for this kind"),
        );
    }
    let invalid = kinds.count_ones() != 1 || flags & REQUIRED & !KNOWN != 0 || tag.0 == 0;
    if invalid {
        return 0;
    }
    let Ok(size) = usize::try_from(size) else { return 0 };
    call.machine.pool().allocate(flags, size, tag, call.caller()).unwrap_or(0)
}

fn free_tagged(call: &Call<'_>) -> u64 {
    give_back(call, Tag(call.arg_u32(1)))
}

fn free(call: &Call<'_>) -> u64 {
    give_back(call, Tag(0))
}

fn give_back(call: &Call<'_>, tag: Tag) -> u64 {
    let places = |address| call.machine.place(address);
    let outcome = call.machine.pool().free(call.arg(0), tag, call.cpu.irql(), call.caller(), &places);
    if let Err(Misuse { code, parameters, reason }) = outcome {
        call.bug_check(code, parameters, reason);
    }
    0
}

#[cfg(test)]
mod tests;
