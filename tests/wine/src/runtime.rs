//! What compiled code calls unasked: the kernel exports it, and so does Wine's.
use core::ffi::{c_char, c_void};

#[link(name = "ntoskrnl.exe", kind = "raw-dylib", modifiers = "+verbatim")]
#[expect(dead_code, reason = "the compiler's own calls")]
unsafe extern "C" {
    fn __chkstk();
    fn memcmp(one: *const c_void, other: *const c_void, bytes: usize) -> i32;
    fn memcpy(to: *mut c_void, from: *const c_void, bytes: usize) -> *mut c_void;
    fn memmove(to: *mut c_void, from: *const c_void, bytes: usize) -> *mut c_void;
    fn memset(to: *mut c_void, byte: i32, bytes: usize) -> *mut c_void;
    fn strlen(text: *const c_char) -> usize;
}
