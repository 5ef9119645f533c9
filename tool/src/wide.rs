//! Text as Windows takes it: UTF-16 with a NUL at its end.

use std::{path::Path, slice};

/// A text of ours.
pub fn text(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A file's name, which need not be well-formed.
#[cfg(windows)]
pub fn path(path: &Path) -> Vec<u16> {
    use std::os::windows::ffi::OsStrExt;

    path.as_os_str().encode_wide().chain([0]).collect()
}

/// A file's name, in tests.
#[cfg(not(windows))]
pub fn path(path: &Path) -> Vec<u16> {
    text(&path.to_string_lossy())
}

/// A text of Windows'.
///
/// # Safety
/// It ends with a NUL.
pub unsafe fn read(wide: *const u16) -> String {
    let mut length = 0;
    // SAFETY: the caller's promise: up to the NUL all can be read.
    while unsafe { wide.wrapping_add(length).read() } != 0 {
        length += 1;
    }
    // SAFETY: as above.
    String::from_utf16_lossy(unsafe { slice::from_raw_parts(wide, length) })
}
