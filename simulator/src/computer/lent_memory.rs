//! Kernel objects that the driver may read and write: zeroed memory at an address that does not move.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

use super::memory::{self, BadPointer};

/// A piece of memory that the driver knows the address of.
#[derive(Debug)]
pub struct LentMemory {
    address: u64,
    layout: Layout,
}

impl LentMemory {
    /// `size` bytes of zeros, 16-aligned.
    #[must_use]
    pub fn zeroed(size: usize) -> Self {
        const ALIGNMENT: usize = 16;
        let layout = Layout::from_size_align(size.max(1), ALIGNMENT).expect("a size that memory can have");
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc_zeroed(layout) };
        if memory.is_null() {
            handle_alloc_error(layout);
        }
        Self { address: memory as u64, layout }
    }

    /// A copy of `text` in UTF-16.
    #[must_use]
    pub fn utf16(text: &str) -> Self {
        let units: Vec<u16> = text.encode_utf16().collect();
        let memory = Self::zeroed(2 * units.len());
        memory::write_bytes(memory.address, bytemuck::cast_slice(&units)).expect("just allocated");
        memory
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Writes a field.
    pub fn set<T: bytemuck::NoUninit>(&self, offset: u64, value: T) {
        self.check(offset, size_of::<T>());
        memory::write(self.address + offset, value).expect("our own memory");
    }

    /// Reads a field, as the driver left it.
    #[must_use]
    pub fn get<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(&self, offset: u64) -> T {
        self.check(offset, size_of::<T>());
        let value: Result<T, BadPointer> = memory::read(self.address + offset);
        value.expect("our own memory")
    }

    fn check(&self, offset: u64, size: usize) {
        assert!(offset as usize + size <= self.layout.size(), "no field of {size} bytes at {offset:#x}");
    }
}

impl Drop for LentMemory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `zeroed`; the driver it was lent to is gone or has given it back.
        unsafe { dealloc(self.address as *mut u8, self.layout) };
    }
}
