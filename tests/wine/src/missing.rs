//! What Wine's kernel lacks of the driver's imports. Whatever it has stays Wine's.
use core::{
    ffi::{CStr, c_void},
    hint, ptr,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    nt::{self, UnicodeString},
    utf16,
};

/// One function of the kernel, and what stands in for it.
struct Function {
    name: &'static CStr,
    /// For the question whether Wine has it. Wine exports some functions only to raise an exception (`@ stub` in its
    /// ntoskrnl.exe.spec): these have no name here.
    asked: Option<UnicodeString>,
    stand_in: *const (),
}

const FUNCTIONS: [Function; 11] = [
    Function { name: c"ExAllocatePool2", asked: Some(utf16!("ExAllocatePool2")), stand_in: allocate_pool as *const () },
    Function {
        name: c"KeQueryUnbiasedInterruptTime",
        asked: Some(utf16!("KeQueryUnbiasedInterruptTime")),
        stand_in: interrupt_time as *const (),
    },
    Function { name: c"DbgQueryDebugFilterState", asked: None, stand_in: filter_state as *const () },
    Function { name: c"EtwRegister", asked: None, stand_in: register_provider as *const () },
    Function { name: c"EtwSetInformation", asked: None, stand_in: set_information as *const () },
    Function { name: c"EtwUnregister", asked: None, stand_in: unregister_provider as *const () },
    Function { name: c"EtwWriteTransfer", asked: None, stand_in: write_event as *const () },
    Function { name: c"ExInitializeRundownProtection", asked: None, stand_in: initialize as *const () },
    Function { name: c"ExAcquireRundownProtection", asked: None, stand_in: acquire as *const () },
    Function { name: c"ExReleaseRundownProtection", asked: None, stand_in: release as *const () },
    Function { name: c"ExWaitForRundownProtectionRelease", asked: None, stand_in: wait as *const () },
];

/// What to put in the place of an import; [`None`] where Wine's own stays.
#[must_use]
pub fn stand_in(import: &CStr) -> Option<*const ()> {
    let function = FUNCTIONS.iter().find(|function| function.name == import)?;
    let has = function.asked.is_some_and(|name| {
        // SAFETY: the name is a local.
        !unsafe { nt::MmGetSystemRoutineAddress(&raw const name) }.is_null()
    });
    (!has).then_some(function.stand_in)
}

/// `ExAllocatePool2`: zeroed unless it is told otherwise (DDI, `POOL_FLAG_UNINITIALIZED`).
unsafe extern "C" fn allocate_pool(flags: u64, bytes: usize, tag: u32) -> *mut u8 {
    const UNINITIALIZED: u64 = 2;
    const NON_PAGED: u64 = 0x40;
    /// `NonPagedPoolNx`.
    const KIND: u32 = 512;
    if flags & !UNINITIALIZED != NON_PAGED {
        crate::complain!("ExAllocatePool2 with flags {flags:#x} is not modelled");
        return ptr::null_mut();
    }
    // SAFETY: any size and tag will do.
    let block = unsafe { nt::ExAllocatePoolWithTag(KIND, bytes, tag) };
    if !block.is_null() && flags & UNINITIALIZED == 0 {
        // SAFETY: the block is that long.
        unsafe { ptr::write_bytes(block, 0, bytes) };
    }
    block
}

/// `KeQueryUnbiasedInterruptTime`: Wine counts no sleep, so `KUSER_SHARED_DATA.InterruptTime` will do.
unsafe extern "C" fn interrupt_time() -> u64 {
    let shared: *const c_void = ptr::without_provenance(0x7FFE_0000);
    // SAFETY: Wine keeps this page for all processes, and the time in it.
    unsafe { shared.cast::<u64>().wrapping_add(1).read_volatile() }
}

/// `DbgQueryDebugFilterState`: Wine shows everything.
unsafe extern "C" fn filter_state(_component: u32, _level: u32) -> u32 {
    1
}

/// Registrations of event providers. No session is ever interested, so that nothing may be written.
static PROVIDERS: AtomicUsize = AtomicUsize::new(0);

/// `EtwRegister`.
unsafe extern "C" fn register_provider(
    _provider: *const c_void,
    _callback: *const c_void,
    _context: *mut c_void,
    handle: &mut u64,
) -> u32 {
    *handle = PROVIDERS.fetch_add(1, Ordering::SeqCst) as u64 + 1;
    0
}

/// `EtwSetInformation`.
unsafe extern "C" fn set_information(_handle: u64, _class: u32, _information: *const c_void, _length: u32) -> u32 {
    0
}

/// `EtwUnregister`.
unsafe extern "C" fn unregister_provider(handle: u64) -> u32 {
    if PROVIDERS.fetch_sub(1, Ordering::SeqCst) as u64 != handle {
        crate::complain!("EtwUnregister of {handle:#x}, which is no provider");
    }
    0
}

/// `EtwWriteTransfer`.
unsafe extern "C" fn write_event(
    _handle: u64,
    _event: *const c_void,
    _activity: *const c_void,
    _related: *const c_void,
    _count: u32,
    _data: *const c_void,
) -> u32 {
    crate::complain!("EtwWriteTransfer, though no session is interested");
    0
}

/// `EX_RUNDOWN_REF`: twice the number of holders, and the bit that lets no more in.
const CLOSED: usize = 1;

unsafe extern "C" fn initialize(reference: &AtomicUsize) {
    reference.store(0, Ordering::SeqCst);
}

unsafe extern "C" fn acquire(reference: &AtomicUsize) -> u8 {
    let enter = |count: usize| (count & CLOSED == 0).then_some(count + 2);
    u8::from(reference.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enter).is_ok())
}

unsafe extern "C" fn release(reference: &AtomicUsize) {
    reference.fetch_sub(2, Ordering::SeqCst);
}

unsafe extern "C" fn wait(reference: &AtomicUsize) {
    reference.fetch_or(CLOSED, Ordering::SeqCst);
    while reference.load(Ordering::SeqCst) != CLOSED {
        hint::spin_loop();
    }
}
