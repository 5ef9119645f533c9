//! Text as Windows takes it: UTF-16 with a NUL at its end.

use std::path::Path;

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
