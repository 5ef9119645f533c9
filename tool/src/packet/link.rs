//! What lies before the IP header. Link types and headers: <https://www.tcpdump.org/linktypes.html>.

use crate::event::Direction;

const NULL: u16 = 0;
const ETHERNET: u16 = 1;
/// `LINKTYPE_RAW`, and what some systems write in its place: `DLT_RAW` of BSD, and of OpenBSD.
const RAW: [u16; 3] = [101, 12, 14];
const LOOP: u16 = 108;
const LINUX_SLL: u16 = 113;
const IPV4: u16 = 228;
const IPV6: u16 = 229;
const LINUX_SLL2: u16 = 276;

/// `EtherTypes` of IANA.
mod ether_type {
    pub const IPV4: u16 = 0x0800;
    pub const IPV6: u16 = 0x86dd;
    /// 802.1Q, 802.1ad, and what was used for two tags before there was that.
    pub const VLANS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
}

/// More tags than this nobody stacks; whoever does has no packet of ours.
const MOST_VLANS: usize = 4;

/// What is beneath a link header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// The IP packet, if it is one.
    pub ip: Option<&'a [u8]>,
    /// Which way it goes, if the header says so.
    pub direction: Option<Direction>,
}

/// Whether packets of this link type are looked into.
#[must_use]
pub fn is_read(link_type: u16) -> bool {
    matches!(link_type, NULL | ETHERNET | LOOP | LINUX_SLL | IPV4 | IPV6 | LINUX_SLL2) || RAW.contains(&link_type)
}

/// Looks beneath the link header.
pub(super) fn beneath(link_type: u16, bytes: &[u8]) -> Link<'_> {
    let only = |ip| Link { ip, direction: None };
    match link_type {
        ETHERNET => only(number(bytes, 12).and_then(|kind| behind_vlans(kind, bytes.get(14..)?))),
        // The number of the address family before it is another one on each system: the packet itself says what it is.
        NULL | LOOP => only(bytes.get(4..)),
        IPV4 | IPV6 => only(Some(bytes)),
        raw if RAW.contains(&raw) => only(Some(bytes)),
        LINUX_SLL => Link {
            ip: number(bytes, 14).and_then(|kind| behind_vlans(kind, bytes.get(16..)?)),
            direction: number(bytes, 0).and_then(cooked_direction),
        },
        LINUX_SLL2 => Link {
            ip: number(bytes, 0).and_then(|kind| behind_vlans(kind, bytes.get(20..)?)),
            direction: bytes.get(10).and_then(|&kind| cooked_direction(kind.into())),
        },
        _ => only(None),
    }
}

/// The packet type of a cooked header: 0 to us, 1 to all, 2 to many, 3 between others, 4 by us.
const fn cooked_direction(kind: u16) -> Option<Direction> {
    match kind {
        0..=2 => Some(Direction::In),
        4 => Some(Direction::Out),
        _ => None,
    }
}

fn behind_vlans(mut kind: u16, mut bytes: &[u8]) -> Option<&[u8]> {
    for _ in 0..MOST_VLANS {
        if !ether_type::VLANS.contains(&kind) {
            break;
        }
        kind = number(bytes, 2)?;
        bytes = bytes.get(4..)?;
    }
    matches!(kind, ether_type::IPV4 | ether_type::IPV6).then_some(bytes)
}

/// The number of two bytes in network order at this place.
fn number(bytes: &[u8], place: usize) -> Option<u16> {
    bytes.get(place..)?.first_chunk().map(|&bytes| u16::from_be_bytes(bytes))
}
