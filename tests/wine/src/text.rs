//! Text of limited length, and small files.
use core::{ffi::c_void, fmt, ptr, str};

use crate::nt::{self, IoStatusBlock, ObjectAttributes, Status, UnicodeString};

/// At most `N` bytes of text, with a NUL behind them.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    /// No text.
    #[must_use]
    pub const fn empty() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    /// The text, cut if it is too long.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut copy = Self::empty();
        let _ = fmt::Write::write_str(&mut copy, text);
        copy
    }

    /// The text; nothing if it is not UTF-8.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The text and the NUL behind it.
    #[must_use]
    pub fn with_nul(&self) -> &[u8] {
        self.bytes.get(..=self.length).unwrap_or(&[0])
    }

    /// Reads a file; [`None`] where there is none.
    #[must_use]
    pub fn of_file(name: &UnicodeString) -> Option<Self> {
        /// `SYNCHRONIZE` and `FILE_READ_DATA`.
        const ACCESS: u32 = 0x10_0001;
        const SHARE_READ: u32 = 1;
        const OPEN: u32 = 1;
        const SYNCHRONOUS: u32 = 0x20;
        let attributes = ObjectAttributes::new(ptr::null_mut(), name);
        let mut io = IoStatusBlock { status: 0, information: 0 };
        let mut file: *mut c_void = ptr::null_mut();
        // SAFETY: everything is a local, or the caller's.
        let status = unsafe {
            nt::ZwCreateFile(
                &raw mut file,
                ACCESS,
                &raw const attributes,
                &raw mut io,
                ptr::null(),
                0,
                SHARE_READ,
                OPEN,
                SYNCHRONOUS,
                ptr::null(),
                0,
            )
        };
        if !nt::is_success(status) {
            return None;
        }
        let mut text = Self::empty();
        let status = text.fill(file);
        // SAFETY: opened above.
        unsafe { nt::ZwClose(file) };
        nt::is_success(status).then_some(text)
    }

    fn fill(&mut self, file: *mut c_void) -> Status {
        let mut io = IoStatusBlock { status: 0, information: 0 };
        let start = 0;
        // The last byte stays NUL.
        let room = u32::try_from(N - 1).unwrap_or(u32::MAX);
        // SAFETY: the buffer has that much room.
        let status = unsafe {
            nt::ZwReadFile(
                file,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                &raw mut io,
                self.bytes.as_mut_ptr(),
                room,
                &raw const start,
                ptr::null(),
            )
        };
        self.length = if nt::is_success(status) { io.information } else { 0 };
        status
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            // One byte is kept for the NUL.
            if self.length + 1 >= N {
                return Err(fmt::Error);
            }
            self.bytes[self.length] = byte;
            self.length += 1;
        }
        Ok(())
    }
}
