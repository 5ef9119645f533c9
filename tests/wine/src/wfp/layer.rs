//! The layers that the script's traffic passes.
use super::abi::Guid;

/// One layer.
pub struct Layer {
    /// Its run-time id (`FWPS_LAYER_…`).
    pub id: u16,
    /// Its key (`FWPM_LAYER_…`).
    pub key: Guid,
    /// How many values a classify has: the `…_MAX` of DDI `FWPS_FIELDS_…`.
    pub values: usize,
    /// Which of them has the flags, at an authorization layer.
    pub flags: usize,
}

const fn layer(id: u16, key: Guid, values: usize, flags: usize) -> Layer {
    Layer { id, key, values, flags }
}

/// At an authorization layer, which value is what: the same at all four (DDI `FWPS_FIELDS_ALE_AUTH_CONNECT_V4` and its
/// siblings). Only the flags differ.
pub mod field {
    /// `…_IP_LOCAL_ADDRESS`.
    pub const LOCAL_ADDRESS: usize = 2;
    /// `…_IP_LOCAL_PORT`.
    pub const LOCAL_PORT: usize = 4;
    /// `…_IP_PROTOCOL`.
    pub const PROTOCOL: usize = 5;
    /// `…_IP_REMOTE_ADDRESS`.
    pub const REMOTE_ADDRESS: usize = 6;
    /// `…_IP_REMOTE_PORT`.
    pub const REMOTE_PORT: usize = 7;
}

/// What happens at a layer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// `ALE_AUTH_CONNECT`.
    Connect,
    /// `ALE_AUTH_RECV_ACCEPT`.
    Accept,
    /// `OUTBOUND_TRANSPORT`.
    Outbound,
    /// `INBOUND_TRANSPORT`.
    Inbound,
}

impl Point {
    /// The layer for this, by address family.
    pub const fn layer(self, v6: bool) -> &'static Layer {
        match (self, v6) {
            (Self::Connect, false) => &CONNECT_V4,
            (Self::Connect, true) => &CONNECT_V6,
            (Self::Accept, false) => &ACCEPT_V4,
            (Self::Accept, true) => &ACCEPT_V6,
            (Self::Outbound, false) => &OUTBOUND_V4,
            (Self::Outbound, true) => &OUTBOUND_V6,
            (Self::Inbound, false) => &INBOUND_V4,
            (Self::Inbound, true) => &INBOUND_V6,
        }
    }
}

static INBOUND_V4: Layer =
    layer(12, Guid(0x5926_dfc8, 0xe3cf, 0x4426, [0xa2, 0x83, 0xdc, 0x39, 0x3f, 0x5d, 0x0f, 0x9d]), 15, 0);
static INBOUND_V6: Layer =
    layer(14, Guid(0x634a_869f, 0xfc23, 0x4b90, [0xb0, 0xc1, 0xbf, 0x62, 0x0a, 0x36, 0xae, 0x6f]), 15, 0);
static OUTBOUND_V4: Layer =
    layer(16, Guid(0x09e6_1aea, 0xd214, 0x46e2, [0x9b, 0x21, 0xb2, 0x6b, 0x0b, 0x2f, 0x28, 0xc8]), 16, 0);
static OUTBOUND_V6: Layer =
    layer(18, Guid(0xe173_5bde, 0x013f, 0x4655, [0xb3, 0x51, 0xa4, 0x9e, 0x15, 0x76, 0x2d, 0xf0]), 16, 0);
static ACCEPT_V4: Layer =
    layer(44, Guid(0xe1cd_9fe7, 0xf4b5, 0x4273, [0x96, 0xc0, 0x59, 0x2e, 0x48, 0x7b, 0x86, 0x50]), 35, 11);
static ACCEPT_V6: Layer =
    layer(46, Guid(0xa3b4_2c97, 0x9f04, 0x4672, [0xb8, 0x7e, 0xce, 0xe9, 0xc4, 0x83, 0x25, 0x7f]), 35, 11);
static CONNECT_V4: Layer =
    layer(48, Guid(0xc38d_57d1, 0x05a7, 0x4c33, [0x90, 0x4f, 0x7f, 0xbc, 0xee, 0xe6, 0x0e, 0x82]), 41, 12);
static CONNECT_V6: Layer =
    layer(50, Guid(0x4a72_393b, 0x319f, 0x44bc, [0x84, 0xc3, 0xba, 0x54, 0xdc, 0xb3, 0xb6, 0xb4]), 41, 12);

/// The layer with this key.
pub fn by_key(key: Guid) -> Option<&'static Layer> {
    let all = [&INBOUND_V4, &INBOUND_V6, &OUTBOUND_V4, &OUTBOUND_V6, &ACCEPT_V4, &ACCEPT_V6, &CONNECT_V4, &CONNECT_V6];
    all.into_iter().find(|layer| layer.key == key)
}
