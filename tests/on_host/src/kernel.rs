//! A stand-in for the parts of the kernel that the driver's modules call, under their names in `wdk-sys`.
//!
//! Blocks of pool are blocks of the host's allocator, so that Miri and `AddressSanitizer` watch their bounds and lives.
//! Nothing here takes a lock.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    cell::Cell,
    ffi::{CStr, c_char, c_void},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

#[expect(missing_docs, reason = "the documentation of the Windows names is Microsoft's")]
#[expect(non_camel_case_types, non_snake_case, non_upper_case_globals, reason = "the names of the Windows headers")]
mod names {
    use super::AtomicUsize;

    pub type NTSTATUS = i32;
    pub type BOOLEAN = u8;
    pub type KIRQL = u8;
    pub type KPROCESSOR_MODE = i8;

    pub mod _MODE {
        pub const KernelMode: i32 = 0;
    }
    pub mod _DPFLTR_TYPE {
        pub const DPFLTR_IHVNETWORK_ID: i32 = 77;
    }
    pub const DPFLTR_ERROR_LEVEL: u32 = 0;
    pub const DPFLTR_INFO_LEVEL: u32 = 3;
    pub const DISPATCH_LEVEL: u32 = 2;
    pub const POOL_FLAG_NON_PAGED: u64 = 0x40;

    pub const STATUS_SUCCESS: NTSTATUS = 0;
    pub const STATUS_PENDING: NTSTATUS = 0x103;
    pub const STATUS_OBJECT_NAME_EXISTS: NTSTATUS = 0x4000_0000;
    pub const STATUS_UNSUCCESSFUL: NTSTATUS = 0xC000_0001_u32.cast_signed();
    pub const STATUS_INVALID_PARAMETER: NTSTATUS = 0xC000_000D_u32.cast_signed();
    pub const STATUS_NOT_FOUND: NTSTATUS = 0xC000_0225_u32.cast_signed();
    pub const STATUS_FWP_CALLOUT_NOT_FOUND: NTSTATUS = 0xC022_0001_u32.cast_signed();
    pub const STATUS_FWP_ALREADY_EXISTS: NTSTATUS = 0xC022_0009_u32.cast_signed();

    #[repr(C)]
    #[derive(Clone, Copy)]
    pub union LARGE_INTEGER {
        pub QuadPart: i64,
    }

    /// Twice the number of those inside, and 1 once somebody waits for them to leave.
    #[derive(Default)]
    pub struct EX_RUNDOWN_REF(pub(super) AtomicUsize);
}
pub use names::*;

/// `NT_SUCCESS`.
pub const fn nt_success(status: NTSTATUS) -> bool {
    status >= 0
}

thread_local! {
    static IRQL: Cell<KIRQL> = const { Cell::new(0) };
}

/// Blocks of pool that have not been given back.
static BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// How many allocations from now on fail.
static SHORT_OF_MEMORY: AtomicUsize = AtomicUsize::new(0);
static CLOCK: AtomicU64 = AtomicU64::new(0);

/// Blocks of pool that have not been given back.
pub fn blocks() -> usize {
    BLOCKS.load(Ordering::Relaxed)
}

/// Makes the next `count` allocations fail.
pub fn run_short_of_memory(count: usize) {
    SHORT_OF_MEMORY.store(count, Ordering::Relaxed);
}

/// This thread's IRQL.
pub fn irql() -> KIRQL {
    IRQL.get()
}

/// Room before each block for its size and tag. A multiple of the alignment that pool promises.
const HEADER: usize = 16;

/// The functions of `ntddk.h`.
#[expect(non_snake_case, reason = "the names of the Windows headers")]
#[expect(clippy::cast_ptr_alignment, reason = "every block is aligned to 16 bytes")]
pub mod ntddk {
    use super::{
        AtomicUsize, BLOCKS, BOOLEAN, CLOCK, CStr, Duration, EX_RUNDOWN_REF, HEADER, IRQL, KIRQL, KPROCESSOR_MODE,
        LARGE_INTEGER, Layout, NTSTATUS, Ordering, SHORT_OF_MEMORY, STATUS_SUCCESS, alloc_zeroed, c_char, c_void,
        dealloc, thread,
    };

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(HEADER + bytes, 16).expect("a size that pool can have")
    }

    /// Zeroed memory, or NULL.
    ///
    /// # Safety
    /// Never unsafe.
    pub unsafe fn ExAllocatePool2(_flags: u64, bytes: u64, tag: u32) -> *mut c_void {
        let short = |left: usize| left.checked_sub(1);
        if SHORT_OF_MEMORY.fetch_update(Ordering::Relaxed, Ordering::Relaxed, short).is_ok() {
            return std::ptr::null_mut();
        }
        let bytes = usize::try_from(bytes).expect("64 bits");
        assert_ne!(bytes, 0, "the kernel's verifier objects to blocks of no bytes");
        // SAFETY: the layout has a size.
        let block = unsafe { alloc_zeroed(layout(bytes)) };
        assert!(!block.is_null(), "the host has no memory");
        // SAFETY: the block begins with room for it.
        unsafe { block.cast::<(usize, u32)>().write((bytes, tag)) };
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        block.expose_provenance();
        block.wrapping_add(HEADER).cast()
    }

    /// Gives a block back.
    ///
    /// # Safety
    /// The block comes from [`ExAllocatePool2`].
    pub unsafe fn ExFreePoolWithTag(block: *mut c_void, tag: u32) {
        // The kernel has pointers of its own to what it manages; the driver's need not reach the header.
        let block = std::ptr::with_exposed_provenance_mut::<u8>(block.addr() - HEADER);
        // SAFETY: written when the block was allocated.
        let (bytes, allocated_with) = unsafe { block.cast::<(usize, u32)>().read() };
        assert_eq!(allocated_with, tag, "freed with another tag");
        BLOCKS.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: allocated with this layout.
        unsafe { dealloc(block, layout(bytes)) };
    }

    /// Raises, and returns the IRQL before.
    ///
    /// # Safety
    /// Never unsafe.
    pub unsafe fn KfRaiseIrql(irql: KIRQL) -> KIRQL {
        let before = IRQL.replace(irql);
        assert!(before <= irql, "raised from {before} to {irql}");
        before
    }

    /// Lowers.
    ///
    /// # Safety
    /// Never unsafe.
    pub unsafe fn KeLowerIrql(irql: KIRQL) {
        let before = IRQL.replace(irql);
        assert!(before >= irql, "lowered from {before} to {irql}");
    }

    /// Makes it admit.
    ///
    /// # Safety
    /// Nobody uses it yet.
    pub unsafe fn ExInitializeRundownProtection(rundown: *mut EX_RUNDOWN_REF) {
        // SAFETY: the caller's promise.
        unsafe { rundown.write(EX_RUNDOWN_REF(AtomicUsize::new(0))) };
    }

    /// Enters, unless somebody waits.
    ///
    /// # Safety
    /// It was initialised.
    pub unsafe fn ExAcquireRundownProtection(rundown: *mut EX_RUNDOWN_REF) -> BOOLEAN {
        // SAFETY: the caller's promise.
        let rundown = unsafe { &*rundown };
        let enter = |inside: usize| (inside & 1 == 0).then_some(inside + 2);
        rundown.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, enter).is_ok().into()
    }

    /// Leaves.
    ///
    /// # Safety
    /// It was entered.
    pub unsafe fn ExReleaseRundownProtection(rundown: *mut EX_RUNDOWN_REF) {
        // SAFETY: the caller's promise.
        let rundown = unsafe { &*rundown };
        rundown.0.fetch_sub(2, Ordering::Release);
    }

    /// Admits nobody any more, and waits for those inside.
    ///
    /// # Safety
    /// It was initialised.
    pub unsafe fn ExWaitForRundownProtectionRelease(rundown: *mut EX_RUNDOWN_REF) {
        // SAFETY: the caller's promise.
        let rundown = unsafe { &*rundown };
        rundown.0.fetch_or(1, Ordering::Relaxed);
        while rundown.0.load(Ordering::Acquire) != 1 {
            thread::yield_now();
        }
    }

    /// A clock of its own: each look takes a microsecond.
    ///
    /// # Safety
    /// Never unsafe.
    pub unsafe fn KeQueryUnbiasedInterruptTime() -> u64 {
        CLOCK.fetch_add(10, Ordering::Relaxed)
    }

    /// Lets others run. No longer than that: nothing here takes the time that a wait is for.
    ///
    /// # Safety
    /// Never unsafe.
    pub unsafe fn KeDelayExecutionThread(
        _mode: KPROCESSOR_MODE,
        _alertable: BOOLEAN,
        _interval: *mut LARGE_INTEGER,
    ) -> NTSTATUS {
        thread::sleep(Duration::from_micros(10));
        STATUS_SUCCESS
    }

    /// Everything is shown.
    ///
    /// # Safety
    /// Never unsafe.
    pub unsafe fn DbgQueryDebugFilterState(_component: u32, _level: u32) -> NTSTATUS {
        1
    }

    /// Reads the line as the kernel would; it must end, and be printable.
    ///
    /// # Safety
    /// Both strings end with NUL.
    pub unsafe fn DbgPrintEx(_component: u32, _level: u32, format: *const c_char, line: *const c_char) {
        // SAFETY: the caller's promise.
        let format = unsafe { CStr::from_ptr(format) };
        assert_eq!(format, c"%s");
        // SAFETY: the caller's promise.
        let line = unsafe { CStr::from_ptr(line) }.to_bytes();
        let text = line.strip_suffix(b"\n").expect("a line ends with its line feed");
        assert!(text.iter().all(|byte| (0x20..0x7f).contains(byte)), "not printable: {}", text.escape_ascii());
        assert!(line.len() <= 511, "a line longer than DbgPrintEx takes");
    }
}
