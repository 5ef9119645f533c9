//! Memory that the driver points at.
//!
//! Simulator and driver share one address space, so a bad pointer from the driver would crash the simulator itself. The
//! copies here go through the kernel (`process_vm_readv` on ourselves), which answers `EFAULT` instead: the import being
//! served can then raise the bug check that Windows would. Only the calling thread's own driver stack, where most of what
//! a driver points at lies, is known to be there and is read without asking.

use std::{ptr, sync::OnceLock};

use bytemuck::{AnyBitPattern, NoUninit};

use super::Cpu;
use crate::referee::Watch;

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
        let at = address.wrapping_add(2 * units.len() as u64);
        let bytes = read_bytes(at, piece(at).max(2) & !1)?;
        let read = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        let before = units.len();
        units.extend(read.take_while(|&unit| unit != 0));
        if units.len() - before < bytes.len() / 2 {
            break;
        }
    }
    units.truncate(limit);
    Ok(String::from_utf16_lossy(&units))
}

/// Reads bytes up to a NUL (not included), at most `limit`.
///
/// # Errors
/// [`BadPointer`] when memory ends before the string does.
pub fn read_c_string(address: u64, limit: usize) -> Result<Vec<u8>, BadPointer> {
    let mut bytes = Vec::new();
    while bytes.len() < limit {
        let at = address.wrapping_add(bytes.len() as u64);
        let read = read_bytes(at, piece(at))?;
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

/// How many bytes of a string to read at `address`: pieces never touch a page behind the string's end.
fn piece(address: u64) -> usize {
    const PIECE: u64 = 64;
    (PIECE - address % PIECE) as usize
}

/// This process, whose number does not change.
fn ourselves() -> libc::pid_t {
    static OURSELVES: OnceLock<libc::pid_t> = OnceLock::new();
    *OURSELVES.get_or_init(|| std::process::id().cast_signed())
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
    if pointers_are_trusted() {
        // SAFETY: the driver's pointer is good, as whoever watches it loosely has decided.
        unsafe { ptr::copy(bytes.as_ptr(), address as *mut u8, bytes.len()) };
        return Ok(());
    }
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: address as *mut _, iov_len: bytes.len() };
    // SAFETY: both vectors live for the call; the kernel checks the remote addresses and only reads the local ones.
    let written = unsafe { libc::process_vm_writev(ourselves(), &raw const local, 1, &raw const remote, 1, 0) };
    if written == bytes.len().cast_signed() { Ok(()) } else { Err(BadPointer(address)) }
}

/// Whether the calling CPU's machine takes the driver's pointers as they are: a copy through the kernel costs more than
/// most of what a driver does between two imports.
fn pointers_are_trusted() -> bool {
    Cpu::with_current(|cpu| cpu.is_some_and(|cpu| cpu.machine().settings().watch == Watch::Loosely))
}

fn read_into(address: u64, bytes: &mut [u8]) -> Result<(), BadPointer> {
    if on_own_stack(address, bytes.len()) || pointers_are_trusted() {
        // SAFETY: all of it lies on this thread's driver stack, which stays mapped as long as the thread is a CPU, and the
        // driver code there waits for us; or whoever watches the driver loosely has decided that its pointers are good.
        unsafe { ptr::copy_nonoverlapping(address as *const u8, bytes.as_mut_ptr(), bytes.len()) };
        return Ok(());
    }
    let local = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: address as *mut _, iov_len: bytes.len() };
    // SAFETY: both vectors live for the call; the kernel checks the remote addresses and fills only the local ones.
    let read = unsafe { libc::process_vm_readv(ourselves(), &raw const local, 1, &raw const remote, 1, 0) };
    if read == bytes.len().cast_signed() { Ok(()) } else { Err(BadPointer(address)) }
}

fn on_own_stack(address: u64, length: usize) -> bool {
    let Some(last) = address.checked_add(length as u64).and_then(|end| end.checked_sub(1)) else { return false };
    Cpu::with_current(|cpu| cpu.is_some_and(|cpu| cpu.stack_holds(address) && cpu.stack_holds(last)))
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

    #[test]
    fn a_utf16_string_ends_at_its_nul_or_at_the_limit() {
        let text: Vec<u16> = "a name of more than sixty-four bytes in all\0behind".encode_utf16().collect();
        for skipped in [0, 1, 7] {
            let address = text[skipped..].as_ptr() as u64;
            let name = &"a name of more than sixty-four bytes in all"[skipped..];
            assert_eq!(read_utf16(address, 100).unwrap(), name);
            assert_eq!(read_utf16(address, 5).unwrap(), name[..5]);
        }
    }
}
