//! Control flow guard: what a driver hands over to be called must be in its image's guard table.
//!
//! Where Windows guards the kernel (memory integrity is on), it looks a function up before it calls it, and stops with
//! bug check 0x139 when the table of the image lacks it: WDK "Bug check 0x139", parameter 1 is 10. Here that comes before
//! the first call: with the function that takes the address. An image without control flow guard may be called anywhere.

use super::Cpu;
use crate::image::{Frame, Image};

const KERNEL_SECURITY_CHECK_FAILURE: u32 = 0x139;
/// `FAST_FAIL_GUARD_ICALL_CHECK_FAILURE`. (What else Windows says are addresses of its own records.)
const INDIRECT_CALL: u64 = 10;

/// Looks at a function of the driver's, or 0, that `taker` was given as its `role`.
pub(crate) fn check(cpu: &Cpu, function: u64, taker: &str, role: &str) {
    let Some(image) = cpu.machine().image() else { return };
    if !image.may_be_called(function) {
        let name = name(&image, function);
        cpu.bug_check(
            KERNEL_SECURITY_CHECK_FAILURE,
            [INDIRECT_CALL, function, 0, 0],
            format!("{taker} was given {name} as {role}, and the image's guard table does not list it"),
        );
    }
}

/// What the function at an address of the image is called.
fn name(image: &Image, function: u64) -> String {
    match image.symbolize(function).pop() {
        Some(Frame::Driver { function, .. }) => function,
        _ => format!("{function:#x}"),
    }
}
