//! The part of the kernel that the stand-ins use. Wine has all of it.
use core::ffi::{c_char, c_void};

/// `NTSTATUS`, as a number.
pub type Status = u32;

/// `STATUS_SUCCESS`.
pub const SUCCESS: Status = 0;
/// `STATUS_UNSUCCESSFUL`.
pub const UNSUCCESSFUL: Status = 0xC000_0001;
/// `STATUS_INFO_LENGTH_MISMATCH`.
pub const INFO_LENGTH_MISMATCH: Status = 0xC000_0004;
/// `STATUS_INVALID_PARAMETER`.
pub const INVALID_PARAMETER: Status = 0xC000_000D;
/// `STATUS_OBJECT_TYPE_MISMATCH`.
pub const OBJECT_TYPE_MISMATCH: Status = 0xC000_0024;
/// `STATUS_INVALID_SECURITY_DESCR`.
pub const INVALID_SECURITY_DESCR: Status = 0xC000_0079;
/// `STATUS_INSUFFICIENT_RESOURCES`.
pub const INSUFFICIENT_RESOURCES: Status = 0xC000_009A;
/// `STATUS_NOT_SUPPORTED`: what a stand-in answers to what it does not model, beside its complaint.
pub const NOT_SUPPORTED: Status = 0xC000_00BB;
/// `STATUS_DRIVER_INTERNAL_ERROR`.
pub const DRIVER_INTERNAL_ERROR: Status = 0xC000_0183;
/// `STATUS_NOT_FOUND`.
pub const NOT_FOUND: Status = 0xC000_0225;
/// `STATUS_BUFFER_OVERFLOW`: a warning.
pub const BUFFER_OVERFLOW: Status = 0x8000_0005;
/// `STATUS_DEVICE_BUSY`.
pub const DEVICE_BUSY: Status = 0x8000_0011;
/// `STATUS_OBJECT_NAME_EXISTS`: a success.
pub const OBJECT_NAME_EXISTS: Status = 0x4000_0000;

/// `NT_SUCCESS`.
#[must_use]
pub const fn is_success(status: Status) -> bool {
    status.cast_signed() >= 0
}

/// `UNICODE_STRING`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct UnicodeString {
    /// Bytes of text.
    pub length: u16,
    /// Bytes of room.
    pub maximum_length: u16,
    /// The text.
    pub buffer: *const u16,
}

impl UnicodeString {
    /// Names text that ends with NUL.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "all names are short")]
    pub const fn new(text: &[u16]) -> Self {
        let bytes = size_of_val(text) as u16;
        Self { length: bytes - 2, maximum_length: bytes, buffer: text.as_ptr() }
    }

    /// Whether KMDF takes it (KMDF, shared/core/fxvalidatefunctions.cpp).
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.length.is_multiple_of(2)
            && self.length <= self.maximum_length
            && (self.maximum_length == 0 || !self.buffer.is_null())
    }
}

/// Text of the kernel: UTF-16 with a NUL behind it.
#[macro_export]
macro_rules! utf16 {
    ($text:literal) => {{
        const TEXT: [u16; $text.len() + 1] = {
            let mut units = [0; $text.len() + 1];
            let mut index = 0;
            while index < $text.len() {
                units[index] = $text.as_bytes()[index] as u16;
                index += 1;
            }
            units
        };
        $crate::nt::UnicodeString::new(&TEXT)
    }};
}

/// `OBJECT_ATTRIBUTES`.
#[repr(C)]
pub struct ObjectAttributes {
    length: u32,
    root: *mut c_void,
    name: *const UnicodeString,
    attributes: u32,
    security_descriptor: *const c_void,
    security_quality: *const c_void,
}

impl ObjectAttributes {
    /// An object by its name, below `root` or absolute.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "48 bytes")]
    pub const fn new(root: *mut c_void, name: *const UnicodeString) -> Self {
        /// `OBJ_CASE_INSENSITIVE` and `OBJ_KERNEL_HANDLE`.
        const ATTRIBUTES: u32 = 0x240;
        let (security_descriptor, security_quality) = (core::ptr::null(), core::ptr::null());
        let length = size_of::<Self>() as u32;
        Self { length, root, name, attributes: ATTRIBUTES, security_descriptor, security_quality }
    }
}

/// `DRIVER_OBJECT`, up to the unload routine.
#[repr(C)]
pub struct DriverObject {
    type_and_size: [u16; 2],
    device: *mut c_void,
    flags: u32,
    /// Where the image is.
    pub start: *mut c_void,
    size: u32,
    section: *mut c_void,
    extension: *mut c_void,
    name: UnicodeString,
    hardware_database: *const UnicodeString,
    fast_io: *mut c_void,
    init: *mut c_void,
    start_io: *mut c_void,
    /// `DriverUnload`.
    pub unload: Option<unsafe extern "C" fn(*mut DriverObject)>,
}

/// `DEVICE_OBJECT`, up to its flags.
#[repr(C)]
pub struct DeviceObject {
    type_and_size: [u16; 2],
    references: i32,
    pointers: [*mut c_void; 5],
    /// `DO_…`
    pub flags: u32,
}

const _: () = {
    assert!(core::mem::offset_of!(DriverObject, start) == 24);
    assert!(core::mem::offset_of!(DriverObject, unload) == 104);
    assert!(core::mem::offset_of!(DeviceObject, flags) == 48);
};

/// `IO_STATUS_BLOCK`.
#[repr(C)]
pub struct IoStatusBlock {
    /// The status.
    pub status: u64,
    /// How many bytes.
    pub information: usize,
}

#[link(name = "ntoskrnl.exe", kind = "raw-dylib", modifiers = "+verbatim")]
#[expect(missing_docs, reason = "the kernel's own functions")]
unsafe extern "C" {
    pub fn DbgPrintEx(component: u32, level: u32, format: *const c_char, ...) -> Status;
    pub fn ExAllocatePoolWithTag(kind: u32, bytes: usize, tag: u32) -> *mut u8;
    pub fn IoCreateDevice(
        driver: *mut DriverObject,
        extension: u32,
        name: *const UnicodeString,
        kind: u32,
        characteristics: u32,
        exclusive: u8,
        device: *mut *mut DeviceObject,
    ) -> Status;
    pub fn IoDeleteDevice(device: *mut DeviceObject);
    pub fn KeDelayExecutionThread(mode: u8, alertable: u8, interval: *const i64) -> Status;
    pub fn KfRaiseIrql(irql: u8) -> u8;
    pub fn KeLowerIrql(irql: u8);
    pub fn MmGetSystemRoutineAddress(name: *const UnicodeString) -> *mut c_void;
    pub fn ZwClose(handle: *mut c_void) -> Status;
    pub fn ZwCreateFile(
        handle: *mut *mut c_void,
        access: u32,
        attributes: *const ObjectAttributes,
        io: *mut IoStatusBlock,
        allocation: *const i64,
        file_attributes: u32,
        share: u32,
        disposition: u32,
        options: u32,
        extended: *const c_void,
        extended_bytes: u32,
    ) -> Status;
    pub fn ZwReadFile(
        handle: *mut c_void,
        event: *mut c_void,
        routine: *mut c_void,
        context: *mut c_void,
        io: *mut IoStatusBlock,
        buffer: *mut u8,
        bytes: u32,
        offset: *const i64,
        key: *const u32,
    ) -> Status;
    pub fn ZwCreateKey(
        key: *mut *mut c_void,
        access: u32,
        attributes: *const ObjectAttributes,
        title: u32,
        class: *const UnicodeString,
        options: u32,
        disposition: *mut u32,
    ) -> Status;
    pub fn ZwOpenKey(key: *mut *mut c_void, access: u32, attributes: *const ObjectAttributes) -> Status;
    pub fn ZwQueryValueKey(
        key: *mut c_void,
        name: *const UnicodeString,
        class: u32,
        value: *mut c_void,
        bytes: u32,
        needed: *mut u32,
    ) -> Status;
    pub fn ZwSetValueKey(
        key: *mut c_void,
        name: *const UnicodeString,
        title: u32,
        kind: u32,
        data: *const c_void,
        bytes: u32,
    ) -> Status;
    pub fn ZwProtectVirtualMemory(
        process: isize,
        address: *mut *mut c_void,
        bytes: *mut usize,
        protection: u32,
        before: *mut u32,
    ) -> Status;
}

/// Lets others run for ten milliseconds.
pub fn sleep() {
    let interval = -100_000;
    // SAFETY: the interval is a local.
    unsafe { KeDelayExecutionThread(0, 0, &raw const interval) };
}
