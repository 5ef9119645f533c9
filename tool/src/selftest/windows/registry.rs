//! Keys of `HKEY_LOCAL_MACHINE`, and values of theirs.

use std::{ffi::c_void, ptr};

use windows_sys::Win32::{
    Foundation::{ERROR_FILE_NOT_FOUND, ERROR_SUCCESS, WIN32_ERROR},
    System::Registry::{
        HKEY, HKEY_LOCAL_MACHINE, KEY_QUERY_VALUE, KEY_SET_VALUE, REG_DWORD, REG_OPTION_NON_VOLATILE, RRF_RT_REG_DWORD,
        RRF_RT_REG_SZ, RegCloseKey, RegCreateKeyExW, RegDeleteValueW, RegGetValueW, RegOpenKeyExW, RegSetValueExW,
    },
};

use crate::wide;

/// Characters of the texts that are read, and a NUL.
const LONGEST: usize = 64;

/// An open key.
pub(super) struct Key(HKEY);

impl Key {
    /// One that may be changed, which is made if it is not there.
    pub(super) fn create(path: &str) -> Result<Self, WIN32_ERROR> {
        let path = wide::text(path);
        let mut key = ptr::null_mut();
        // SAFETY: the path ends with a NUL, and the key has room; what is NULL may be (page `RegCreateKeyExW`).
        let error = unsafe {
            RegCreateKeyExW(
                HKEY_LOCAL_MACHINE,
                path.as_ptr(),
                0,
                ptr::null(),
                REG_OPTION_NON_VOLATILE,
                KEY_QUERY_VALUE | KEY_SET_VALUE,
                ptr::null(),
                &raw mut key,
                ptr::null_mut(),
            )
        };
        succeeded(error).map(|()| Self(key))
    }

    /// One that is there.
    pub(super) fn read(path: &str) -> Result<Self, WIN32_ERROR> {
        let path = wide::text(path);
        let mut key = ptr::null_mut();
        // SAFETY: the path ends with a NUL, and the key has room.
        let error = unsafe { RegOpenKeyExW(HKEY_LOCAL_MACHINE, path.as_ptr(), 0, KEY_QUERY_VALUE, &raw mut key) };
        succeeded(error).map(|()| Self(key))
    }

    /// A `REG_DWORD`, if it is one.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        let mut number = 0_u32;
        self.get(name, RRF_RT_REG_DWORD, (&raw mut number).cast(), size_of::<u32>())?;
        Some(number)
    }

    /// A `REG_SZ`, if it is one, and short.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let mut text = [0_u16; LONGEST];
        let bytes = self.get(name, RRF_RT_REG_SZ, text.as_mut_ptr().cast(), size_of_val(&text))?;
        // With its NUL.
        let units = (bytes / size_of::<u16>()).saturating_sub(1);
        Some(String::from_utf16_lossy(&text[..units]))
    }

    /// Reads a value of this type into `room`, and says how many bytes it has.
    fn get(&self, name: &str, kind: u32, room: *mut c_void, size: usize) -> Option<usize> {
        let name = wide::text(name);
        let mut bytes = u32::try_from(size).ok()?;
        // SAFETY: the key is open, the name ends with a NUL, and there is room for as many bytes as it says.
        let error =
            unsafe { RegGetValueW(self.0, ptr::null(), name.as_ptr(), kind, ptr::null_mut(), room, &raw mut bytes) };
        succeeded(error).ok().map(|()| bytes as usize)
    }

    /// Sets a `REG_DWORD`, or takes it away.
    pub(super) fn set(&self, name: &str, value: Option<u32>) -> Result<(), WIN32_ERROR> {
        let name = wide::text(name);
        let Some(number) = value else {
            // SAFETY: the key is open, and the name ends with a NUL.
            return match unsafe { RegDeleteValueW(self.0, name.as_ptr()) } {
                ERROR_FILE_NOT_FOUND => Ok(()),
                error => succeeded(error),
            };
        };
        let bytes = number.to_le_bytes();
        // SAFETY: the key is open, the name ends with a NUL, and a `REG_DWORD` has four bytes.
        succeeded(unsafe { RegSetValueExW(self.0, name.as_ptr(), 0, REG_DWORD, bytes.as_ptr(), 4) })
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the key is ours, and this is the last use of it.
        unsafe { RegCloseKey(self.0) };
    }
}

fn succeeded(error: WIN32_ERROR) -> Result<(), WIN32_ERROR> {
    if error == ERROR_SUCCESS { Ok(()) } else { Err(error) }
}
