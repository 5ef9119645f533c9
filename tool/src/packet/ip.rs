//! Addresses and ports of an IP packet.
//!
//! Headers and extension headers are read by etherparse, in the way that makes the best of packets which have been cut. Ports are
//! the first four bytes behind them, which is all that an error message may quote.

use std::net::SocketAddr;

use etherparse::{Ipv6ExtensionSlice, LaxIpSlice};

use super::{Datagram, Ends};
use crate::flows::{ICMP, ICMPV6, TCP, Tuple, UDP};

/// Further protocols with ports in the first four bytes: DCCP (RFC 4340), SCTP (RFC 9260), UDP-Lite (RFC 3828).
const DCCP: u8 = 33;
const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;
/// Before what an error message quotes: type, code, checksum and four bytes more (RFC 792, RFC 4443).
const ICMP_HEADER: usize = 8;

/// Between whom an IP packet goes. An error message is about the packet that it quotes, and counts for that one's flow.
pub(super) fn ends(packet: &[u8]) -> Ends {
    within(packet, true)
}

fn within(packet: &[u8], may_quote: bool) -> Ends {
    let Ok((ip, _)) = LaxIpSlice::from_slice(packet) else { return Ends::Nowhere };
    let payload = ip.payload();
    let protocol = payload.ip_number.0;
    let fragment = fragment(&ip);
    if let Some((datagram, false)) = fragment {
        return Ends::InFirst(datagram);
    }
    if may_quote && let Some(quoted) = quoted(protocol, payload.payload) {
        return quoted;
    }
    let Some(tuple) = tuple(&ip, protocol, payload.payload) else { return Ends::Nowhere };
    match fragment {
        Some((datagram, _)) => Ends::ForAll(tuple, datagram),
        None => Ends::Told(tuple),
    }
}

/// The datagram that this is a fragment of, and whether it is the first; `None` if it is whole.
fn fragment(ip: &LaxIpSlice<'_>) -> Option<(Datagram, bool)> {
    if !ip.is_fragmenting_payload() {
        return None;
    }
    let (source, destination) = (ip.source_addr(), ip.destination_addr());
    let (protocol, identification, offset) = match ip {
        LaxIpSlice::Ipv4(ip) => {
            let header = ip.header();
            (header.protocol().0, header.identification().into(), header.fragments_offset().value())
        }
        LaxIpSlice::Ipv6(ip) => {
            let mut headers = ip.extensions().clone().into_iter();
            let (number, offset) = headers.find_map(|header| match header {
                Ipv6ExtensionSlice::Fragment(header) => {
                    Some((header.identification(), header.fragment_offset().value()))
                }
                _ => None,
            })?;
            (0, number, offset)
        }
    };
    Some((Datagram { source, destination, protocol, identification }, offset == 0))
}

fn tuple(ip: &LaxIpSlice<'_>, protocol: u8, payload: &[u8]) -> Option<Tuple> {
    let (source, destination) = (ip.source_addr(), ip.destination_addr());
    let (from, to) = match protocol {
        ICMP | ICMPV6 => {
            let [kind, code] = *payload.first_chunk()?;
            return Some(Tuple::icmp(protocol, source, destination, kind, code));
        }
        TCP | UDP | DCCP | SCTP | UDP_LITE => {
            let [a, b, c, d] = *payload.first_chunk()?;
            (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
        }
        // Guess: Windows tells of a flow without ports that they are zero.
        _ => (0, 0),
    };
    Some(Tuple { protocol, source: SocketAddr::new(source, from), destination: SocketAddr::new(destination, to) })
}

/// Of an error message, the packet that it quotes: destination unreachable, source quench, redirect, time exceeded and parameter
/// problem of RFC 792, and the first four types of RFC 4443.
fn quoted(protocol: u8, message: &[u8]) -> Option<Ends> {
    let kind = *message.first()?;
    let is_error = match protocol {
        ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
        ICMPV6 => matches!(kind, 1..=4),
        _ => false,
    };
    let packet = message.get(ICMP_HEADER..).filter(|_| is_error)?;
    match within(packet, false) {
        Ends::Nowhere => None,
        // The message itself is whole: it says nothing for other fragments.
        Ends::ForAll(tuple, _) => Some(Ends::Told(tuple)),
        ends => Some(ends),
    }
}
