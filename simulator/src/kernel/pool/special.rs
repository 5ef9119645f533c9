//! Memory of its own for each pool block: the block ends where its last page ends, and the page behind it faults.
//!
//! One large reservation holds all blocks, so that the kernel's limit on mappings (65,530) does not bound how many can
//! live. What is not a live block is inaccessible; a freed block stays so until many others have been freed after it.
//! Linux 6.13 and later mark single pages as guards without splitting the mapping; before that each block is made
//! accessible by `mprotect`, which runs into the limit at about 32,000 live blocks.

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    ptr,
    sync::{Mutex, MutexGuard, OnceLock},
};

/// The x64 page size.
pub(super) const PAGE: usize = 4096;

/// Address space that one machine's blocks share: room for eight million blocks before a page is used again.
const RESERVED: usize = 64 << 30;
/// The reservation is opened in steps: at first small ones, since many machines live for a few blocks only.
const FIRST_STEP: usize = 64;
const LARGEST_STEP: usize = 1024;
/// So many freed blocks stay inaccessible; an older one's pages may serve again.
const QUARANTINE: usize = 1 << 16;

const MADV_GUARD_INSTALL: libc::c_int = 102;
const MADV_GUARD_REMOVE: libc::c_int = 103;

/// The pages of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Address of the first page.
    pub(super) start: u64,
    /// How many there are, the guard page not included.
    pub(super) pages: usize,
}

impl Run {
    /// The first address behind the block: the guard page's.
    pub(super) fn end(self) -> u64 {
        self.start + (self.pages * PAGE) as u64
    }

    /// The pages that may hold something else than zeros: those that somebody has touched since the run was opened, as the kernel
    /// has it in /proc/self/pagemap (its Documentation/admin-guide/mm/pagemap.rst: bits 63 and 62). All of them where it does not tell.
    pub(super) fn touched(self) -> impl Iterator<Item = Range<u64>> {
        const PRESENT_OR_SWAPPED: u64 = 0b11 << 62;
        const ENTRY: usize = size_of::<u64>();
        static PAGEMAP: OnceLock<Option<File>> = OnceLock::new();
        let pagemap = PAGEMAP.get_or_init(|| File::open("/proc/self/pagemap").ok());
        let mut entries = vec![0xff; self.pages * ENTRY];
        let at = self.start / PAGE as u64 * ENTRY as u64;
        if pagemap.as_ref().is_none_or(|pagemap| pagemap.read_exact_at(&mut entries, at).is_err()) {
            entries.fill(0xff);
        }
        (0..self.pages).filter_map(move |page| {
            let entry = u64::from_le_bytes(*entries[page * ENTRY..].first_chunk()?);
            let start = self.start + (page * PAGE) as u64;
            (entry & PRESENT_OR_SWAPPED != 0).then_some(start..start + PAGE as u64)
        })
    }
}

/// The reservation.
pub(super) struct Arena {
    base: u64,
    length: usize,
    guards: bool,
    runs: Mutex<Runs>,
}

#[derive(Default)]
struct Runs {
    /// Pages given out so far, from the reservation's start.
    used: usize,
    /// Pages opened so far.
    opened: usize,
    /// Runs that may serve again, by their number of pages.
    free: HashMap<usize, Vec<Run>>,
    quarantine: VecDeque<Run>,
}

impl Arena {
    pub(super) fn new() -> io::Result<Self> {
        Self::with(RESERVED, guards_supported())
    }

    fn with(length: usize, guards: bool) -> io::Result<Self> {
        // SAFETY: a new mapping; nothing else refers to it.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { base: base as u64, length, guards, runs: Mutex::default() })
    }

    /// Whether `address` lies in the reservation.
    pub(super) fn contains(&self, address: u64) -> bool {
        (self.base..self.base + self.length as u64).contains(&address)
    }

    /// Makes `pages` pages of zeros accessible, with an inaccessible one behind them; `None` when there are none left.
    pub(super) fn open(&self, pages: usize) -> Option<Run> {
        let run = self.take(pages)?;
        let opened =
            if self.guards { advise(run, MADV_GUARD_REMOVE) } else { protect(run, libc::PROT_READ | libc::PROT_WRITE) };
        if opened.is_err() {
            self.runs().free.entry(pages).or_default().push(run);
            return None;
        }
        Some(run)
    }

    /// Makes a run's pages inaccessible and forgets their contents.
    pub(super) fn close(&self, run: Run) {
        let closed = if self.guards {
            advise(run, MADV_GUARD_INSTALL)
        } else {
            protect(run, libc::PROT_NONE).and_then(|()| advise(run, libc::MADV_DONTNEED))
        };
        closed.expect("pages that were opened can be closed");
        let mut runs = self.runs();
        runs.quarantine.push_back(run);
        if runs.quarantine.len() > QUARANTINE
            && let Some(oldest) = runs.quarantine.pop_front()
        {
            runs.free.entry(oldest.pages).or_default().push(oldest);
        }
    }

    fn take(&self, pages: usize) -> Option<Run> {
        let mut runs = self.runs();
        if let Some(run) = runs.free.get_mut(&pages).and_then(Vec::pop) {
            return Some(run);
        }
        let end = runs.used.checked_add(pages)?.checked_add(1)?;
        if end > self.length / PAGE {
            return None;
        }
        if end > runs.opened {
            let step = runs.opened.clamp(FIRST_STEP, LARGEST_STEP);
            let wanted = end.next_multiple_of(step).min(self.length / PAGE);
            let step = Run { start: self.address(runs.opened), pages: wanted - runs.opened };
            if self.guards {
                protect(step, libc::PROT_READ | libc::PROT_WRITE)
                    .and_then(|()| advise(step, MADV_GUARD_INSTALL))
                    .ok()?;
            }
            runs.opened = wanted;
        }
        let run = Run { start: self.address(runs.used), pages };
        runs.used = end;
        Some(run)
    }

    fn address(&self, page: usize) -> u64 {
        self.base + (page * PAGE) as u64
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap()
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: our own mapping; the machine that owned the blocks is gone.
        unsafe { libc::munmap(self.base as *mut libc::c_void, self.length) };
    }
}

fn advise(run: Run, advice: libc::c_int) -> io::Result<()> {
    // SAFETY: the run lies in our own mapping; whoever still uses it is meant to fault.
    let done = unsafe { libc::madvise(run.start as *mut libc::c_void, run.pages * PAGE, advice) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn protect(run: Run, protection: libc::c_int) -> io::Result<()> {
    // SAFETY: as for `advise`.
    let done = unsafe { libc::mprotect(run.start as *mut libc::c_void, run.pages * PAGE, protection) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether this kernel has guard pages that do not split a mapping (Linux 6.13).
fn guards_supported() -> bool {
    static SUPPORTED: OnceLock<bool> = OnceLock::new();
    *SUPPORTED.get_or_init(|| {
        let Ok(arena) = Arena::with(PAGE, true) else { return false };
        let page = Run { start: arena.base, pages: 1 };
        protect(page, libc::PROT_READ | libc::PROT_WRITE).and_then(|()| advise(page, MADV_GUARD_INSTALL)).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::computer::memory::{self, BadPointer};

    fn arenas() -> impl Iterator<Item = Arena> {
        let with_guards = guards_supported().then_some(true);
        [Some(false), with_guards].into_iter().flatten().map(|guards| Arena::with(64 << 20, guards).unwrap())
    }

    #[test]
    fn the_page_behind_a_run_is_inaccessible() {
        for arena in arenas() {
            let run = arena.open(2).unwrap();
            memory::write(run.end() - 1, 1u8).unwrap();
            assert_eq!(memory::write(run.end(), 1u8), Err(BadPointer(run.end())));
        }
    }

    #[test]
    fn the_next_run_lies_behind_the_guard_page() {
        for arena in arenas() {
            let first = arena.open(1).unwrap();
            let second = arena.open(1).unwrap();
            assert_eq!(second.start, first.end() + PAGE as u64);
        }
    }

    #[test]
    fn a_closed_run_is_inaccessible() {
        for arena in arenas() {
            let run = arena.open(1).unwrap();
            arena.close(run);
            assert_eq!(memory::read::<u8>(run.start), Err(BadPointer(run.start)));
        }
    }

    #[test]
    fn a_closed_run_does_not_serve_again_at_once() {
        for arena in arenas() {
            let run = arena.open(1).unwrap();
            arena.close(run);
            assert_ne!(arena.open(1), Some(run));
        }
    }

    #[test]
    fn a_run_that_serves_again_is_zero() {
        for arena in arenas() {
            let first = arena.open(1).unwrap();
            memory::write(first.start, 7u64).unwrap();
            arena.close(first);
            arena.runs().free.insert(1, vec![first]);
            assert_eq!(arena.open(1), Some(first));
            assert_eq!(memory::read::<u64>(first.start), Ok(0));
        }
    }

    #[test]
    fn an_arena_that_is_full_says_so() {
        let arena = Arena::with(4 * PAGE, guards_supported()).unwrap();
        assert!(arena.open(1).is_some());
        assert!(arena.open(2).is_none());
        assert!(arena.open(1).is_some());
        assert!(arena.open(1).is_none());
    }
}
