//! A driver image: mapped, bound to the exports that it is handed, and able to say where in the source an address is.

mod error;
mod frame;
pub mod guard;
mod load;
#[cfg(test)]
pub(crate) mod sample;
mod symbols;
#[cfg(test)]
mod tests;
pub mod unwind;

use std::{ops::Range, path::Path, ptr, slice};

pub use error::LoadError;
pub use frame::Frame;
use guard::GuardTable;
use symbols::Symbols;
use unwind::{Registers, UnwindTable};

/// Says what address an import is bound to, by module and name; `None` when there is no such export.
pub type Resolve<'a> = &'a dyn Fn(&str, &str) -> Option<u64>;

/// A mapped driver image.
pub struct Image {
    name: String,
    mapping: Mapping,
    /// Where in the mapping code lies.
    code: Range<u64>,
    /// Where in the mapping the driver may write.
    writable: Vec<Range<u64>>,
    entry: u64,
    guard: Option<GuardTable>,
    forces_integrity: bool,
    unwind: UnwindTable,
    symbols: Symbols,
}

impl Image {
    /// Loads the driver at `path`. Its PDB is looked for beside it.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with the file.
    pub fn load(path: &Path, resolve: Resolve<'_>) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|cause| LoadError::Unreadable { path: path.into(), cause })?;
        Self::from_bytes(path, &bytes, resolve)
    }

    /// Loads the driver that these bytes are, as if they had been read from `path`.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with them.
    pub fn from_bytes(path: &Path, bytes: &[u8], resolve: Resolve<'_>) -> Result<Self, LoadError> {
        load::load(path, bytes, resolve)
    }

    /// The address of the entry point.
    #[must_use]
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// Whether its header says `IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY`.
    #[must_use]
    pub fn forces_integrity(&self) -> bool {
        self.forces_integrity
    }

    /// The file name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The addresses that the image takes.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.mapping.range()
    }

    /// The addresses that code takes.
    #[must_use]
    pub fn code(&self) -> Range<u64> {
        self.code.clone()
    }

    /// Whether `address` lies in the image's code.
    #[must_use]
    pub fn contains(&self, address: u64) -> bool {
        self.code.contains(&address)
    }

    /// Whether control flow guard lets others call the function at `address`. What lies outside the image is not its business.
    #[must_use]
    pub fn may_be_called(&self, address: u64) -> bool {
        let Some(guard) = &self.guard else { return true };
        let offset = address.wrapping_sub(self.range().start);
        !self.range().contains(&address) || u32::try_from(offset).is_ok_and(|offset| guard.lists(offset))
    }

    /// A number that says what the sections hold that the driver may write.
    pub(crate) fn written(&self) -> u64 {
        let sections = self.writable.iter().map(|section| {
            // SAFETY: sections of our own mapping that can be read and written. Only one thread runs driver code while
            // somebody asks this; were there others, the number would be of no use.
            unsafe { digest(section.clone()) }
        });
        sections.fold(0, u64::wrapping_add)
    }

    /// The source places of `address`, inlined functions first.
    #[must_use]
    pub fn symbolize(&self, address: u64) -> Vec<Frame> {
        let offset = address - self.range().start;
        let frames = u32::try_from(offset).map_or_else(|_| Vec::new(), |offset| self.symbols.find(offset));
        if frames.is_empty() {
            vec![Frame::Driver { function: format!("{}+{offset:#x}", self.name), place: None }]
        } else {
            frames
        }
    }

    /// Steps from a frame to its caller; false at the end of the driver's frames.
    pub(crate) fn unwind(&self, registers: &mut Registers, on_stack: impl Fn(u64) -> bool) -> bool {
        self.unwind.step(self.range().start, registers, on_stack)
    }

    /// Unloads the image: its addresses stay reserved, and touching them is a fault from now on.
    pub(crate) fn unload(&self) {
        self.mapping.protect_all();
    }
}

/// A number that says what memory holds, and where.
///
/// # Safety
/// The memory can be read, and begins at a multiple of 8.
pub(crate) unsafe fn digest(memory: Range<u64>) -> u64 {
    const PRIME: u64 = 0x9E37_79B9_7F4A_7C15;
    let words = ((memory.end - memory.start) / 8) as usize;
    // SAFETY: the caller's promise.
    let words = unsafe { slice::from_raw_parts(memory.start as *const u64, words) };
    // Four sums that do not wait for each other.
    let mut sums = [memory.start; 4];
    for four in words.chunks(4) {
        for (sum, word) in sums.iter_mut().zip(four) {
            *sum = (*sum ^ word).wrapping_mul(PRIME).rotate_left(29);
        }
    }
    sums.into_iter().fold(0, |all, sum| (all ^ sum).wrapping_mul(PRIME).rotate_left(31))
}

/// Memory of an image, unmapped at the end.
struct Mapping {
    base: *mut u8,
    length: usize,
}

// SAFETY: the mapping is plain memory that belongs to the driver; the host only protects and unmaps it.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn range(&self) -> Range<u64> {
        self.base as u64..self.base as u64 + self.length as u64
    }

    fn protect_all(&self) {
        // SAFETY: all of our own mapping; no host code reads it.
        unsafe { libc::mprotect(self.base.cast(), self.length, libc::PROT_NONE) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping; a machine drops its images only when no CPU runs.
        unsafe { libc::munmap(self.base.cast(), self.length) };
        self.base = ptr::null_mut();
    }
}
