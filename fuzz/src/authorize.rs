//! The driver's authorization: values and metadata of every kind, present, absent, empty or of the wrong type, and
//! paths that are no paths.

use std::{ptr, sync::LazyLock};

use arbitrary::{Arbitrary, Unstructured};
use flowtag_on_host::{
    Machine, filter_engine,
    machine::metadata,
    tag::{Direction, Family},
    wfp::ffi::{
        FWP_BYTE_ARRAY16_TYPE, FWP_BYTE_BLOB, FWP_SID, FWP_UINT8, FWP_UINT16, FWP_UINT32, FWP_VALUE0, FWP_VALUE0_UNION,
        FWPS_INCOMING_METADATA_VALUES0, FWPS_INCOMING_VALUES0, FWPS_LAYER_ALE_AUTH_CONNECT_V4,
        FWPS_LAYER_ALE_AUTH_CONNECT_V6, FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V4, FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V6,
        FWPS_METADATA_FIELD_FLOW_HANDLE, FWPS_METADATA_FIELD_PROCESS_ID,
    },
};

#[derive(Arbitrary, Debug)]
struct Authorization {
    trace_level: u32,
    inbound: bool,
    v6: bool,
    /// Instead of the layer's own.
    layer: Option<u16>,
    flow: u64,
    pid: u64,
    present: u32,
    values: Option<Vec<Value>>,
    path: Path,
}

#[derive(Arbitrary, Debug)]
enum Value {
    Empty,
    U8(u8),
    U16(u16),
    U32(u32),
    Bytes16([u8; 16]),
    Bytes16ThatAreNotThere,
    /// Any other type, with anything in it.
    Other(u32, usize),
}

#[derive(Arbitrary, Debug)]
enum Path {
    NoBlob,
    NoBytes(u32),
    Bytes(Vec<u8>),
    /// As large as a blob can say.
    Huge,
}

/// Nearly 4 GiB that cost nothing until they are read: zero pages.
struct Huge(*mut u8);

// SAFETY: nobody writes to it.
unsafe impl Send for Huge {}
// SAFETY: as above.
unsafe impl Sync for Huge {}

static HUGE: LazyLock<Huge> = LazyLock::new(|| {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping, which stays.
    let bytes = unsafe { libc::mmap(ptr::null_mut(), u32::MAX as usize, libc::PROT_READ, flags, -1, 0) };
    assert_ne!(bytes, libc::MAP_FAILED);
    Huge(bytes.cast())
});

/// The longest identifier that there can be, and two that begin like one and are none: of these there is no more than their head.
static SIDS: LazyLock<[Box<[u8]>; 3]> = LazyLock::new(|| {
    let mut longest = vec![7; 68];
    longest[..2].copy_from_slice(&[1, 15]);
    [longest.into(), [1, 16, 0, 0, 0, 0, 0, 5].into(), [2, 1, 0, 0, 0, 0, 0, 5].into()]
});

/// Authorizes a flow, sends and receives a packet of it, and unloads.
pub fn run(input: &[u8]) {
    let Ok(mut it) = Authorization::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let (direction, family) =
        (if it.inbound { Direction::In } else { Direction::Out }, if it.v6 { Family::V6 } else { Family::V4 });
    let own_layer = match (direction, family) {
        (Direction::Out, Family::V4) => FWPS_LAYER_ALE_AUTH_CONNECT_V4,
        (Direction::Out, Family::V6) => FWPS_LAYER_ALE_AUTH_CONNECT_V6,
        (Direction::In, Family::V4) => FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V4,
        (Direction::In, Family::V6) => FWPS_LAYER_ALE_AUTH_RECV_ACCEPT_V6,
    };
    let values: Box<[FWP_VALUE0]> = it.values.iter().flatten().map(Value::as_windows_has_it).collect();
    let incoming = FWPS_INCOMING_VALUES0 {
        layerId: it.layer.unwrap_or(own_layer),
        valueCount: u32::try_from(values.len()).unwrap(),
        incomingValue: if it.values.is_some() { values.as_ptr() } else { ptr::null() },
    };
    let blob = it.path.blob();
    let metadata = FWPS_INCOMING_METADATA_VALUES0 {
        currentMetadataValues: it.present,
        processPath: blob.as_ref().map_or(ptr::null(), ptr::from_ref),
        ..metadata(it.flow, it.pid)
    };

    let machine = Machine::start(16, it.trace_level);
    // SAFETY: all pointers lead to what values and blob say.
    unsafe { machine.authorize_as(direction, family, &incoming, &metadata) };
    let needed = FWPS_METADATA_FIELD_FLOW_HANDLE | FWPS_METADATA_FIELD_PROCESS_ID;
    let named = it.present & needed == needed && it.flow != 0;
    if it.layer.is_none() {
        assert_eq!(filter_engine::contexts(), if named { 2 } else { 0 }, "{it:?}");
    }
    for direction in [Direction::Out, Direction::In] {
        machine.transport_as(it.flow, direction, family, &metadata, &[20, 517]);
    }
    // Once more, as if it were reauthorized: by now it has its tag, or the layer is wrong again.
    // SAFETY: as above.
    unsafe { machine.authorize_as(direction, family, &incoming, &metadata) };
    machine.stop();
}

impl Value {
    fn as_windows_has_it(&self) -> FWP_VALUE0 {
        let (r#type, value) = match self {
            Self::Empty => return FWP_VALUE0::EMPTY,
            Self::U8(uint8) => (FWP_UINT8, FWP_VALUE0_UNION { uint8: *uint8 }),
            Self::U16(uint16) => (FWP_UINT16, FWP_VALUE0_UNION { uint16: *uint16 }),
            Self::U32(uint32) => (FWP_UINT32, FWP_VALUE0_UNION { uint32: *uint32 }),
            Self::Bytes16(bytes) => (FWP_BYTE_ARRAY16_TYPE, FWP_VALUE0_UNION { byteArray16: bytes }),
            Self::Bytes16ThatAreNotThere | Self::Other(FWP_BYTE_ARRAY16_TYPE, _) => {
                (FWP_BYTE_ARRAY16_TYPE, FWP_VALUE0_UNION { byteArray16: ptr::null() })
            }
            Self::Other(FWP_SID, content) => {
                let sid = SIDS.get(content % 4).map_or(ptr::null(), |sid| sid.as_ptr());
                (FWP_SID, FWP_VALUE0_UNION { sid: sid.cast() })
            }
            Self::Other(r#type, content) => {
                (*r#type, FWP_VALUE0_UNION { byteArray16: ptr::without_provenance(*content) })
            }
        };
        FWP_VALUE0 { r#type, value }
    }
}

impl Path {
    fn blob(&mut self) -> Option<FWP_BYTE_BLOB> {
        Some(match self {
            Self::NoBlob => return None,
            Self::NoBytes(size) => FWP_BYTE_BLOB { size: *size, data: ptr::null_mut() },
            Self::Bytes(bytes) => {
                // Not a byte more than the blob says, so that reading beyond is seen.
                bytes.shrink_to_fit();
                FWP_BYTE_BLOB { size: u32::try_from(bytes.len()).unwrap(), data: bytes.as_mut_ptr() }
            }
            Self::Huge => FWP_BYTE_BLOB { size: u32::MAX, data: HUGE.0 },
        })
    }
}
