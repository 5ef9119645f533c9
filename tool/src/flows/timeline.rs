//! Whose a tuple was, from one time to the next.
//!
//! The lives of a tuple's flows are cut into stretches beforehand: so an answer is one binary search, however many flows there were
//! and however they overlap.

use std::collections::HashMap;

use super::{Life, owners::OwnerId};
use crate::time::Time;

/// Whose it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nobody's that was heard of.
    Nobody,
    /// This one's.
    Owner(OwnerId),
    /// Two fit: no owner is claimed.
    Several,
}

/// From this time on, up to the next stretch, and whose it is then, as a number.
pub(super) type Stretch = [u64; 2];

const NOBODY: u64 = u64::MAX;
const SEVERAL: u64 = u64::MAX - 1;

const fn number_of(answer: Answer) -> u64 {
    match answer {
        Answer::Nobody => NOBODY,
        Answer::Several => SEVERAL,
        Answer::Owner(OwnerId(place)) => place as u64,
    }
}

fn answer_of(number: u64) -> Answer {
    match number {
        NOBODY => Answer::Nobody,
        SEVERAL => Answer::Several,
        place => Answer::Owner(OwnerId(u32::try_from(place).unwrap_or(u32::MAX))),
    }
}

/// The answer at a time.
pub(super) fn at(stretches: &[Stretch], time: Time) -> Answer {
    let behind = stretches.partition_point(|&[from, _]| from <= time.0);
    let last = behind.checked_sub(1).and_then(|place| stretches.get(place));
    last.map_or(Answer::Nobody, |&[_, number]| answer_of(number))
}

/// Owners, and how many of their flows count right now.
#[derive(Default)]
struct Present(HashMap<OwnerId, u32>);

impl Present {
    fn comes(&mut self, owner: OwnerId) {
        *self.0.entry(owner).or_default() += 1;
    }

    fn goes(&mut self, owner: OwnerId) {
        if let Some(count) = self.0.get_mut(&owner) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&owner);
            }
        }
    }

    fn answer(&self) -> Answer {
        match (self.0.len(), self.0.keys().next()) {
            (1, Some(&owner)) => Answer::Owner(owner),
            (0, _) | (_, None) => Answer::Nobody,
            _ => Answer::Several,
        }
    }
}

/// What happens at a time: a flow comes or goes, in its own life or in that with some tolerance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    time: Time,
    comes: bool,
    tolerated: bool,
    owner: OwnerId,
}

/// Appends the stretches of these lives, which are of one tuple and one way. A packet within a life is its owner's, one that is only
/// tolerated counts where there is none of the first.
pub(super) fn append(stretches: &mut Vec<Stretch>, lives: &[Life], tolerance: u64) {
    let mut changes = Vec::with_capacity(lives.len() * 4);
    for (opened, life) in opened(lives).zip(lives) {
        for (tolerated, units) in [(false, 0), (true, tolerance)] {
            let owner = life.owner;
            changes.push(Change { time: opened.earlier(units), comes: true, tolerated, owner });
            let end = life.closed.later(units);
            if end < Time::LAST {
                changes.push(Change { time: end.later(1), comes: false, tolerated, owner });
            }
        }
    }
    changes.sort_unstable();
    let (mut living, mut tolerated) = (Present::default(), Present::default());
    let mut last = Answer::Nobody;
    for now in changes.chunk_by(|one, next| one.time == next.time) {
        for change in now {
            let present = if change.tolerated { &mut tolerated } else { &mut living };
            if change.comes { present.comes(change.owner) } else { present.goes(change.owner) }
        }
        let answer = match living.answer() {
            Answer::Nobody => tolerated.answer(),
            answer => answer,
        };
        if answer != last {
            stretches.push([now[0].time.0, number_of(answer)]);
            last = answer;
        }
    }
}

/// When each of these lives, which are in the order of their opening, may have begun. One that was tagged late began after the last
/// one before it ended: two flows of one tuple do not live at once, except where the tuple does not tell them apart.
fn opened(lives: &[Life]) -> impl Iterator<Item = Time> {
    let mut ended = Time::FIRST;
    lives.iter().map(move |life| {
        let opened = if life.may_be_older { life.opened.min(ended.later(1)) } else { life.opened };
        ended = ended.max(life.closed);
        opened
    })
}
