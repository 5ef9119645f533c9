//! Whose a packet is.

use super::packet::Packet;
use crate::{
    capture::Interface,
    event::{Direction, Process},
    flows::{Answer, OwnerId, Sides, Table, Tuple},
    packet::{self, Datagrams, Ends, Seen},
    time::Time,
};

/// Joins packets with flows.
pub(super) struct Joiner<'a> {
    table: &'a Table,
    datagrams: Datagrams,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// It is this one's.
    Owner(OwnerId),
    /// It is of no flow that was heard of.
    Unknown,
    /// Two flows fit.
    Ambiguous,
    /// It is no IP packet, or has no addresses that are read here.
    Unread,
}

impl<'a> Joiner<'a> {
    pub(super) fn new(table: &'a Table) -> Self {
        Self { table, datagrams: Datagrams::default() }
    }

    pub(super) fn process(&self, owner: OwnerId) -> &'a Process {
        self.table.owners().get(owner)
    }

    pub(super) fn join(&mut self, packet: &Packet<'_>, interface: Interface) -> Joined {
        let time = interface.time(packet.time);
        let Seen { ends, direction } = packet::see(interface.link_type, packet.data);
        let tuple = match ends {
            Ends::Told(tuple) => tuple,
            Ends::ForAll(tuple, datagram) => {
                self.datagrams.first(datagram, tuple, time);
                tuple
            }
            Ends::InFirst(datagram) => match self.datagrams.later(datagram, time) {
                Some(tuple) => tuple,
                None => return Joined::Unknown,
            },
            Ends::Nowhere => return Joined::Unread,
        };
        self.owner(&tuple, time, packet.direction.or(direction))
    }

    /// The owner at this machine's end. If this machine is both ends, the capture may say which way the packet went: then it is
    /// that end's. Else it is the sender's, and nobody's if the sender's flow does not live: the receiver has not sent it.
    fn owner(&self, tuple: &Tuple, time: Time, direction: Option<Direction>) -> Joined {
        let Sides { source, destination, are_both_here } = self.table.at(tuple, time);
        let answer = match (are_both_here, direction, source) {
            (true, Some(Direction::In), _) | (false, _, Answer::Nobody) => destination,
            _ => source,
        };
        match answer {
            Answer::Owner(owner) => Joined::Owner(owner),
            Answer::Nobody => Joined::Unknown,
            Answer::Several => Joined::Ambiguous,
        }
    }
}
