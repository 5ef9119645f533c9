//! What Windows tells of one process, asked of the process itself: whoever has its id by then cannot be mixed up with it.
//!
//! IRQL: `PASSIVE_LEVEL`
use core::{num::NonZeroU64, ptr, slice};

use wdk_sys::{
    _MODE::KernelMode,
    BOOLEAN, HANDLE, KPROCESSOR_MODE, OBJ_KERNEL_HANDLE, PEPROCESS, STATUS_PENDING, STATUS_SUCCESS, UNICODE_STRING,
    ntddk::{
        ExFreePool, ObOpenObjectByPointer, ObfDereferenceObject, PsGetProcessCreateTimeQuadPart,
        PsGetProcessExitStatus, PsGetProcessStartKey, PsLookupProcessByProcessId, RtlDowncaseUnicodeString,
        SeLocateProcessImageName, ZwClose,
    },
};

use super::{
    ffi::{
        PROCESS_BASIC_INFORMATION, PROCESS_QUERY_LIMITED_INFORMATION, ProcessBasicInformation,
        ZwQueryInformationProcess,
    },
    stored::StoredPath,
    table::Process,
};

/// A process that Windows keeps for as long as this lives.
pub struct Kept(PEPROCESS);

impl Kept {
    /// The process that has this id now.
    pub fn with_id(pid: u64) -> Option<Self> {
        let mut process = ptr::null_mut();
        // SAFETY: the process is stored in a local.
        let status = unsafe { PsLookupProcessByProcessId(pid as HANDLE, &raw mut process) };
        // Not `then_some`: the value made for nothing would give back a reference that was not taken.
        (status == STATUS_SUCCESS && !process.is_null()).then(|| Self(process))
    }

    /// It.
    pub const fn get(&self) -> PEPROCESS {
        self.0
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: the look-up took a reference for this value.
        unsafe { ObfDereferenceObject(self.0.cast()) };
    }
}

/// The start key. Zero would be none: nothing says that Windows gives it to nobody (guess).
///
/// # Safety
/// The process is kept meanwhile, as for all functions here.
pub unsafe fn key_of(process: PEPROCESS) -> Option<NonZeroU64> {
    // SAFETY: the caller's promise.
    NonZeroU64::new(unsafe { PsGetProcessStartKey(process) })
}

/// All that is kept of a process.
///
/// # Safety
/// As for [`key_of`].
pub unsafe fn at(process: PEPROCESS, pid: u64, key: NonZeroU64, parent: Option<NonZeroU64>) -> Process<StoredPath> {
    // SAFETY: the caller's promise.
    let created = unsafe { PsGetProcessCreateTimeQuadPart(process) };
    // SAFETY: as above.
    Process { pid, key, created, parent, path: unsafe { path_of(process) } }
}

/// Whether it is on its way out, or gone and still referred to: the exit status is `STATUS_PENDING` until then (Win32,
/// `GetExitCodeProcess`: `STILL_ACTIVE`). One that ends with just this number seems to run.
///
/// # Safety
/// As for [`key_of`].
pub unsafe fn has_exited(process: PEPROCESS) -> bool {
    // SAFETY: the caller's promise.
    let status = unsafe { PsGetProcessExitStatus(process) };
    status != STATUS_PENDING
}

/// The path of its image in the form in which WFP gives it: the device's name, in lower case. Windows has another name, or none,
/// for processes without an image file.
///
/// # Safety
/// As for [`key_of`].
unsafe fn path_of(process: PEPROCESS) -> Option<StoredPath> {
    let mut name: *mut UNICODE_STRING = ptr::null_mut();
    // SAFETY: the caller's promise; the name is stored in a local.
    let status = unsafe { SeLocateProcessImageName(process, &raw mut name) };
    if status != STATUS_SUCCESS || name.is_null() {
        return None;
    }
    // SAFETY: the string is ours until it is freed; it has room for itself.
    let status = unsafe { RtlDowncaseUnicodeString(name, name, BOOLEAN::from(false)) };
    let path = if status == STATUS_SUCCESS {
        // SAFETY: as above.
        let UNICODE_STRING { Length, Buffer, .. } = unsafe { name.read() };
        // SAFETY: the buffer has so many bytes, and is not NULL then.
        (Length > 0).then(|| unsafe { slice::from_raw_parts(Buffer.cast(), Length.into()) }).and_then(StoredPath::of)
    } else {
        None
    };
    // SAFETY: the caller of SeLocateProcessImageName frees it (its page), whatever its tag is.
    unsafe { ExFreePool(name.cast()) };
    path
}

/// The id that its parent had. Only of new processes are drivers told (DDI `PS_CREATE_NOTIFY_INFO`); of others Windows tells who
/// has a handle (Win32, `ZwQueryInformationProcess`).
///
/// # Safety
/// As for [`key_of`].
pub unsafe fn parent_of(process: PEPROCESS) -> Option<NonZeroU64> {
    #[expect(clippy::cast_possible_truncation, reason = "it is 0")]
    const KERNEL_MODE: KPROCESSOR_MODE = KernelMode as KPROCESSOR_MODE;
    #[expect(clippy::cast_possible_truncation, reason = "it is 48")]
    const SIZE: u32 = size_of::<PROCESS_BASIC_INFORMATION>() as u32;
    let mut handle = ptr::null_mut();
    // SAFETY: the caller's promise; the handle is stored in a local, and nobody but the kernel can use it.
    let status = unsafe {
        ObOpenObjectByPointer(
            process.cast(),
            OBJ_KERNEL_HANDLE,
            ptr::null_mut(),
            PROCESS_QUERY_LIMITED_INFORMATION,
            ptr::null_mut(),
            KERNEL_MODE,
            &raw mut handle,
        )
    };
    if status != STATUS_SUCCESS {
        return None;
    }
    let mut basic = PROCESS_BASIC_INFORMATION::NOTHING;
    // SAFETY: the handle is ours, and there is room for what is asked for.
    let status = unsafe {
        ZwQueryInformationProcess(handle, ProcessBasicInformation, (&raw mut basic).cast(), SIZE, ptr::null_mut())
    };
    // SAFETY: the handle is ours, and no longer used.
    let _ = unsafe { ZwClose(handle) };
    if status != STATUS_SUCCESS {
        return None;
    }
    NonZeroU64::new(basic.InheritedFromUniqueProcessId as u64)
}
