//! Datagrams in fragments: only the first one has ports.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
};

use crate::{flows::Tuple, time::Time};

/// What the fragments of one datagram have in common (RFC 791 3.2, RFC 8200 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Datagram {
    /// Where it comes from.
    pub source: IpAddr,
    /// Where it goes.
    pub destination: IpAddr,
    /// The protocol in it; IPv6 does without.
    pub protocol: u8,
    /// Its number.
    pub identification: u32,
}

/// More datagrams are not kept in mind: then the oldest is forgotten.
const MOST: usize = 4096;
/// Nobody waits longer for the rest of one (RFC 8200 4.5); its number may be another one's then. In units of 100 ns.
const LONGEST: u64 = 60 * 10_000_000;

/// The datagrams whose first fragment has been seen.
#[derive(Debug, Default)]
pub struct Datagrams {
    known: HashMap<Datagram, (Tuple, Time)>,
    order: VecDeque<Datagram>,
}

impl Datagrams {
    /// The first fragment has been seen, and says between whom the datagram goes.
    pub fn first(&mut self, datagram: Datagram, tuple: Tuple, time: Time) {
        if self.known.insert(datagram, (tuple, time)).is_none() {
            self.order.push_back(datagram);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Between whom a datagram goes of which a later fragment has been seen; `None` if its first one has not, or long ago.
    #[must_use]
    pub fn later(&self, datagram: Datagram, time: Time) -> Option<Tuple> {
        let &(tuple, first) = self.known.get(&datagram)?;
        (time <= first.later(LONGEST)).then_some(tuple)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(identification: u32) -> Datagram {
        let [source, destination] = ["10.0.0.5", "10.0.0.6"].map(|text| text.parse().unwrap());
        Datagram { source, destination, protocol: 17, identification }
    }

    fn tuple(port: u16) -> Tuple {
        let end = |text: &str| std::net::SocketAddr::new(text.parse().unwrap(), port);
        Tuple { protocol: 17, source: end("10.0.0.5"), destination: end("10.0.0.6") }
    }

    #[test]
    fn a_later_fragment_is_of_the_datagram_with_its_number() {
        let mut datagrams = Datagrams::default();
        datagrams.first(datagram(1), tuple(100), Time(0));
        datagrams.first(datagram(2), tuple(200), Time(0));
        assert_eq!(datagrams.later(datagram(2), Time(1)), Some(tuple(200)));
        assert_eq!(datagrams.later(datagram(3), Time(1)), None);
    }

    #[test]
    fn a_number_that_is_used_again_is_of_the_last_one() {
        let mut datagrams = Datagrams::default();
        datagrams.first(datagram(1), tuple(100), Time(0));
        datagrams.first(datagram(1), tuple(200), Time(5));
        assert_eq!(datagrams.later(datagram(1), Time(6)), Some(tuple(200)));
    }

    #[test]
    fn nobody_waits_longer_than_a_minute() {
        let mut datagrams = Datagrams::default();
        datagrams.first(datagram(1), tuple(100), Time(7));
        assert_eq!(datagrams.later(datagram(1), Time(7 + LONGEST)), Some(tuple(100)));
        assert_eq!(datagrams.later(datagram(1), Time(8 + LONGEST)), None);
    }

    #[test]
    fn a_flood_of_fragments_takes_no_more_memory() {
        let mut datagrams = Datagrams::default();
        let last = u32::try_from(10 * MOST).unwrap();
        for number in 0..=last {
            datagrams.first(datagram(number), tuple(1), Time(0));
        }
        assert_eq!((datagrams.known.len(), datagrams.order.len()), (MOST, MOST));
        assert!(datagrams.later(datagram(last), Time(0)).is_some());
    }
}
