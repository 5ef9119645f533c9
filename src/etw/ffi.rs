//! The part of ETW's kernel ABI that this driver uses, by hand as WFP's is ([`crate::wfp::ffi`]): the names and layouts of wdm.h and
//! evntprov.h.
#![expect(non_snake_case, non_upper_case_globals, reason = "the names of the Windows headers")]
#![expect(clippy::upper_case_acronyms, reason = "as above")]

use core::{
    ffi::c_void,
    mem::{offset_of, size_of},
};

use crate::wfp::ffi::{GUID, NTSTATUS};

pub type REGHANDLE = u64;

pub const EVENT_CONTROL_CODE_DISABLE_PROVIDER: u32 = 0;
pub const EVENT_CONTROL_CODE_ENABLE_PROVIDER: u32 = 1;
pub const EVENT_CONTROL_CODE_CAPTURE_STATE: u32 = 2;

/// An `EVENT_INFO_CLASS`.
pub const EventProviderSetTraits: u32 = 2;

pub const EVENT_DATA_DESCRIPTOR_TYPE_NONE: u32 = 0;
pub const EVENT_DATA_DESCRIPTOR_TYPE_EVENT_METADATA: u32 = 1;
pub const EVENT_DATA_DESCRIPTOR_TYPE_PROVIDER_METADATA: u32 = 2;

#[repr(C)]
pub struct EVENT_DESCRIPTOR {
    pub Id: u16,
    pub Version: u8,
    pub Channel: u8,
    pub Level: u8,
    pub Opcode: u8,
    pub Task: u16,
    pub Keyword: u64,
}

#[repr(C)]
pub struct EVENT_DATA_DESCRIPTOR {
    /// A pointer, as a number on all machines.
    pub Ptr: u64,
    pub Size: u32,
    /// A union whose first byte is the type.
    pub Reserved: u32,
}

pub type ETWENABLECALLBACK = unsafe extern "C" fn(
    SourceId: *const GUID,
    ControlCode: u32,
    Level: u8,
    MatchAnyKeyword: u64,
    MatchAllKeyword: u64,
    FilterData: *const c_void,
    CallbackContext: *mut c_void,
);

#[cfg_attr(windows, link(name = "ntoskrnl"))]
unsafe extern "C" {
    pub fn EtwRegister(
        ProviderId: *const GUID,
        EnableCallback: ETWENABLECALLBACK,
        CallbackContext: *mut c_void,
        RegHandle: *mut REGHANDLE,
    ) -> NTSTATUS;
    pub fn EtwUnregister(RegHandle: REGHANDLE) -> NTSTATUS;
    pub fn EtwSetInformation(
        RegHandle: REGHANDLE,
        InformationClass: u32,
        EventInformation: *const c_void,
        InformationLength: u32,
    ) -> NTSTATUS;
    pub fn EtwWriteTransfer(
        RegHandle: REGHANDLE,
        EventDescriptor: *const EVENT_DESCRIPTOR,
        ActivityId: *const GUID,
        RelatedActivityId: *const GUID,
        UserDataCount: u32,
        UserData: *const EVENT_DATA_DESCRIPTOR,
    ) -> NTSTATUS;
}

const _: () = {
    assert!(size_of::<EVENT_DESCRIPTOR>() == 16 && offset_of!(EVENT_DESCRIPTOR, Keyword) == 8);
    assert!(size_of::<EVENT_DATA_DESCRIPTOR>() == 16 && offset_of!(EVENT_DATA_DESCRIPTOR, Size) == 8);
};
