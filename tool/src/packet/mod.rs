//! What a captured packet says of itself: between whom it goes.
//!
//! - [`link`]: what lies before the IP header, for each link type that is read.
//! - [`ip`]: addresses and ports behind it, in fragments and in quotations, too.
//! - [`Datagrams`]: what the first fragment said, for the others.

mod datagrams;
mod ip;
mod link;
#[cfg(test)]
mod tests;

pub use datagrams::{Datagram, Datagrams};
pub use link::{Link, is_read};

use crate::{event::Direction, flows::Tuple};

/// What is seen of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Between whom it goes.
    pub ends: Ends,
    /// Which way, if the link layer says so.
    pub direction: Option<Direction>,
}

/// Between whom a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// It says so itself.
    Told(Tuple),
    /// It says so for all fragments of its datagram.
    ForAll(Tuple, Datagram),
    /// The first fragment of its datagram says so.
    InFirst(Datagram),
    /// It is no IP packet, or less of it has been captured than it takes.
    Nowhere,
}

/// Looks at a packet of a link type.
#[must_use]
pub fn see(link_type: u16, bytes: &[u8]) -> Seen {
    let Link { ip, direction } = link::beneath(link_type, bytes);
    Seen { ends: ip.map_or(Ends::Nowhere, ip::ends), direction }
}
