//! Keys of `HKEY_LOCAL_MACHINE`, and values of theirs.

use std::{ffi::c_void, ptr};

use windows_sys::Win32::{
    Foundation::{ERROR_FILE_NOT_FOUND, ERROR_MORE_DATA, ERROR_SUCCESS, WIN32_ERROR},
    System::Registry::{
        HKEY, HKEY_LOCAL_MACHINE, KEY_QUERY_VALUE, KEY_SET_VALUE, REG_DWORD, REG_OPTION_NON_VOLATILE, RRF_RT_REG_DWORD,
        RRF_RT_REG_SZ, RegCloseKey, RegCreateKeyExW, RegDeleteValueW, RegGetValueW, RegOpenKeyExW, RegQueryValueExW,
        RegSetValueExW,
    },
};

use super::super::machine::Value;
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
        // With its NUL (page `RegGetValueW`, pcbData).
        let units = (bytes / size_of::<u16>()).saturating_sub(1);
        Some(String::from_utf16_lossy(&text[..units]))
    }

    /// A value of whatever type, if it is there.
    pub(super) fn value(&self, name: &str) -> Result<Option<Value>, WIN32_ERROR> {
        let mut room = vec![0; size_of::<u32>()];
        loop {
            let (kind, bytes) = match self.query(name, &mut room) {
                Err(ERROR_FILE_NOT_FOUND) => return Ok(None),
                found => found?,
            };
            // The size comes first, and another one if somebody has set it meanwhile.
            if bytes > room.len() {
                room.resize(bytes, 0);
                continue;
            }
            room.truncate(bytes);
            return Ok(Some(match <[u8; 4]>::try_from(room.as_slice()) {
                Ok(number) if kind == REG_DWORD => Value::Number(u32::from_le_bytes(number)),
                _ => Value::Other(kind, room),
            }));
        }
    }

    /// Reads a value into `room`, if there is enough; its type, and how many bytes it has.
    fn query(&self, name: &str, room: &mut [u8]) -> Result<(u32, usize), WIN32_ERROR> {
        let name = wide::text(name);
        let mut kind = 0;
        let mut bytes = u32::try_from(room.len()).unwrap_or(u32::MAX);
        // SAFETY: the key is open, the name ends with a NUL, and there is room for as many bytes as it says.
        let error = unsafe {
            RegQueryValueExW(self.0, name.as_ptr(), ptr::null(), &raw mut kind, room.as_mut_ptr(), &raw mut bytes)
        };
        match error {
            // Then it says how many there are (page `RegQueryValueExW`).
            ERROR_MORE_DATA => Ok((kind, bytes as usize)),
            error => succeeded(error).map(|()| (kind, bytes as usize)),
        }
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

    /// Sets a value, or takes it away.
    pub(super) fn set(&self, name: &str, value: Option<&Value>) -> Result<(), WIN32_ERROR> {
        let name = wide::text(name);
        let number;
        let (kind, bytes) = match value {
            Some(Value::Number(value)) => {
                number = value.to_le_bytes();
                (REG_DWORD, number.as_slice())
            }
            Some(Value::Other(kind, bytes)) => (*kind, bytes.as_slice()),
            None => {
                // SAFETY: the key is open, and the name ends with a NUL.
                return match unsafe { RegDeleteValueW(self.0, name.as_ptr()) } {
                    ERROR_FILE_NOT_FOUND => Ok(()),
                    error => succeeded(error),
                };
            }
        };
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        // SAFETY: the key is open, the name ends with a NUL, and there are as many bytes as it says.
        succeeded(unsafe { RegSetValueExW(self.0, name.as_ptr(), 0, kind, bytes.as_ptr(), length) })
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
