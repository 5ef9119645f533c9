//! Memory that the driver points at.
//!
//! Simulator and driver share one address space, so a bad pointer from the driver would crash the simulator itself. The
//! copies here go through the kernel (`process_vm_readv` on ourselves), which answers `EFAULT` instead: the import being
//! served can then raise the bug check that Windows would.

use bytemuck::{AnyBitPattern, NoUninit};

/// The driver gave an address that cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("address {0:#x} is not accessible")]
pub struct BadPointer(pub u64);

/// Reads a value of type `T` at `address`.
///
/// # Errors
/// [`BadPointer`] when not all of it can be read.
pub fn read<T: AnyBitPattern + NoUninit>(address: u64) -> Result<T, BadPointer> {
    let mut value = T::zeroed();
    read_into(address, bytemuck::bytes_of_mut(&mut value))?;
    Ok(value)
}

/// Reads `length` bytes at `address`.
///
/// # Errors
/// [`BadPointer`] when not all of them can be read.
pub fn read_bytes(address: u64, length: usize) -> Result<Vec<u8>, BadPointer> {
    let mut bytes = vec![0; length];
    read_into(address, &mut bytes)?;
    Ok(bytes)
}

/// Reads UTF-16 up to a NUL (not included), at most `limit` units.
///
/// # Errors
/// [`BadPointer`] when memory ends before the string does.
pub fn read_utf16(address: u64, limit: usize) -> Result<String, BadPointer> {
    let mut units = Vec::new();
    while units.len() < limit {
        let unit: u16 = read(address.wrapping_add(2 * units.len() as u64))?;
        if unit == 0 {
            break;
        }
        units.push(unit);
    }
    Ok(String::from_utf16_lossy(&units))
}

/// Reads bytes up to a NUL (not included), at most `limit`.
///
/// # Errors
/// [`BadPointer`] when memory ends before the string does.
pub fn read_c_string(address: u64, limit: usize) -> Result<Vec<u8>, BadPointer> {
    /// Reads stay within pieces of this size, so that they never touch a page behind the string's end.
    const PIECE: u64 = 64;
    let mut bytes = Vec::new();
    while bytes.len() < limit {
        let at = address.wrapping_add(bytes.len() as u64);
        let piece = (PIECE - at % PIECE) as usize;
        let read = read_bytes(at, piece)?;
        if let Some(end) = read.iter().position(|&byte| byte == 0) {
            bytes.extend_from_slice(&read[..end]);
            bytes.truncate(limit);
            return Ok(bytes);
        }
        bytes.extend_from_slice(&read);
    }
    bytes.truncate(limit);
    Ok(bytes)
}

/// Writes `value` at `address`.
///
/// # Errors
/// [`BadPointer`] when not all of it can be written.
pub fn write<T: NoUninit>(address: u64, value: T) -> Result<(), BadPointer> {
    write_bytes(address, bytemuck::bytes_of(&value))
}

/// Writes `bytes` at `address`.
///
/// # Errors
/// [`BadPointer`] when not all of them can be written.
pub fn write_bytes(address: u64, bytes: &[u8]) -> Result<(), BadPointer> {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: address as *mut _, iov_len: bytes.len() };
    let ourselves = std::process::id().cast_signed();
    // SAFETY: both vectors live for the call; the kernel checks the remote addresses and only reads the local ones.
    let written = unsafe { libc::process_vm_writev(ourselves, &raw const local, 1, &raw const remote, 1, 0) };
    if written == bytes.len().cast_signed() { Ok(()) } else { Err(BadPointer(address)) }
}

fn read_into(address: u64, bytes: &mut [u8]) -> Result<(), BadPointer> {
    let local = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: address as *mut _, iov_len: bytes.len() };
    let ourselves = std::process::id().cast_signed();
    // SAFETY: both vectors live for the call; the kernel checks the remote addresses and fills only the local ones.
    let read = unsafe { libc::process_vm_readv(ourselves, &raw const local, 1, &raw const remote, 1, 0) };
    if read == bytes.len().cast_signed() { Ok(()) } else { Err(BadPointer(address)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_null_is_an_error_not_a_crash() {
        assert_eq!(read::<u64>(0), Err(BadPointer(0)));
    }

    #[test]
    fn a_written_value_is_read_back() {
        let mut place = 0u32;
        write(&raw mut place as u64, 7u32).unwrap();
        assert_eq!(read::<u32>(&raw const place as u64), Ok(7));
    }

    #[test]
    fn a_c_string_ends_at_its_nul() {
        let text = *b"flowtag\0behind";
        assert_eq!(read_c_string(text.as_ptr() as u64, 100).unwrap(), b"flowtag");
    }
}
