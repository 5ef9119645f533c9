//! The platform's structures on x64, written after the DDI pages of the same names; those that only the platform reads
//! end behind the last member that is read.
use core::ffi::c_void;

use crate::nt::Status;

/// `GUID`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Guid(pub u32, pub u16, pub u16, pub [u8; 8]);

/// `FWP_BYTE_BLOB`.
#[repr(C)]
pub struct Blob {
    /// How many bytes.
    pub bytes: u32,
    /// They.
    pub data: *const u8,
}

/// `FWPM_DISPLAY_DATA0`.
#[repr(C)]
pub struct Display {
    /// The name, which must be there.
    pub name: *const u16,
    description: *const u16,
}

/// `FWPM_SESSION0`.
#[repr(C)]
pub struct Session {
    key: Guid,
    display: Display,
    /// `FWPM_SESSION_FLAG_…`
    pub flags: u32,
}

/// `FWPM_PROVIDER0`, up to its name.
#[repr(C)]
pub struct NewProvider {
    /// Its key.
    pub key: Guid,
    /// Its name.
    pub display: Display,
}

/// `FWPM_SUBLAYER0`, up to its provider.
#[repr(C)]
pub struct NewSublayer {
    /// Its key.
    pub key: Guid,
    /// Its name.
    pub display: Display,
    flags: u32,
    /// Who adds it.
    pub provider: *const Guid,
}

/// `FWPM_CALLOUT0`.
#[repr(C)]
pub struct NewCallout {
    /// Its key.
    pub key: Guid,
    /// Its name.
    pub display: Display,
    flags: u32,
    /// Who adds it.
    pub provider: *const Guid,
    provider_data: Blob,
    /// Where it may be called.
    pub layer: Guid,
}

/// `FWPM_FILTER0`, up to its action.
#[repr(C)]
pub struct NewFilter {
    /// Its key.
    pub key: Guid,
    /// Its name.
    pub display: Display,
    flags: u32,
    /// Who adds it.
    pub provider: *const Guid,
    provider_data: Blob,
    /// Where it filters.
    pub layer: Guid,
    /// Within which sublayer.
    pub sublayer: Guid,
    weight: Value,
    /// How many conditions it has.
    pub conditions: u32,
    condition: *const c_void,
    /// `FWP_ACTION_…`
    pub action: u32,
    /// The callout that it calls.
    pub callout: Guid,
}

/// `FWPS_CALLOUT2`.
#[repr(C)]
pub struct Callout {
    /// Its key.
    pub key: Guid,
    /// `FWP_CALLOUT_FLAG_…`
    pub flags: u32,
    /// `classifyFn`.
    pub classify: Option<ClassifyFn>,
    /// `notifyFn`.
    pub notify: Option<NotifyFn>,
    /// `flowDeleteFn`.
    pub flow_delete: Option<FlowDeleteFn>,
}

/// `FWPS_CALLOUT_CLASSIFY_FN2`.
pub type ClassifyFn = unsafe extern "C" fn(
    *const Values,
    *const Metadata,
    *mut c_void,
    *const c_void,
    *const c_void,
    u64,
    *mut ClassifyOut,
);
/// `FWPS_CALLOUT_NOTIFY_FN2`.
pub type NotifyFn = unsafe extern "C" fn(u32, *const Guid, *mut c_void) -> Status;
/// `FWPS_CALLOUT_FLOW_DELETE_NOTIFY_FN0`.
pub type FlowDeleteFn = unsafe extern "C" fn(u16, u32, u64);
/// `FWPM_SERVICE_STATE_CHANGE_CALLBACK0`.
pub type ChangeFn = unsafe extern "C" fn(*mut c_void, u32);

/// `FWP_VALUE0`: a type and a number or an address.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Value {
    /// `FWP_…`
    pub kind: u32,
    /// The value, in its low bytes.
    pub value: u64,
}

/// `FWPS_INCOMING_VALUES0`.
#[repr(C)]
pub struct Values {
    /// Run-time id of the layer.
    pub layer: u16,
    /// How many there are.
    pub count: u32,
    /// They.
    pub list: *const Value,
}

/// `FWPS_INCOMING_METADATA_VALUES0`. The rest is not filled in: no bit says that it is.
#[repr(C)]
pub struct Metadata {
    /// Which members are valid.
    pub present: u32,
    /// Two that are reserved, and why a packet was dropped.
    pub reserved: [u32; 7],
    /// `flowHandle`.
    pub flow: u64,
    /// `ipHeaderSize`.
    pub ip_header: u32,
    /// `transportHeaderSize`.
    pub transport_header: u32,
    /// `processPath`.
    pub path: *const Blob,
    /// `token`.
    pub token: u64,
    /// `processId`.
    pub pid: u64,
    /// What no bit names.
    pub rest: [u64; 48],
}

/// `FWPS_CLASSIFY_OUT0`.
#[repr(C)]
pub struct ClassifyOut {
    /// What is to be done.
    pub action: u32,
    /// Set by the platform.
    pub context: u64,
    /// Set by the platform.
    pub filter: u64,
    /// `FWPS_RIGHT_…`
    pub rights: u32,
    /// `FWPS_CLASSIFY_OUT_FLAG_…`
    pub flags: u32,
    /// Nothing.
    pub reserved: u32,
}

/// `NET_BUFFER`, up to its length.
#[repr(C)]
pub struct NetBuffer {
    /// The next of its list.
    pub next: *const Self,
    /// `CurrentMdl`.
    pub mdl: *const c_void,
    /// `CurrentMdlOffset`.
    pub offset: u32,
    /// `DataLength`, a union of a `ULONG` and a `SIZE_T`.
    pub length: u64,
}

/// `NET_BUFFER_LIST`, up to its first buffer.
#[repr(C)]
pub struct NetBufferList {
    /// Another list.
    pub next: *const Self,
    /// Its packets.
    pub first: *const NetBuffer,
}

const _: () = {
    assert!(size_of::<Metadata>() == 456);
    assert!(core::mem::offset_of!(Metadata, flow) == 32);
    assert!(core::mem::offset_of!(Metadata, pid) == 64);
    assert!(core::mem::offset_of!(NewSublayer, provider) == 40);
    assert!(core::mem::offset_of!(NewFilter, action) == 128);
    assert!(core::mem::offset_of!(NewCallout, layer) == 64);
    assert!(size_of::<ClassifyOut>() == 40);
};
