//! Protocol, addresses and ports: what a packet has, and by what a flow is found.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use crate::event::Flow;

/// Protocol numbers of IANA.
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMP for IPv6.
pub const ICMPV6: u8 = 58;

/// A protocol's number, which is shown by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol(pub u8);

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ICMP => formatter.write_str("icmp"),
            TCP => formatter.write_str("tcp"),
            UDP => formatter.write_str("udp"),
            ICMPV6 => formatter.write_str("icmpv6"),
            number => number.fmt(formatter),
        }
    }
}

/// A way between two ends. Of ICMP, which has no ports, the source's is the type, and the destination's the code; the type of a
/// reply is that of its request, since both are one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// The protocol's number.
    pub protocol: u8,
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
}

/// A tuple and its way back, which are one here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key([u64; Self::WORDS]);

impl Key {
    pub(super) const WORDS: usize = 5;

    pub(super) const fn words(self) -> [u64; Self::WORDS] {
        self.0
    }
}

impl Tuple {
    /// The way from a flow's own end to the other one. `None` if not enough was told of it to tell its packets.
    #[must_use]
    pub fn of(flow: &Flow) -> Option<Self> {
        let told = flow.protocol != 0 && !flow.local.ip().is_unspecified() && !flow.remote.ip().is_unspecified();
        let (mut source, destination) = (flow.local, flow.remote);
        if matches!(flow.protocol, ICMP | ICMPV6) {
            source.set_port(request_of(flow.protocol, source.port()));
        }
        told.then_some(Self { protocol: flow.protocol, source, destination })
    }

    /// That of an ICMP message.
    #[must_use]
    pub fn icmp(protocol: u8, source: IpAddr, destination: IpAddr, kind: u8, code: u8) -> Self {
        let kind = request_of(protocol, kind.into());
        Self { protocol, source: SocketAddr::new(source, kind), destination: SocketAddr::new(destination, code.into()) }
    }

    /// The way back. Type and code of ICMP are no ends' own, and stay where they are.
    #[must_use]
    pub fn back(&self) -> Self {
        let (mut source, mut destination) = (self.destination, self.source);
        if matches!(self.protocol, ICMP | ICMPV6) {
            source.set_port(self.source.port());
            destination.set_port(self.destination.port());
        }
        Self { protocol: self.protocol, source, destination }
    }

    /// Whether both are the same for a packet: it has no scopes.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.key() == other.key()
    }

    /// How it is found, and whether its source is the second end there.
    pub(super) fn key(&self) -> (Key, bool) {
        let [source, destination] = [self.source, self.destination].map(|end| address(end.ip()));
        let ports = [self.source.port(), self.destination.port()];
        let is_icmp = matches!(self.protocol, ICMP | ICMPV6);
        let swapped = if is_icmp { source > destination } else { (source, ports[0]) > (destination, ports[1]) };
        let (first, second) = if swapped { (destination, source) } else { (source, destination) };
        // Type and code are no ends' own: whichever way the message goes, they stay in their order.
        let [one, two] = if swapped && !is_icmp { [ports[1], ports[0]] } else { ports };
        let last = u64::from(one) | u64::from(two) << 16 | u64::from(self.protocol) << 32;
        let ([a, b], [c, d]) = (words(first), words(second));
        (Key([a, b, c, d, last]), swapped)
    }
}

/// Its upper and its lower half.
fn words(address: u128) -> [u64; 2] {
    let bytes = address.to_be_bytes();
    let halves = bytes.as_chunks().0;
    [u64::from_be_bytes(halves[0]), u64::from_be_bytes(halves[1])]
}

/// An IPv4 address has the number of the IPv6 address that stands for it.
fn address(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The type of the request that a message of this type answers; the type itself, if it answers none (RFC 792, RFC 950, RFC 4443).
const fn request_of(protocol: u8, kind: u16) -> u16 {
    match (protocol, kind) {
        (ICMP, 0) => 8,
        (ICMP, 14) => 13,
        (ICMP, 16) => 15,
        (ICMP, 18) => 17,
        (ICMPV6, 129) => 128,
        _ => kind,
    }
}
