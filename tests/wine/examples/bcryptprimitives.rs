//! bcryptprimitives.dll, of which Rust's standard library wants random numbers. Wine has it from some release behind 8.0 on.
#![no_std]

use core::panic::PanicInfo;

#[link(name = "advapi32.dll", kind = "raw-dylib", modifiers = "+verbatim")]
unsafe extern "system" {
    /// `RtlGenRandom` (ntsecapi.h).
    fn SystemFunction036(buffer: *mut u8, length: u32) -> u8;
}

/// Fills a buffer, which it always can.
///
/// # Safety
/// The buffer is as long as that.
#[expect(clippy::cast_possible_truncation, reason = "the library asks for 16 bytes")]
#[unsafe(export_name = "ProcessPrng")]
pub unsafe extern "system" fn process_prng(buffer: *mut u8, length: usize) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { SystemFunction036(buffer, length as u32) }.into()
}

/// `DllMain`, by the name that build.rs has for drivers.
#[unsafe(export_name = "DriverEntry")]
pub extern "system" fn loaded() -> i32 {
    1
}

/// There is nothing that panics.
#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    loop {}
}
