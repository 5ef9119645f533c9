//! Functions that compilers call on their own: `memcpy` and its like, and the stack probe.
//!
//! They are the processor's own code, called by the driver without a crossing into the host: they have no IRQL limit and
//! cannot fail, and a bad pointer faults in them as it would on Windows.

use std::arch::naked_asm;

/// Longer than the code of any of [`natives`].
const LONGEST: u64 = 96;

/// The C functions, by name.
fn natives() -> [(&'static str, u64); 4] {
    [
        ("memcpy", memmove as *const () as u64),
        ("memmove", memmove as *const () as u64),
        ("memset", memset as *const () as u64),
        ("memcmp", memcmp as *const () as u64),
    ]
}

/// The address of the function `name`.
pub(super) fn address(name: &str) -> Option<u64> {
    if name == "__chkstk" {
        return Some(stack_probe as *const () as u64);
    }
    natives().iter().find(|(native, _)| *native == name).map(|&(_, address)| address)
}

/// Whether a C function starts at `address`.
pub(super) fn starts_at(address: u64) -> bool {
    natives().iter().any(|&(_, start)| start == address)
}

/// The C function that `address` lies in.
pub(crate) fn name(address: u64) -> Option<&'static str> {
    let nearest = natives().into_iter().filter(|&(_, start)| start <= address).max_by_key(|&(_, start)| start)?;
    (address - nearest.1 < LONGEST).then_some(nearest.0)
}

/// win64 `memmove(destination, source, length)`. A leaf without a frame: when it faults, the return address is on top
/// of the stack. The direction flag stays clear, since a fault would leave it set for the host.
#[unsafe(naked)]
unsafe extern "sysv64" fn memmove() {
    naked_asm!(
        "mov r10, rdi",
        "mov r11, rsi",
        "mov rax, rcx",
        "mov rdi, rcx",
        "mov rsi, rdx",
        "mov rcx, r8",
        "mov r9, rdi",
        "sub r9, rsi",
        "cmp r9, r8",
        "jb 2f",
        "rep movsb",
        "jmp 3f",
        // The destination starts inside the source: from the end.
        "2:",
        "test rcx, rcx",
        "jz 3f",
        "mov r9b, [rsi + rcx - 1]",
        "mov [rdi + rcx - 1], r9b",
        "dec rcx",
        "jmp 2b",
        "3:",
        "mov rdi, r10",
        "mov rsi, r11",
        "ret",
    )
}

/// win64 `memset(destination, value, length)`.
#[unsafe(naked)]
unsafe extern "sysv64" fn memset() {
    naked_asm!(
        "mov r10, rdi",
        "mov r9, rcx",
        "mov rdi, rcx",
        "mov eax, edx",
        "mov rcx, r8",
        "rep stosb",
        "mov rdi, r10",
        "mov rax, r9",
        "ret",
    )
}

/// win64 `memcmp(first, second, length)`.
#[unsafe(naked)]
unsafe extern "sysv64" fn memcmp() {
    naked_asm!(
        "xor r9d, r9d",
        "2:",
        "cmp r9, r8",
        "je 3f",
        "movzx eax, byte ptr [rcx + r9]",
        "movzx r10d, byte ptr [rdx + r9]",
        "inc r9",
        "sub eax, r10d",
        "je 2b",
        "ret",
        "3:",
        "xor eax, eax",
        "ret",
    )
}

/// Stack probe of functions with large frames: it must keep rax, r10 and r11, so it cannot go through the thunk. The
/// driver's stack is mapped as a whole; a frame that does not fit meets the guard page.
#[unsafe(naked)]
unsafe extern "sysv64" fn stack_probe() {
    naked_asm!("ret")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Copy = unsafe extern "win64" fn(*mut u8, *const u8, usize) -> *mut u8;
    type Set = unsafe extern "win64" fn(*mut u8, i32, usize) -> *mut u8;
    type Compare = unsafe extern "win64" fn(*const u8, *const u8, usize) -> i32;

    fn function<T>(name: &str) -> T {
        let address = address(name).expect("a native function");
        // SAFETY: each test names the type that goes with the function.
        unsafe { std::mem::transmute_copy(&address) }
    }

    fn moved(from: usize, to: usize, length: usize) -> [u8; 8] {
        let mut bytes = *b"abcdefgh";
        let start = bytes.as_mut_ptr();
        // SAFETY: both ranges lie in `bytes`.
        let returned = unsafe { function::<Copy>("memmove")(start.wrapping_add(to), start.wrapping_add(from), length) };
        assert_eq!(returned, start.wrapping_add(to));
        bytes
    }

    #[test]
    fn memmove_copies_overlapping_ranges_either_way() {
        assert_eq!(&moved(0, 2, 5), b"ababcdeh");
        assert_eq!(&moved(2, 0, 5), b"cdefgfgh");
        assert_eq!(&moved(0, 4, 0), b"abcdefgh");
    }

    #[test]
    fn memset_fills_its_range_only() {
        let mut bytes = *b"abcdefgh";
        // SAFETY: the range lies in `bytes`.
        unsafe { function::<Set>("memset")(bytes.as_mut_ptr().wrapping_add(2), i32::from(b'x'), 3) };
        assert_eq!(&bytes, b"abxxxfgh");
    }

    #[test]
    fn memcmp_orders_bytes_as_unsigned() {
        let compare = function::<Compare>("memcmp");
        let order = |first: &[u8; 2], second: &[u8; 2]| {
            // SAFETY: both have two bytes.
            unsafe { compare(first.as_ptr(), second.as_ptr(), 2) }.signum()
        };
        assert_eq!((order(b"ab", b"ab"), order(b"ab", b"ac"), order(&[0xFF, 0], &[1, 0])), (0, -1, 1));
    }

    #[test]
    fn an_address_in_a_native_function_is_known_by_name() {
        assert_eq!(name(address("memset").unwrap() + 3), Some("memset"));
        assert_eq!(name(0), None);
    }
}
