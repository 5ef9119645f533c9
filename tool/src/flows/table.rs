//! The table: a tuple and a time, and whose the packet is.
//!
//! All that is known of a tuple is in one place of one long list: its key, and the stretches of both its ways. A tuple's hash says
//! where to look. So a question about one of many flows waits for memory that is in no cache once, besides the small list of
//! buckets; and questions that are asked together ([`Table::all_at`]) wait together.

use std::{hash::BuildHasher, hint::black_box};

use hashbrown::DefaultHashBuilder;

use super::{
    Lives, Owners, Tuple,
    timeline::{self, Answer},
    tuple::Key,
};
use crate::time::Time;

/// A key, and how many stretches there are of the way that it names, and of the way back.
const HEAD: usize = Key::WORDS + 1;
/// What a cache fetches at once, in words of eight bytes.
const LINE: usize = 8;
/// How many questions wait together: more than a processor has outstanding.
const TOGETHER: usize = 64;

/// All flows, to be asked.
#[derive(Debug)]
pub struct Table {
    /// Where in the entries those of each bucket begin, and where those of the last one end.
    begins: Vec<u32>,
    /// Of each tuple the head, and the stretches.
    entries: Vec<u64>,
    tuples: usize,
    owners: Owners,
    hasher: DefaultHashBuilder,
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

/// Where a tuple has to be.
#[derive(Clone, Copy, Default)]
struct Place {
    key: Key,
    swapped: bool,
    bucket: usize,
    /// In the entries, if that has been looked up.
    begin: usize,
    end: usize,
}

impl Table {
    /// Of all that has been heard. A packet may be so much earlier or later than its flow's life as `tolerance` says.
    #[must_use]
    pub fn new(lives: Lives, tolerance: u64) -> Self {
        let (mut lives, owners) = lives.into_parts();
        let hasher = DefaultHashBuilder::default();
        let buckets = lives.len().next_power_of_two();
        let mut begins = vec![0; buckets + 1];
        lives.sort_by_cached_key(|life| {
            let (key, swapped) = life.tuple.key();
            (bucket(&hasher, &key, buckets), key, swapped, life.opened)
        });
        let (mut entries, mut stretches, mut tuples) = (Vec::new(), Vec::new(), 0);
        for of_tuple in lives.chunk_by(|one, next| one.tuple.key().0 == next.tuple.key().0) {
            let (one_way, back) = of_tuple.split_at(of_tuple.partition_point(|life| !life.tuple.key().1));
            stretches.clear();
            timeline::append(&mut stretches, one_way, tolerance);
            let first = stretches.len();
            timeline::append(&mut stretches, back, tolerance);
            let (key, _) = of_tuple[0].tuple.key();
            entries.extend(key.words());
            entries.push((first as u64) << 32 | (stretches.len() - first) as u64);
            entries.extend(stretches.as_flattened());
            begins[bucket(&hasher, &key, buckets) + 1] = length(&entries);
            tuples += 1;
        }
        // Behind a bucket without entries the next one begins where it does.
        let mut last = 0;
        for begin in &mut begins {
            last = last.max(*begin);
            *begin = last;
        }
        Self { begins, entries, tuples, owners, hasher }
    }

    /// Whose a packet with this tuple is at this time.
    #[must_use]
    pub fn at(&self, tuple: &Tuple, time: Time) -> Sides {
        let mut place = self.place(tuple);
        self.look_up(&mut place);
        self.answer(&place, time)
    }

    /// The same for many packets, in their order: appends the answers.
    pub fn all_at(&self, asked: &[(Tuple, Time)], answers: &mut Vec<Sides>) {
        for asked in asked.chunks(TOGETHER) {
            let mut places = [Place::default(); TOGETHER];
            let places = &mut places[..asked.len()];
            for (place, (tuple, _)) in places.iter_mut().zip(asked) {
                *place = self.place(tuple);
            }
            // In each of these two rounds none waits for another one. What the second one sees does not matter.
            for place in &mut *places {
                self.look_up(place);
            }
            let word = |at: usize| self.entries.get(at).copied().unwrap_or_default();
            let looks = places.iter().map(|place| word(place.begin) ^ word(place.begin + LINE));
            black_box(looks.fold(0, |seen, look| seen ^ look));
            answers.extend(places.iter().zip(asked).map(|(place, (_, time))| self.answer(place, *time)));
        }
    }

    fn place(&self, tuple: &Tuple) -> Place {
        let (key, swapped) = tuple.key();
        Place { key, swapped, bucket: bucket(&self.hasher, &key, self.begins.len() - 1), begin: 0, end: 0 }
    }

    fn look_up(&self, place: &mut Place) {
        place.begin = self.begins[place.bucket] as usize;
        place.end = self.begins[place.bucket + 1] as usize;
    }

    fn answer(&self, place: &Place, time: Time) -> Sides {
        let mut bucket = &self.entries[place.begin..place.end];
        while let Some((head, rest)) = bucket.split_first_chunk::<HEAD>() {
            let counts = head[Key::WORDS];
            let (first, second) = ((counts >> 32) as usize, (counts & 0xffff_ffff) as usize);
            let (stretches, others) = rest.split_at(2 * (first + second));
            if head[..Key::WORDS] == place.key.words() {
                let (one_way, back) = stretches.as_chunks::<2>().0.split_at(first);
                let [one_way, back] = [one_way, back].map(|stretches| timeline::at(stretches, time));
                let (source, destination) = if place.swapped { (back, one_way) } else { (one_way, back) };
                return Sides { source, destination, are_both_here: first > 0 && second > 0 };
            }
            bucket = others;
        }
        Sides { source: Answer::Nobody, destination: Answer::Nobody, are_both_here: false }
    }

    /// The owners.
    #[must_use]
    pub const fn owners(&self) -> &Owners {
        &self.owners
    }

    /// How many tuples it knows, a way and its way back being one.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.tuples
    }

    /// Whether it knows none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tuples == 0
    }
}

/// In which of so many buckets, a power of two, a tuple is.
fn bucket(hasher: &DefaultHashBuilder, key: &Key, buckets: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "the lower bits are as good as all")]
    let hash = hasher.hash_one(key) as usize;
    hash & (buckets - 1)
}

/// More than a `u32` counts do not fit into memory: 32 GiB.
fn length(entries: &[u64]) -> u32 {
    u32::try_from(entries.len()).unwrap_or(u32::MAX)
}
