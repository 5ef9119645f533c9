//! What the driver tells a program of a flow: its `WINDIVERT_ADDRESS`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The size of an address structure.
pub(super) const SIZE: usize = 80;

/// Bits of the word after the timestamp.
const SNIFFED: u32 = 1 << 16;
const OUTBOUND: u32 = 1 << 17;
const LOOPBACK: u32 = 1 << 18;
const IPV6: u32 = 1 << 20;

/// What happened to the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It began.
    Established,
    /// It ended.
    Deleted,
    /// The driver says something else.
    Other(u8),
}

/// An event of the FLOW layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in ticks of the performance counter.
    pub timestamp: i64,
    /// The layer: 2 is FLOW.
    pub layer: u8,
    /// What happened.
    pub kind: Kind,
    /// Whether the flow was only looked at.
    pub sniffed: bool,
    /// Whether it was opened from here.
    pub outbound: bool,
    /// Whether it stays on the machine.
    pub loopback: bool,
    /// The endpoint's handle.
    pub endpoint: u64,
    /// Whose flow it is.
    pub process: u32,
    /// Its end here.
    pub local: SocketAddr,
    /// Its other end.
    pub remote: SocketAddr,
    /// Its IP protocol.
    pub protocol: u8,
}

impl Event {
    pub(super) fn read(bytes: &[u8; SIZE]) -> Self {
        let word = |at: usize| u32::from_le_bytes(part(bytes, at));
        let bits = word(8);
        let [layer, kind, ..] = bits.to_le_bytes();
        let v6 = bits & IPV6 != 0;
        let socket = |address: usize, port: usize| {
            SocketAddr::new(ip(v6, part(bytes, address)), u16::from_le_bytes(part(bytes, port)))
        };
        Self {
            timestamp: i64::from_le_bytes(part(bytes, 0)),
            layer,
            kind: match kind {
                1 => Kind::Established,
                2 => Kind::Deleted,
                other => Kind::Other(other),
            },
            sniffed: bits & SNIFFED != 0,
            outbound: bits & OUTBOUND != 0,
            loopback: bits & LOOPBACK != 0,
            endpoint: u64::from_le_bytes(part(bytes, 16)),
            process: word(32),
            local: socket(36, 68),
            remote: socket(52, 70),
            protocol: bytes[72],
        }
    }
}

/// `N` bytes from `at` on.
fn part<const N: usize>(bytes: &[u8; SIZE], at: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[at + index])
}

/// Addresses are numbers, their lowest word first; an IPv4 address is the IPv6 address that it is mapped to.
fn ip(v6: bool, bytes: [u8; 16]) -> IpAddr {
    if v6 {
        return Ipv6Addr::from(u128::from_le_bytes(bytes)).into();
    }
    let [a, b, c, d, ..] = bytes;
    Ipv4Addr::from(u32::from_le_bytes([a, b, c, d])).into()
}
