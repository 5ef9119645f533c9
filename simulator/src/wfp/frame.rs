//! The memory that a classify hands to callouts.
//!
//! Everything that a classifyFn is given is valid only while it runs. Each classify therefore gets a frame of its own,
//! which becomes inaccessible when it ends and is used again as late as possible: a pointer kept too long faults. The
//! process path ends at a guard page, so that reading beyond it faults as well.

use std::{
    collections::{HashMap, VecDeque},
    io, ptr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytemuck::NoUninit;

use crate::referee::Watch;

const PAGE: usize = 4096;
/// Room for structures: enough for a chain of 200 network buffers.
const STRUCTURES: usize = 16 * PAGE;
/// Room for the bytes at the guard page: the longest `UNICODE_STRING`.
const TAIL: usize = 17 * PAGE;
const GUARD: usize = PAGE;
const SIZE: usize = STRUCTURES + TAIL + GUARD;
/// A frame rests until so many others have been used.
const RESTING: usize = 64;

/// The memory of one classify.
#[derive(Debug)]
pub(super) struct Frame {
    base: u64,
    used: usize,
    /// Bytes used before the guard page.
    tail_used: usize,
}

impl Frame {
    fn map() -> io::Result<Self> {
        if let Some(base) = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(Self { base, used: 0, tail_used: 0 });
        }
        // SAFETY: a new anonymous mapping touches no memory that exists.
        let base = unsafe {
            libc::mmap(ptr::null_mut(), SIZE, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { base: base as u64, used: 0, tail_used: 0 })
    }

    /// Places `value` and returns its address.
    ///
    /// # Panics
    /// When the frame is full: a packet of too many buffers.
    pub(super) fn place<T: NoUninit>(&mut self, value: &T) -> u64 {
        self.place_bytes(bytemuck::bytes_of(value))
    }

    /// Places `values` one behind the other and returns the address of the first.
    pub(super) fn place_all<T: NoUninit>(&mut self, values: &[T]) -> u64 {
        self.place_bytes(bytemuck::cast_slice(values))
    }

    fn place_bytes(&mut self, bytes: &[u8]) -> u64 {
        let offset = self.used.next_multiple_of(16);
        assert!(offset + bytes.len() <= STRUCTURES, "a classify with more data than a frame holds");
        self.used = offset + bytes.len();
        let address = self.base + offset as u64;
        copy(address, bytes);
        address
    }

    /// Places `bytes` so that they end at the guard page (a UTF-16 string of odd length ends one byte before it).
    pub(super) fn place_at_guard(&mut self, bytes: &[u8]) -> u64 {
        self.tail_used = bytes.len().next_multiple_of(2);
        assert!(self.tail_used <= TAIL, "{} bytes are more than a UNICODE_STRING holds", bytes.len());
        let address = self.base + (STRUCTURES + TAIL - self.tail_used) as u64;
        copy(address, bytes);
        address
    }

    /// The pages that [`Self::place_at_guard`] used.
    pub(super) fn pages_at_guard(&self) -> std::ops::Range<u64> {
        let end = self.base + (STRUCTURES + TAIL) as u64;
        end - self.tail_used.next_multiple_of(PAGE) as u64..end
    }

    fn empty(&mut self) {
        self.used = 0;
        self.tail_used = 0;
    }

    fn open(&mut self) {
        self.empty();
        protect(self.base, STRUCTURES + TAIL, libc::PROT_READ | libc::PROT_WRITE);
    }

    fn close(&self) {
        protect(self.base, STRUCTURES + TAIL, libc::PROT_NONE);
    }
}

/// Copies `bytes` into an open frame.
fn copy(address: u64, bytes: &[u8]) {
    // SAFETY: the callers keep `address..address + bytes.len()` within their frame, which is mapped for writing and
    // overlaps nothing of the host's.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) }
}

fn protect(address: u64, length: usize, protection: libc::c_int) {
    // SAFETY: only frames are protected, and the host holds no reference into them.
    let failed = unsafe { libc::mprotect(address as *mut _, length, protection) };
    assert!(failed == 0, "the memory of a classify cannot be protected: {}", io::Error::last_os_error());
}

/// Where in classify memory an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a frame that is in use.
    Open,
    /// In one whose classify has ended.
    Closed,
    /// In a guard page of one in use.
    Guard,
}

/// The frames of a machine.
#[derive(Debug)]
pub(super) struct Frames {
    watch: Watch,
    pool: Mutex<Pool>,
}

#[derive(Debug, Default)]
struct Pool {
    resting: VecDeque<Frame>,
    /// Where frames lie, and which are in use.
    mapped: HashMap<u64, bool>,
}

impl Frames {
    pub(super) fn new(watch: Watch) -> Self {
        Self { watch, pool: Mutex::default() }
    }

    /// A frame for a classify that begins.
    ///
    /// # Panics
    /// When there is no memory.
    pub(super) fn take(&self) -> Frame {
        if self.watch == Watch::Loosely
            && let Some(mut frame) = self.lock().resting.pop_back()
        {
            frame.empty();
            return frame;
        }
        let mut frame = {
            let mut pool = self.lock();
            let rested = if pool.resting.len() >= RESTING { pool.resting.pop_front() } else { None };
            let frame = rested.unwrap_or_else(|| Frame::map().expect("memory for a classify"));
            pool.mapped.insert(frame.base, true);
            frame
        };
        frame.open();
        frame
    }

    /// The classify has ended: `frame` becomes inaccessible, unless nobody watches closely.
    pub(super) fn give_back(&self, frame: Frame) {
        if self.watch == Watch::Loosely {
            self.lock().resting.push_back(frame);
            return;
        }
        frame.close();
        let mut pool = self.lock();
        pool.mapped.insert(frame.base, false);
        pool.resting.push_back(frame);
    }

    /// Where `address` is, if it is memory of a classify, perhaps of one long past.
    pub(super) fn find(&self, address: u64) -> Option<Place> {
        let pool = self.lock();
        let (base, in_use) = pool.mapped.iter().find(|&(&base, _)| (base..base + SIZE as u64).contains(&address))?;
        Some(match in_use {
            false => Place::Closed,
            true if address >= base + (STRUCTURES + TAIL) as u64 => Place::Guard,
            true => Place::Open,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Frames of machines that are gone, for the next ones: making and unmapping them costs more than a short machine's life.
static SPARE: Mutex<Vec<u64>> = Mutex::new(Vec::new());
/// So many are kept.
const SPARES: usize = 256;

impl Drop for Pool {
    fn drop(&mut self) {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        for (&base, &in_use) in &self.mapped {
            if !in_use && spare.len() < SPARES {
                spare.push(base);
                continue;
            }
            // SAFETY: mapped by `Frame::map` with this size; no CPU of the machine is left to use it.
            unsafe { libc::munmap(base as *mut _, SIZE) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::computer::memory;

    #[test]
    fn what_was_placed_is_read_back() {
        let frames = Frames::new(Watch::Closely);
        let mut frame = frames.take();
        let address = frame.place(&7u32);
        assert_eq!(memory::read::<u32>(address), Ok(7));
    }

    #[test]
    fn nothing_can_be_read_when_the_classify_has_ended() {
        let frames = Frames::new(Watch::Closely);
        let mut frame = frames.take();
        let address = frame.place(&7u32);
        frames.give_back(frame);
        assert!(memory::read::<u32>(address).is_err());
    }

    #[test]
    fn reading_beyond_the_path_fails() {
        let frames = Frames::new(Watch::Closely);
        let mut frame = frames.take();
        let address = frame.place_at_guard(b"path");
        assert_eq!(memory::read_bytes(address, 4).unwrap(), b"path");
        assert!(memory::read_bytes(address, 5).is_err());
    }

    #[test]
    fn the_longest_path_fits() {
        let frames = Frames::new(Watch::Closely);
        let mut frame = frames.take();
        let address = frame.place_at_guard(&vec![b'x'; 65_534]);
        assert!(memory::read_bytes(address, 65_534).is_ok());
    }

    #[test]
    fn an_ended_frame_is_not_used_for_the_next_classify() {
        let frames = Frames::new(Watch::Closely);
        let frame = frames.take();
        let base = frame.base;
        frames.give_back(frame);
        assert_ne!(frames.take().base, base);
    }

    #[test]
    fn a_frame_is_known_while_its_classify_runs() {
        let frames = Frames::new(Watch::Closely);
        let address = frames.take().place(&7u32);
        assert_eq!(frames.find(address), Some(Place::Open));
    }

    #[test]
    fn a_frame_is_known_after_its_classify_has_ended() {
        let frames = Frames::new(Watch::Closely);
        let mut frame = frames.take();
        let address = frame.place(&7u32);
        frames.give_back(frame);
        assert_eq!(frames.find(address), Some(Place::Closed));
    }

    #[test]
    fn the_byte_behind_the_path_is_in_the_guard_page() {
        let frames = Frames::new(Watch::Closely);
        let address = frames.take().place_at_guard(b"path");
        assert_eq!(frames.find(address + 4), Some(Place::Guard));
    }

    #[test]
    fn other_memory_is_no_frame() {
        assert_eq!(Frames::new(Watch::Closely).find(0x1000), None);
    }
}
