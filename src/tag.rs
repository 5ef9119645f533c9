//! What is known of a flow from its authorization, and never changes afterwards.
//!
//! IRQL: any: nothing here calls the kernel

/// Which way packets go, and for a flow: who opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From this machine.
    Out,
    /// To this machine.
    In,
}

/// Version of the Internet Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// When the driver learned of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// As it was opened.
    New,
    /// On a reauthorization: it may be older than the driver.
    Reauth,
}

/// An address in network order; Windows may leave it out on a reauthorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// Not told.
    Unknown,
    /// IPv4.
    V4([u8; 4]),
    /// IPv6.
    V6([u8; 16]),
}

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub address: Address,
    /// Its port in host order. With ICMP the local end has the type here and the remote end the code.
    pub port: Option<u16>,
}

/// `IPPROTO_ICMP`.
pub const ICMP: u8 = 1;
/// `IPPROTO_TCP`.
pub const TCP: u8 = 6;
/// `IPPROTO_UDP`.
pub const UDP: u8 = 17;
/// `IPPROTO_ICMPV6`.
pub const ICMPV6: u8 = 58;

/// Who a flow belongs to and where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The flow's handle. Windows may give it to another flow once this one has ended.
    pub flow: u64,
    /// The process that owns the endpoint.
    pub pid: u64,
    /// This end.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
    /// Number of the transport protocol.
    pub protocol: Option<u8>,
    /// Version of the Internet Protocol.
    pub family: Family,
    /// Who opened it.
    pub direction: Direction,
    /// When the driver learned of it.
    pub origin: Origin,
}

impl Tag {
    /// Whether ports are type and code, and packets have no payload apart from their header.
    #[must_use]
    pub const fn is_icmp(&self) -> bool {
        matches!(self.protocol, Some(ICMP | ICMPV6))
    }
}
