//! The two crossings between host and driver code, and the stubs that imports point at.
//!
//! Driver code is win64 and runs on its own small stack; host code is sysv64 and runs on the thread's. The word at
//! `gs:[HOST_STACK]` holds the host's stack pointer while the driver runs; [`enter_driver`] keeps the outer one on the
//! host stack, so crossings nest.

use std::{arch::naked_asm, ptr, sync::OnceLock};

use super::stack::HOST_STACK;

/// Runs the driver function at `function` with `count` arguments on the stack ending at `stack`.
///
/// # Safety
/// `function` is win64 code; `stack` is 16-aligned and has room; GS points at this thread's block.
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn enter_driver(function: u64, arguments: *const u64, count: u64, stack: u64) -> u64 {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push qword ptr gs:[{host}]", // entry 8 mod 16, seven pushes: now 0 mod 16
        "mov qword ptr gs:[{host}], rsp",
        "mov rbx, rsi",
        "mov r11, rdi",
        // Room for all arguments, at least the four of the shadow space, in steps of 16.
        "mov rax, rdx",
        "cmp rax, 4",
        "jae 2f",
        "mov eax, 4",
        "2:",
        "inc rax",
        "and rax, -2",
        "shl rax, 3",
        "mov rsp, rcx",
        "sub rsp, rax",
        // Copy the arguments; the callee finds the first four in registers.
        "xor eax, eax",
        "3:",
        "cmp rax, rdx",
        "jae 4f",
        "mov r10, [rbx + 8*rax]",
        "mov [rsp + 8*rax], r10",
        "inc rax",
        "jmp 3b",
        "4:",
        "mov rcx, [rsp]",
        "mov rdx, [rsp + 8]",
        "mov r8, [rsp + 16]",
        "mov r9, [rsp + 24]",
        "call r11",
        "jmp {leave}",
        host = const HOST_STACK,
        leave = sym leave_driver,
    )
}

/// Returns from the innermost [`enter_driver`], whatever the driver's stack looks like: the way out of a crash too.
///
/// # Safety
/// Runs only below an [`enter_driver`] of this thread.
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn leave_driver() -> ! {
    naked_asm!(
        "cld",
        "mov rsp, qword ptr gs:[{host}]",
        "pop qword ptr gs:[{host}]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        host = const HOST_STACK,
    )
}

/// Where a signal handler sends a thread whose driver code crashed.
pub(super) fn leave_driver_address() -> i64 {
    (leave_driver as *const () as u64).cast_signed()
}

/// Every import stub ends here, its index in r10: spills the arguments into the caller's shadow space, so that all of
/// them form one array, and serves the import on the host's stack.
#[unsafe(naked)]
unsafe extern "sysv64" fn import_thunk() {
    naked_asm!(
        "mov [rsp + 8], rcx",
        "mov [rsp + 16], rdx",
        "mov [rsp + 24], r8",
        "mov [rsp + 32], r9",
        "push rbp",
        "mov rbp, rsp",
        // Callee-saved in win64 but not in sysv64.
        "push rdi",
        "push rsi",
        "sub rsp, 160",
        "movaps [rsp], xmm6",
        "movaps [rsp + 16], xmm7",
        "movaps [rsp + 32], xmm8",
        "movaps [rsp + 48], xmm9",
        "movaps [rsp + 64], xmm10",
        "movaps [rsp + 80], xmm11",
        "movaps [rsp + 96], xmm12",
        "movaps [rsp + 112], xmm13",
        "movaps [rsp + 128], xmm14",
        "movaps [rsp + 144], xmm15",
        "mov rdi, r10",
        "lea rsi, [rbp + 16]",
        "mov rdx, rsp",
        "mov rsp, qword ptr gs:[{host}]",
        "call {dispatch}",
        "lea rsp, [rbp - 176]",
        "movaps xmm6, [rsp]",
        "movaps xmm7, [rsp + 16]",
        "movaps xmm8, [rsp + 32]",
        "movaps xmm9, [rsp + 48]",
        "movaps xmm10, [rsp + 64]",
        "movaps xmm11, [rsp + 80]",
        "movaps xmm12, [rsp + 96]",
        "movaps xmm13, [rsp + 112]",
        "movaps xmm14, [rsp + 128]",
        "movaps xmm15, [rsp + 144]",
        "add rsp, 160",
        "pop rsi",
        "pop rdi",
        "pop rbp",
        "ret",
        host = const HOST_STACK,
        dispatch = sym super::crossing::dispatch,
    )
}

/// As many exports and absent functions as a set of subsystems may have.
const MOST_STUBS: usize = 4096;
/// The size of a stub.
const STUB: usize = 32;

/// The address that driver code calls for the import numbered `index`.
pub(super) fn stub(index: usize) -> u64 {
    static STUBS: OnceLock<u64> = OnceLock::new();
    assert!(index < MOST_STUBS, "more than {MOST_STUBS} exports: raise MOST_STUBS in thunk.rs");
    STUBS.get_or_init(make_stubs) + (index * STUB) as u64
}

/// Makes all stubs at once: which of them are used is up to the subsystems of each machine.
fn make_stubs() -> u64 {
    let mut code = Vec::with_capacity(MOST_STUBS * STUB);
    for index in 0..MOST_STUBS {
        code.extend_from_slice(&[0x49, 0xBA]); // mov r10, index
        code.extend_from_slice(&(index as u64).to_le_bytes());
        code.extend_from_slice(&[0x49, 0xBB]); // mov r11, import_thunk
        code.extend_from_slice(&(import_thunk as *const () as u64).to_le_bytes());
        code.extend_from_slice(&[0x41, 0xFF, 0xE3]); // jmp r11
        code.resize((index + 1) * STUB, 0xCC);
    }
    // SAFETY: a new private mapping; nothing else refers to it.
    let map = unsafe {
        libc::mmap(
            ptr::null_mut(),
            code.len(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert!(map != libc::MAP_FAILED, "no memory for {MOST_STUBS} import stubs");
    // SAFETY: the mapping is writable and as long as `code`.
    unsafe { ptr::copy_nonoverlapping(code.as_ptr(), map.cast(), code.len()) };
    // SAFETY: our own mapping, all of it.
    let protected = unsafe { libc::mprotect(map, code.len(), libc::PROT_READ | libc::PROT_EXEC) };
    assert!(protected == 0, "import stubs cannot be made executable: does this system forbid it?");
    map as u64
}
