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

/// A number, if Windows gave it. In one word, so that two are compared at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given(u32);

impl Given {
    /// Not given.
    pub const NOTHING: Self = Self(0);

    /// Given.
    #[must_use]
    pub const fn number(number: u16) -> Self {
        Self((number as u32).wrapping_add(1))
    }

    /// What was given.
    #[must_use]
    pub const fn get(self) -> Option<u32> {
        self.0.checked_sub(1)
    }

    fn fits(self, other: Self) -> bool {
        self == other || self == Self::NOTHING || other == Self::NOTHING
    }
}

impl<T: Into<u16>> From<Option<T>> for Given {
    fn from(number: Option<T>) -> Self {
        number.map_or(Self::NOTHING, |number| Self::number(number.into()))
    }
}

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub address: Address,
    /// Its port in host order. With ICMP the local end has the type here and the remote end the code.
    pub port: Given,
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
    pub protocol: Given,
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
        const ICMP: Given = Given::number(self::ICMP as u16);
        const ICMPV6: Given = Given::number(self::ICMPV6 as u16);
        matches!(self.protocol, ICMP | ICMPV6)
    }

    /// Whether `other` can be of the same flow: nothing that both know differs. Windows may leave fields out when it
    /// authorizes a flow again. Who opened it is left aside, since that follows from the layer, which Windows chooses.
    #[must_use]
    pub fn fits(&self, other: &Self) -> bool {
        // Nearly always that is the end of it.
        let equal = self.pid == other.pid
            && self.local == other.local
            && self.remote == other.remote
            && self.protocol == other.protocol
            && self.family == other.family;
        equal || self.fits_as_far_as_known(other)
    }

    #[cold]
    #[inline(never)]
    fn fits_as_far_as_known(&self, other: &Self) -> bool {
        self.pid == other.pid
            && self.local.fits(other.local)
            && self.remote.fits(other.remote)
            && self.protocol.fits(other.protocol)
            && self.family == other.family
    }
}

impl Endpoint {
    fn fits(self, other: Self) -> bool {
        let unknown = self.address == Address::Unknown || other.address == Address::Unknown;
        (unknown || self.address == other.address) && self.port.fits(other.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: Tag = Tag {
        flow: 1,
        pid: 4242,
        local: Endpoint { address: Address::V4([10, 0, 0, 5]), port: Given::number(50123) },
        remote: Endpoint { address: Address::V4([93, 184, 216, 34]), port: Given::number(443) },
        protocol: Given::number(TCP as u16),
        family: Family::V4,
        direction: Direction::Out,
        origin: Origin::New,
    };

    #[test]
    fn a_tag_fits_itself() {
        assert!(CONNECT.fits(&CONNECT));
    }

    #[test]
    fn what_one_side_does_not_know_fits() {
        let unknown = Endpoint { address: Address::Unknown, port: Given::NOTHING };
        let little = Tag { local: unknown, remote: unknown, protocol: Given::NOTHING, ..CONNECT };
        assert!(CONNECT.fits(&little));
        assert!(little.fits(&CONNECT));
    }

    /// The tag without one of the fields that Windows may leave out, for each of them.
    fn with_a_gap() -> [Tag; 5] {
        let address = Address::Unknown;
        [
            Tag { protocol: Given::NOTHING, ..CONNECT },
            Tag { local: Endpoint { address, ..CONNECT.local }, ..CONNECT },
            Tag { local: Endpoint { port: Given::NOTHING, ..CONNECT.local }, ..CONNECT },
            Tag { remote: Endpoint { address, ..CONNECT.remote }, ..CONNECT },
            Tag { remote: Endpoint { port: Given::NOTHING, ..CONNECT.remote }, ..CONNECT },
        ]
    }

    #[test]
    fn each_field_may_be_missing_by_itself() {
        for gap in with_a_gap() {
            assert!(CONNECT.fits(&gap), "{gap:?}");
            assert!(gap.fits(&CONNECT), "{gap:?}");
        }
    }

    #[test]
    fn where_one_field_is_missing_the_others_still_count() {
        let another = Endpoint { address: Address::V4([10, 0, 0, 6]), port: Given::number(1) };
        for gap in with_a_gap() {
            for other in [
                Tag { pid: 4243, ..gap },
                Tag { family: Family::V6, ..gap },
                Tag { local: another, ..gap },
                Tag { remote: another, ..gap },
            ] {
                assert!(!CONNECT.fits(&other), "{other:?}");
                assert!(!other.fits(&CONNECT), "{other:?}");
            }
        }
    }

    #[test]
    fn another_origin_or_opener_fits() {
        assert!(CONNECT.fits(&Tag { origin: Origin::Reauth, direction: Direction::In, ..CONNECT }));
    }

    #[test]
    fn each_known_difference_is_of_another_flow() {
        let address = Address::V4([10, 0, 0, 6]);
        for other in [
            Tag { pid: 4243, ..CONNECT },
            Tag { family: Family::V6, ..CONNECT },
            Tag { protocol: Given::number(UDP.into()), ..CONNECT },
            Tag { local: Endpoint { address, ..CONNECT.local }, ..CONNECT },
            Tag { local: Endpoint { port: Given::number(1), ..CONNECT.local }, ..CONNECT },
            Tag { remote: Endpoint { address, ..CONNECT.remote }, ..CONNECT },
            Tag { remote: Endpoint { port: Given::number(1), ..CONNECT.remote }, ..CONNECT },
        ] {
            assert!(!CONNECT.fits(&other), "{other:?}");
        }
    }
}
