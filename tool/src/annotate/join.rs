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
    /// What is to be asked.
    asked: Vec<(Tuple, Time)>,
    /// What was answered last.
    answers: Vec<Sides>,
}

/// What was seen of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// The table has to be asked: the number of the question, and which way the packet went, if that is known.
    Asks { question: usize, direction: Option<Direction> },
    /// Nothing is to be asked.
    Answered(Joined),
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
        Self { table, datagrams: Datagrams::default(), asked: Vec::new(), answers: Vec::new() }
    }

    pub(super) fn process(&self, owner: OwnerId) -> &'a Process {
        self.table.owners().get(owner)
    }

    /// Looks into a packet, and notes down what is to be asked.
    pub(super) fn look(&mut self, packet: &Packet<'_>, interface: Interface) -> Looked {
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
                None => return Looked::Answered(Joined::Unknown),
            },
            Ends::Nowhere => return Looked::Answered(Joined::Unread),
        };
        self.asked.push((tuple, time));
        Looked::Asks { question: self.asked.len() - 1, direction: packet.direction.or(direction) }
    }

    /// Asks for all that has been noted down since the last time.
    pub(super) fn ask(&mut self) {
        self.answers.clear();
        self.table.all_at(&self.asked, &mut self.answers);
        self.asked.clear();
    }

    /// Whose a packet is that was asked for.
    pub(super) fn joined(&self, looked: &Looked) -> Joined {
        match *looked {
            Looked::Answered(joined) => joined,
            Looked::Asks { question, direction } => owner(self.answers[question], direction),
        }
    }
}

/// The owner at this machine's end. If this machine is both ends, the capture may say which way the packet went: then it is that
/// end's. Else it is the sender's, and nobody's if the sender's flow does not live: the receiver has not sent it.
fn owner(Sides { source, destination, are_both_here }: Sides, direction: Option<Direction>) -> Joined {
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
