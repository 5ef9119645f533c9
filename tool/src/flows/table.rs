//! The table: a tuple and a time, and whose the packet is.

use hashbrown::HashMap;

use super::{
    Lives, Owners, Tuple,
    timeline::{self, Answer, Stretch},
    tuple::Key,
};
use crate::time::Time;

/// All flows, to be asked.
#[derive(Debug)]
pub struct Table {
    places: HashMap<Key, Place>,
    stretches: Vec<Stretch>,
    owners: Owners,
}

/// Where the stretches of a tuple are: those of the flows whose own end is the first one, and behind them those of the others.
#[derive(Clone, Copy, Debug)]
struct Place {
    begin: u32,
    middle: u32,
    end: u32,
}

/// Whose a packet is at either end, where this machine is both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// The owner of the flow whose own end sent it.
    pub source: Answer,
    /// The owner of the flow whose own end receives it.
    pub destination: Answer,
    /// Flows of both ends have been heard of: this machine is both, whether or not they live at this time.
    pub are_both_here: bool,
}

impl Table {
    /// Of all that has been heard. A packet may be so much earlier or later than its flow's life as `tolerance` says.
    #[must_use]
    pub fn new(lives: Lives, tolerance: u64) -> Self {
        let (mut lives, owners) = lives.into_parts();
        lives.sort_by_cached_key(|life| (life.tuple.key(), life.opened));
        let mut places = HashMap::with_capacity(lives.len());
        let mut stretches = Vec::with_capacity(lives.len() * 2);
        for one_way in lives.chunk_by(|one, next| one.tuple.key() == next.tuple.key()) {
            let (key, swapped) = one_way[0].tuple.key();
            let begin = length(&stretches);
            timeline::append(&mut stretches, one_way, tolerance);
            let end = length(&stretches);
            let place = places.entry(key).or_insert(Place { begin, middle: if swapped { begin } else { end }, end });
            place.end = end;
        }
        Self { places, stretches, owners }
    }

    /// Whose a packet with this tuple is at this time.
    #[must_use]
    pub fn at(&self, tuple: &Tuple, time: Time) -> Sides {
        let (key, swapped) = tuple.key();
        let Some(place) = self.places.get(&key) else {
            return Sides { source: Answer::Nobody, destination: Answer::Nobody, are_both_here: false };
        };
        let within = |begin: u32, end: u32| timeline::at(&self.stretches[begin as usize..end as usize], time);
        let (first, second) = (within(place.begin, place.middle), within(place.middle, place.end));
        let (source, destination) = if swapped { (second, first) } else { (first, second) };
        Sides { source, destination, are_both_here: place.begin < place.middle && place.middle < place.end }
    }

    /// The owners.
    #[must_use]
    pub const fn owners(&self) -> &Owners {
        &self.owners
    }

    /// How many tuples it knows, a way and its way back being one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// More than a `u32` counts do not fit into memory: 64 GiB.
fn length(stretches: &[Stretch]) -> u32 {
    u32::try_from(stretches.len()).unwrap_or(u32::MAX)
}
