//! The part of the Windows Filtering Platform's kernel ABI that this driver uses.
//!
//! Written by hand: `wdk-sys` has no network subset, and bindgen fails on the real `fwpsk.h` with wdk-build's flags.
//! Every size and offset is asserted below when the driver is compiled, and once more against the facts taken from the
//! headers by a test. Names are those of the headers, so that the documentation can be searched for them. A structure
//! whose comment says *prefix* ends after the last member that is read here; such a structure is only ever reached
//! through a pointer that Windows hands out.
#![expect(non_camel_case_types, non_snake_case, reason = "the names of the Windows headers")]

use core::{
    ffi::c_void,
    mem::{offset_of, size_of},
    ptr,
};

pub type NTSTATUS = i32;
pub type HANDLE = *mut c_void;

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GUID {
    pub Data1: u32,
    pub Data2: u16,
    pub Data3: u16,
    pub Data4: [u8; 8],
}

impl GUID {
    /// The key that lets the filter engine choose one.
    pub const ZERO: Self = Self::new(0, 0, 0, 0);

    /// A GUID in the order of its text form; the last number is its last two groups.
    #[must_use]
    pub const fn new(data1: u32, data2: u16, data3: u16, data4: u64) -> Self {
        Self { Data1: data1, Data2: data2, Data3: data3, Data4: data4.to_be_bytes() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct FWP_BYTE_BLOB {
    pub size: u32,
    pub data: *mut u8,
}

impl FWP_BYTE_BLOB {
    pub const EMPTY: Self = Self { size: 0, data: ptr::null_mut() };
}

pub const FWP_EMPTY: u32 = 0;
pub const FWP_UINT8: u32 = 1;
pub const FWP_UINT16: u32 = 2;
pub const FWP_UINT32: u32 = 3;
pub const FWP_BYTE_ARRAY16_TYPE: u32 = 11;
pub const FWP_SID: u32 = 13;

/// Prefix: as many sub-authorities follow as it says.
#[repr(C)]
pub struct SID {
    pub Revision: u8,
    pub SubAuthorityCount: u8,
    pub IdentifierAuthority: [u8; 6],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub union FWP_VALUE0_UNION {
    pub uint8: u8,
    pub uint16: u16,
    pub uint32: u32,
    pub uint64: *const u64,
    pub byteArray16: *const [u8; 16],
    pub sid: *const SID,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct FWP_VALUE0 {
    pub r#type: u32,
    pub value: FWP_VALUE0_UNION,
}

impl FWP_VALUE0 {
    pub const EMPTY: Self = Self { r#type: FWP_EMPTY, value: FWP_VALUE0_UNION { uint64: ptr::null() } };
}

#[repr(C)]
pub struct FWPS_INCOMING_VALUES0 {
    pub layerId: u16,
    pub valueCount: u32,
    pub incomingValue: *const FWP_VALUE0,
}

pub const FWPS_METADATA_FIELD_FLOW_HANDLE: u32 = 0x2;
pub const FWPS_METADATA_FIELD_PROCESS_PATH: u32 = 0x8;
pub const FWPS_METADATA_FIELD_PROCESS_ID: u32 = 0x20;
pub const FWPS_METADATA_FIELD_TRANSPORT_HEADER_SIZE: u32 = 0x400;
pub const FWPS_METADATA_FIELD_COMPARTMENT_ID: u32 = 0x800;
pub const FWPS_METADATA_FIELD_SUB_PROCESS_TAG: u32 = 0x8000_0000;

/// Prefix, of which the members between the last two are not read.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FWPS_INCOMING_METADATA_VALUES0 {
    pub currentMetadataValues: u32,
    pub flags: u32,
    pub reserved: u64,
    pub discardMetadata: [u64; 2],
    pub flowHandle: u64,
    pub ipHeaderSize: u32,
    pub transportHeaderSize: u32,
    pub processPath: *const FWP_BYTE_BLOB,
    pub token: u64,
    pub processId: u64,
    pub sourceInterfaceIndex: u32,
    pub destinationInterfaceIndex: u32,
    pub compartmentId: u32,
    pub unread: [u32; 45],
    /// A `PVOID` that is a number.
    pub subProcessTag: u64,
}

pub const FWP_ACTION_BLOCK: u32 = 0x1001;
pub const FWP_ACTION_CONTINUE: u32 = 0x2006;
pub const FWP_ACTION_CALLOUT_INSPECTION: u32 = 0x6004;
pub const FWPS_RIGHT_ACTION_WRITE: u32 = 0x1;

#[repr(C)]
pub struct FWPS_CLASSIFY_OUT0 {
    pub actionType: u32,
    pub outContext: u64,
    pub filterId: u64,
    pub rights: u32,
    pub flags: u32,
    pub reserved: u32,
}

pub type FWPS_CALLOUT_CLASSIFY_FN2 = unsafe extern "C" fn(
    inFixedValues: *const FWPS_INCOMING_VALUES0,
    inMetaValues: *const FWPS_INCOMING_METADATA_VALUES0,
    layerData: *mut c_void,
    classifyContext: *const c_void,
    filter: *const c_void,
    flowContext: u64,
    classifyOut: *mut FWPS_CLASSIFY_OUT0,
);
pub type FWPS_CALLOUT_NOTIFY_FN2 =
    unsafe extern "C" fn(notifyType: u32, filterKey: *const GUID, filter: *mut c_void) -> NTSTATUS;
pub type FWPM_SERVICE_STATE_CHANGE_CALLBACK0 = unsafe extern "C" fn(context: *mut c_void, newState: u32);
pub type FWPS_CALLOUT_FLOW_DELETE_NOTIFY_FN0 = unsafe extern "C" fn(layerId: u16, calloutId: u32, flowContext: u64);

pub const FWP_CALLOUT_FLAG_CONDITIONAL_ON_FLOW: u32 = 0x1;
pub const FWP_CALLOUT_FLAG_ALLOW_OFFLOAD: u32 = 0x2;
pub const FWP_CALLOUT_FLAG_ALLOW_RSC: u32 = 0x40;
pub const FWP_CALLOUT_FLAG_ALLOW_USO: u32 = 0x100;
pub const FWP_CALLOUT_FLAG_ALLOW_URO: u32 = 0x200;

#[repr(C)]
pub struct FWPS_CALLOUT2 {
    pub calloutKey: GUID,
    pub flags: u32,
    pub classifyFn: FWPS_CALLOUT_CLASSIFY_FN2,
    pub notifyFn: FWPS_CALLOUT_NOTIFY_FN2,
    pub flowDeleteFn: Option<FWPS_CALLOUT_FLOW_DELETE_NOTIFY_FN0>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct FWPM_DISPLAY_DATA0 {
    pub name: *const u16,
    pub description: *const u16,
}

pub const RPC_C_AUTHN_WINNT: u32 = 10;

#[repr(C)]
pub struct FWPM_SESSION0 {
    pub sessionKey: GUID,
    pub displayData: FWPM_DISPLAY_DATA0,
    pub flags: u32,
    pub txnWaitTimeoutInMSec: u32,
    pub processId: u32,
    pub sid: *mut c_void,
    pub username: *mut u16,
    pub kernelMode: i32,
}

#[repr(C)]
pub struct FWPM_PROVIDER0 {
    pub providerKey: GUID,
    pub displayData: FWPM_DISPLAY_DATA0,
    pub flags: u32,
    pub providerData: FWP_BYTE_BLOB,
    pub serviceName: *const u16,
}

#[repr(C)]
pub struct FWPM_SUBLAYER0 {
    pub subLayerKey: GUID,
    pub displayData: FWPM_DISPLAY_DATA0,
    pub flags: u32,
    pub providerKey: *const GUID,
    pub providerData: FWP_BYTE_BLOB,
    pub weight: u16,
}

#[repr(C)]
pub struct FWPM_CALLOUT0 {
    pub calloutKey: GUID,
    pub displayData: FWPM_DISPLAY_DATA0,
    pub flags: u32,
    pub providerKey: *const GUID,
    pub providerData: FWP_BYTE_BLOB,
    pub applicableLayer: GUID,
    pub calloutId: u32,
}

#[repr(C)]
pub struct FWPM_ACTION0 {
    pub r#type: u32,
    pub calloutKey: GUID,
}

#[repr(C)]
pub struct FWPM_FILTER0 {
    pub filterKey: GUID,
    pub displayData: FWPM_DISPLAY_DATA0,
    pub flags: u32,
    pub providerKey: *const GUID,
    pub providerData: FWP_BYTE_BLOB,
    pub layerKey: GUID,
    pub subLayerKey: GUID,
    pub weight: FWP_VALUE0,
    pub numFilterConditions: u32,
    pub filterCondition: *const c_void,
    pub action: FWPM_ACTION0,
    /// A union with `providerContextKey`, which makes it twice as long as a context.
    pub rawContext: [u64; 2],
    pub reserved: *mut GUID,
    pub filterId: u64,
    pub effectiveWeight: FWP_VALUE0,
}

/// A `ULONG` where a `SIZE_T` could be.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub struct DataLength(pub u32);

/// Prefix.
#[repr(C)]
pub struct NET_BUFFER {
    pub Next: *const NET_BUFFER,
    pub CurrentMdl: *const c_void,
    pub CurrentMdlOffset: u32,
    pub DataLength: DataLength,
}

/// Prefix.
#[repr(C)]
pub struct NET_BUFFER_LIST {
    pub Next: *const NET_BUFFER_LIST,
    pub FirstNetBuffer: *const NET_BUFFER,
}

pub const FWPS_LAYER_INBOUND_TRANSPORT_V4: u16 = 12;
pub const FWPS_LAYER_INBOUND_TRANSPORT_V6: u16 = 14;
pub const FWPS_LAYER_OUTBOUND_TRANSPORT_V4: u16 = 16;
pub const FWPS_LAYER_OUTBOUND_TRANSPORT_V6: u16 = 18;
pub const FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V4: u16 = 44;
pub const FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V6: u16 = 46;
pub const FWPS_LAYER_ALE_AUTH_CONNECT_V4: u16 = 48;
pub const FWPS_LAYER_ALE_AUTH_CONNECT_V6: u16 = 50;

pub const FWPM_LAYER_INBOUND_TRANSPORT_V4: GUID = GUID::new(0x5926_dfc8, 0xe3cf, 0x4426, 0xa283_dc39_3f5d_0f9d);
pub const FWPM_LAYER_INBOUND_TRANSPORT_V6: GUID = GUID::new(0x634a_869f, 0xfc23, 0x4b90, 0xb0c1_bf62_0a36_ae6f);
pub const FWPM_LAYER_OUTBOUND_TRANSPORT_V4: GUID = GUID::new(0x09e6_1aea, 0xd214, 0x46e2, 0x9b21_b26b_0b2f_28c8);
pub const FWPM_LAYER_OUTBOUND_TRANSPORT_V6: GUID = GUID::new(0xe173_5bde, 0x013f, 0x4655, 0xb351_a49e_1576_2df0);
pub const FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4: GUID = GUID::new(0xe1cd_9fe7, 0xf4b5, 0x4273, 0x96c0_592e_487b_8650);
pub const FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V6: GUID = GUID::new(0xa3b4_2c97, 0x9f04, 0x4672, 0xb87e_cee9_c483_257f);
pub const FWPM_LAYER_ALE_AUTH_CONNECT_V4: GUID = GUID::new(0xc38d_57d1, 0x05a7, 0x4c33, 0x904f_7fbc_eee6_0e82);
pub const FWPM_LAYER_ALE_AUTH_CONNECT_V6: GUID = GUID::new(0x4a72_393b, 0x319f, 0x44bc, 0x84c3_ba54_dcb3_b6b4);

// The V6 layers number their fields in the same order.
pub const FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_ADDRESS: u32 = 2;
pub const FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_LOCAL_PORT: u32 = 4;
pub const FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_PROTOCOL: u32 = 5;
pub const FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_ADDRESS: u32 = 6;
pub const FWPS_FIELD_ALE_AUTH_CONNECT_V4_IP_REMOTE_PORT: u32 = 7;
pub const FWPS_FIELD_ALE_AUTH_CONNECT_V4_FLAGS: u32 = 12;
pub const FWPS_FIELD_ALE_AUTH_CONNECT_V4_INTERFACE_INDEX: u32 = 15;
pub const FWPS_FIELD_ALE_AUTH_CONNECT_V4_ALE_PACKAGE_ID: u32 = 33;
pub const FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_FLAGS: u32 = 11;
pub const FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_INTERFACE_INDEX: u32 = 16;
pub const FWPS_FIELD_ALE_AUTH_RECV_ACCEPT_V4_ALE_PACKAGE_ID: u32 = 32;

pub const FWP_CONDITION_FLAG_IS_REAUTHORIZE: u32 = 0x4;

pub const FWPM_SERVICE_RUNNING: u32 = 3;

#[cfg_attr(windows, link(name = "fwpkclnt"))]
unsafe extern "C" {
    pub fn FwpsCalloutRegister2(
        deviceObject: *mut c_void,
        callout: *const FWPS_CALLOUT2,
        calloutId: *mut u32,
    ) -> NTSTATUS;
    pub fn FwpsCalloutUnregisterById0(calloutId: u32) -> NTSTATUS;
    pub fn FwpsFlowAssociateContext0(flowId: u64, layerId: u16, calloutId: u32, flowContext: u64) -> NTSTATUS;
    pub fn FwpsFlowRemoveContext0(flowId: u64, layerId: u16, calloutId: u32) -> NTSTATUS;
    pub fn FwpmBfeStateGet0() -> u32;
    pub fn FwpmBfeStateSubscribeChanges0(
        deviceObject: *mut c_void,
        callback: FWPM_SERVICE_STATE_CHANGE_CALLBACK0,
        context: *mut c_void,
        changeHandle: *mut HANDLE,
    ) -> NTSTATUS;
    pub fn FwpmBfeStateUnsubscribeChanges0(changeHandle: HANDLE) -> NTSTATUS;
    pub fn FwpmEngineOpen0(
        serverName: *const u16,
        authnService: u32,
        authIdentity: *const c_void,
        session: *const FWPM_SESSION0,
        engineHandle: *mut HANDLE,
    ) -> NTSTATUS;
    pub fn FwpmEngineClose0(engineHandle: HANDLE) -> NTSTATUS;
    pub fn FwpmTransactionBegin0(engineHandle: HANDLE, flags: u32) -> NTSTATUS;
    pub fn FwpmTransactionCommit0(engineHandle: HANDLE) -> NTSTATUS;
    pub fn FwpmTransactionAbort0(engineHandle: HANDLE) -> NTSTATUS;
    pub fn FwpmProviderAdd0(engineHandle: HANDLE, provider: *const FWPM_PROVIDER0, sd: *const c_void) -> NTSTATUS;
    pub fn FwpmProviderDeleteByKey0(engineHandle: HANDLE, key: *const GUID) -> NTSTATUS;
    pub fn FwpmSubLayerAdd0(engineHandle: HANDLE, subLayer: *const FWPM_SUBLAYER0, sd: *const c_void) -> NTSTATUS;
    pub fn FwpmSubLayerDeleteByKey0(engineHandle: HANDLE, key: *const GUID) -> NTSTATUS;
    pub fn FwpmCalloutAdd0(
        engineHandle: HANDLE,
        callout: *const FWPM_CALLOUT0,
        sd: *const c_void,
        id: *mut u32,
    ) -> NTSTATUS;
    pub fn FwpmCalloutDeleteByKey0(engineHandle: HANDLE, key: *const GUID) -> NTSTATUS;
    pub fn FwpmFilterAdd0(
        engineHandle: HANDLE,
        filter: *const FWPM_FILTER0,
        sd: *const c_void,
        id: *mut u64,
    ) -> NTSTATUS;
    pub fn FwpmFilterDeleteByKey0(engineHandle: HANDLE, key: *const GUID) -> NTSTATUS;
}

// The x64 ABI of the WDK's headers. ARM64 lays these structures out alike.
const _: () = {
    assert!(size_of::<GUID>() == 16);
    assert!(size_of::<FWP_BYTE_BLOB>() == 16 && offset_of!(FWP_BYTE_BLOB, data) == 8);
    assert!(size_of::<FWP_VALUE0>() == 16 && offset_of!(FWP_VALUE0, value) == 8);
    assert!(size_of::<SID>() == 8);
    assert!(size_of::<FWPS_INCOMING_VALUES0>() == 16);
    assert!(offset_of!(FWPS_INCOMING_VALUES0, valueCount) == 4);
    assert!(offset_of!(FWPS_INCOMING_VALUES0, incomingValue) == 8);
    assert!(offset_of!(FWPS_INCOMING_METADATA_VALUES0, flowHandle) == 32);
    assert!(offset_of!(FWPS_INCOMING_METADATA_VALUES0, transportHeaderSize) == 44);
    assert!(offset_of!(FWPS_INCOMING_METADATA_VALUES0, processPath) == 48);
    assert!(offset_of!(FWPS_INCOMING_METADATA_VALUES0, processId) == 64);
    assert!(offset_of!(FWPS_INCOMING_METADATA_VALUES0, compartmentId) == 80);
    assert!(offset_of!(FWPS_INCOMING_METADATA_VALUES0, subProcessTag) == 264);
    assert!(size_of::<FWPS_CLASSIFY_OUT0>() == 40 && offset_of!(FWPS_CLASSIFY_OUT0, rights) == 24);
    assert!(size_of::<FWPS_CALLOUT2>() == 48);
    assert!(offset_of!(FWPS_CALLOUT2, classifyFn) == 24);
    assert!(offset_of!(FWPS_CALLOUT2, flowDeleteFn) == 40);
    assert!(size_of::<FWPM_DISPLAY_DATA0>() == 16);
    assert!(size_of::<FWPM_SESSION0>() == 72 && offset_of!(FWPM_SESSION0, flags) == 32);
    assert!(size_of::<FWPM_PROVIDER0>() == 64 && offset_of!(FWPM_PROVIDER0, serviceName) == 56);
    assert!(size_of::<FWPM_SUBLAYER0>() == 72 && offset_of!(FWPM_SUBLAYER0, weight) == 64);
    assert!(size_of::<FWPM_CALLOUT0>() == 88 && offset_of!(FWPM_CALLOUT0, applicableLayer) == 64);
    assert!(size_of::<FWPM_ACTION0>() == 20 && offset_of!(FWPM_ACTION0, calloutKey) == 4);
    assert!(size_of::<FWPM_FILTER0>() == 200);
    assert!(offset_of!(FWPM_FILTER0, layerKey) == 64);
    assert!(offset_of!(FWPM_FILTER0, weight) == 96);
    assert!(offset_of!(FWPM_FILTER0, action) == 128);
    assert!(offset_of!(FWPM_FILTER0, rawContext) == 152);
    assert!(offset_of!(FWPM_FILTER0, effectiveWeight) == 184);
    assert!(offset_of!(NET_BUFFER, DataLength) == 24);
    assert!(offset_of!(NET_BUFFER_LIST, FirstNetBuffer) == 8);
};
