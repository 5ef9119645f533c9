//! The stack that driver code runs on, and the block that GS points at.

use std::{io, ptr};

/// What is left to driver code: Windows gives 24 KiB in all (ntddk.h, `KERNEL_STACK_SIZE` of x64), of which the network stack has
/// used most by then.
const USABLE: usize = 8 * 1024;
/// Room for what the import thunk spills (about 200 bytes for each nested import call), which Windows does not have.
const SPILL: usize = 1024;
const PAGE: usize = 4096;
const PAGES: usize = (USABLE + SPILL).div_ceil(PAGE);
/// GS block: a fake KPCR with the simulator's own words behind it.
const BLOCK: usize = 2 * PAGE;
/// Offset of `KPCR.Self`.
const KPCR_SELF: u64 = 0x18;

/// Offset of the simulator's words in the GS block, behind everything that a KPCR has.
pub(super) const HOST_STACK: usize = 0x1000;

/// A driver stack with a guard page below it, and a GS block.
pub(super) struct KernelStack {
    map: *mut libc::c_void,
}

impl KernelStack {
    const LENGTH: usize = PAGE + PAGES * PAGE + BLOCK;

    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: a new private mapping; nothing else refers to it.
        let map = unsafe {
            libc::mmap(
                ptr::null_mut(),
                Self::LENGTH,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if map == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the first page of the mapping above.
        let guarded = unsafe { libc::mprotect(map, PAGE, libc::PROT_NONE) };
        if guarded != 0 {
            return Err(io::Error::last_os_error());
        }
        let stack = Self { map };
        let block = stack.gs_block();
        let own_address = (block + KPCR_SELF) as *mut u64;
        // SAFETY: inside our own block.
        unsafe { own_address.write(block) };
        Ok(stack)
    }

    /// Where the first driver frame starts: [`USABLE`] + [`SPILL`] bytes above the guard page.
    pub(super) fn top(&self) -> u64 {
        self.map as u64 + (PAGE + USABLE + SPILL) as u64
    }

    /// Whether `address` lies in the guard page: the driver's stack overflowed.
    pub(super) fn is_guard(&self, address: u64) -> bool {
        (self.map as u64..self.map as u64 + PAGE as u64).contains(&address)
    }

    /// Whether `address` lies on the stack.
    pub(super) fn holds(&self, address: u64) -> bool {
        (self.map as u64 + PAGE as u64..self.top()).contains(&address)
    }

    pub(super) fn gs_block(&self) -> u64 {
        self.map as u64 + (PAGE + PAGES * PAGE) as u64
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and no driver frame is left on it.
        unsafe { libc::munmap(self.map, Self::LENGTH) };
    }
}
