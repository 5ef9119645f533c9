//! The import table of a loaded image.
use core::{
    ffi::{CStr, c_char, c_void},
    ptr,
};

use crate::nt;

/// `IMAGE_IMPORT_DESCRIPTOR`.
#[repr(C)]
struct Descriptor {
    names: u32,
    time: u32,
    chain: u32,
    module: u32,
    addresses: u32,
}

/// Shows every import by name to `visit`, with the slot that holds its address.
///
/// # Safety
/// A loaded image is at `base`.
pub unsafe fn each_import(base: *mut c_void, mut visit: impl FnMut(&CStr, *mut usize)) {
    const HEADER: usize = 0x3C;
    /// In the headers: the import directory's address.
    const IMPORTS: usize = 24 + 112 + 8;
    // SAFETY: the caller's promise, here and below: a PE32+ image has these where the format says.
    let header = unsafe { at::<u32>(base, HEADER).read_unaligned() };
    // SAFETY: as above.
    let imports = unsafe { at::<u32>(base, header as usize + IMPORTS).read_unaligned() };
    let mut descriptor = at::<Descriptor>(base, imports as usize);
    loop {
        // SAFETY: as above.
        let module = unsafe { descriptor.read_unaligned() };
        if module.names == 0 {
            return;
        }
        let mut name = at::<u64>(base, module.names as usize);
        let mut slot = at::<usize>(base, module.addresses as usize);
        loop {
            // SAFETY: as above.
            let entry = unsafe { name.read() };
            if entry == 0 {
                break;
            }
            // By name, not by ordinal; behind the hint.
            if let Ok(hint) = usize::try_from(entry) {
                // SAFETY: as above.
                let import = unsafe { CStr::from_ptr(at::<c_char>(base, hint + 2)) };
                visit(import, slot);
            }
            name = name.wrapping_add(1);
            slot = slot.wrapping_add(1);
        }
        descriptor = descriptor.wrapping_add(1);
    }
}

fn at<T>(base: *mut c_void, offset: usize) -> *mut T {
    base.wrapping_byte_add(offset).cast()
}

/// Writes a slot, also where the image is read-only, and gives what was in it.
///
/// # Safety
/// The slot is a pointer to a function, which nobody reads meanwhile.
pub unsafe fn replace(slot: *mut usize, function: usize) -> usize {
    const READ_WRITE: u32 = 4;
    let protect = |protection: u32| {
        let (mut address, mut bytes, mut before) = (slot.cast::<c_void>(), size_of::<usize>(), 0);
        // SAFETY: locals. The pages change back below.
        let status =
            unsafe { nt::ZwProtectVirtualMemory(-1, &raw mut address, &raw mut bytes, protection, &raw mut before) };
        if !nt::is_success(status) {
            crate::complain!("protecting {slot:p} as {protection:#x} fails with {status:#010x}");
        }
        before
    };
    let before = protect(READ_WRITE);
    // SAFETY: the caller's promise; it can be written now.
    let original = unsafe { ptr::replace(slot, function) };
    protect(before);
    original
}
