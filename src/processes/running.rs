//! What runs already when the driver is loaded: one pass over the processes, after the routine is registered.
//!
//! The list gives ids only. Everything else comes from the process that is looked up, since by then another one may have the id.
//!
//! IRQL: `PASSIVE_LEVEL`
use core::{mem::offset_of, ptr, slice};

use wdk_sys::{STATUS_INFO_LENGTH_MISMATCH, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS};

use super::{
    PROCESSES, count,
    ffi::{SYSTEM_PROCESS_INFORMATION, SystemProcessInformation, ZwQuerySystemInformation},
    look::{self, Kept},
};
use crate::{failure::Failure, pool};

const STEP: &str = "ZwQuerySystemInformation";
/// How often the list is asked for: it may have grown each time.
const ATTEMPTS: u32 = 8;
/// Room for what starts between two calls, in bytes.
const MORE: u32 = 16 * 1024;

/// Fills the table with them.
pub fn fill() -> Result<(), Failure> {
    let mut room = MORE;
    for _ in 0..ATTEMPTS {
        let list =
            List::allocate(room).ok_or(Failure { step: "ExAllocatePool2", status: STATUS_INSUFFICIENT_RESOURCES })?;
        let mut needed = 0;
        // SAFETY: the block has so many bytes, and the length is stored in a local.
        let status = unsafe {
            ZwQuerySystemInformation(SystemProcessInformation, list.block.as_ptr().cast(), list.room, &raw mut needed)
        };
        match status {
            STATUS_SUCCESS => {
                list.ids().for_each(add);
                return Ok(());
            }
            STATUS_INFO_LENGTH_MISMATCH => room = needed.max(room).saturating_add(MORE),
            status => return Err(Failure { step: STEP, status }),
        }
    }
    Err(Failure { step: STEP, status: STATUS_INFO_LENGTH_MISMATCH })
}

/// Adds the process that has this id now, unless it is known. One that was told of at its exit meanwhile stays marked, and one
/// that had exited before the routine was registered is marked here: nobody tells of it any more.
fn add(pid: u64) {
    let Some(process) = Kept::with_id(pid) else { return };
    let process = process.get();
    // SAFETY: it is kept until the end of this function.
    let Some(key) = (unsafe { look::key_of(process) }) else { return };
    // SAFETY: as above.
    let parent = unsafe { look::parent_of(process) };
    // SAFETY: as above.
    let known = unsafe { look::at(process, pid, key, parent) };
    // Last: a process that exits from now on is told of, and one that exited before is seen.
    // SAFETY: as above.
    let exited = unsafe { look::has_exited(process) };
    let outcome = PROCESSES.lock().insert(known, exited);
    count(&outcome);
}

/// A block with the list.
struct List {
    block: ptr::NonNull<u8>,
    room: u32,
}

impl List {
    fn allocate(room: u32) -> Option<Self> {
        Some(Self { block: pool::allocate(room as usize, pool::PROCESS)?, room })
    }

    /// The ids in the list, which Windows has written. An entry says how far it is to the next one, and the last one says zero.
    fn ids(&self) -> impl Iterator<Item = u64> {
        // SAFETY: so many bytes were allocated, as zeros.
        let bytes = unsafe { slice::from_raw_parts(self.block.as_ptr(), self.room as usize) };
        let mut at = Some(0_usize);
        core::iter::from_fn(move || {
            let entry = bytes.get(at?..)?;
            let next = field::<4>(entry, offset_of!(SYSTEM_PROCESS_INFORMATION, NextEntryOffset))?;
            let pid = field::<8>(entry, offset_of!(SYSTEM_PROCESS_INFORMATION, UniqueProcessId))?;
            let next = u32::from_le_bytes(next) as usize;
            at = at?.checked_add(next).filter(|_| next != 0);
            Some(u64::from_le_bytes(pid))
        })
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: allocated with this tag, and nobody else knows it.
        unsafe { pool::free(self.block, pool::PROCESS) };
    }
}

fn field<const N: usize>(entry: &[u8], offset: usize) -> Option<[u8; N]> {
    entry.get(offset..)?.first_chunk().copied()
}
