//! The part of the kernel's interface to processes that `wdk-sys` lacks, or has in a shape that is more than is read here.
//!
//! `ZwQuerySystemInformation` and `ZwQueryInformationProcess` are in no header of the kit and in its import library: their pages
//! are Win32's, and name `ntoskrnl.exe`. Both pages warn that they may change, and nothing else tells a driver what ran before
//! it (docs/architecture.md, "Which process exactly", compares). Sizes and offsets are held against the facts taken from the
//! headers by a test. A structure whose comment says *prefix* ends after the last member that is read.
#![expect(non_snake_case, non_upper_case_globals, reason = "the names of the Windows headers")]

use core::{ffi::c_void, mem::offset_of};

pub type NTSTATUS = i32;
pub type HANDLE = *mut c_void;

/// Prefix.
#[repr(C)]
pub struct PS_CREATE_NOTIFY_INFO {
    pub Size: usize,
    pub Flags: u32,
    pub ParentProcessId: HANDLE,
}

/// Prefix, as the page of `ZwQuerySystemInformation` has it.
#[repr(C)]
pub struct SYSTEM_PROCESS_INFORMATION {
    pub NextEntryOffset: u32,
    pub NumberOfThreads: u32,
    pub Reserved1: [u8; 48],
    pub Reserved2: [*mut c_void; 3],
    pub UniqueProcessId: HANDLE,
}

#[repr(C)]
pub struct PROCESS_BASIC_INFORMATION {
    pub ExitStatus: NTSTATUS,
    pub PebBaseAddress: *mut c_void,
    pub AffinityMask: usize,
    pub BasePriority: i32,
    pub UniqueProcessId: usize,
    pub InheritedFromUniqueProcessId: usize,
}

impl PROCESS_BASIC_INFORMATION {
    pub const NOTHING: Self = Self {
        ExitStatus: 0,
        PebBaseAddress: core::ptr::null_mut(),
        AffinityMask: 0,
        BasePriority: 0,
        UniqueProcessId: 0,
        InheritedFromUniqueProcessId: 0,
    };
}

/// `SYSTEM_INFORMATION_CLASS`.
pub const SystemProcessInformation: u32 = 5;
/// `PROCESSINFOCLASS`.
pub const ProcessBasicInformation: u32 = 0;
/// Win32, "Process Security and Access Rights".
pub const PROCESS_QUERY_LIMITED_INFORMATION: u32 = 0x1000;

unsafe extern "C" {
    pub fn ZwQuerySystemInformation(
        SystemInformationClass: u32,
        SystemInformation: *mut c_void,
        SystemInformationLength: u32,
        ReturnLength: *mut u32,
    ) -> NTSTATUS;
    pub fn ZwQueryInformationProcess(
        ProcessHandle: HANDLE,
        ProcessInformationClass: u32,
        ProcessInformation: *mut c_void,
        ProcessInformationLength: u32,
        ReturnLength: *mut u32,
    ) -> NTSTATUS;
}

const _: () = {
    assert!(offset_of!(PS_CREATE_NOTIFY_INFO, ParentProcessId) == 16);
    assert!(offset_of!(SYSTEM_PROCESS_INFORMATION, UniqueProcessId) == 80);
    assert!(size_of::<PROCESS_BASIC_INFORMATION>() == 48);
    assert!(offset_of!(PROCESS_BASIC_INFORMATION, InheritedFromUniqueProcessId) == 40);
};
