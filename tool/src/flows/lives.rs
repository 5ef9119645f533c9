//! From when to when each flow lived, by what the events tell.

use std::collections::HashMap;

use super::{Owners, Tuple, owners::OwnerId};
use crate::{
    event::{Event, Flow, Origin, Told},
    time::{MILLISECOND, Time},
};

/// How much earlier or later than a flow's life a packet of it may be seen, if nobody says otherwise: an accepted flow is tagged
/// after its first packet has come in, and the last packets of a connection pass when it has ended already.
pub const TOLERANCE: u64 = 100 * MILLISECOND;

/// A flow's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// From its own end to the other one.
    pub tuple: Tuple,
    /// When it was tagged, as far as it is known; before that, if it was tagged late.
    pub opened: Time,
    /// When its tag went; [`Time::LAST`] if that was not heard of.
    pub closed: Time,
    /// Whose it is.
    pub owner: OwnerId,
    /// It may be older than its tag.
    pub may_be_older: bool,
}

/// What has been heard of flows.
#[derive(Debug, Default)]
pub struct Lives {
    all: Vec<Life>,
    /// Those that live, by their handles.
    open: HashMap<u64, usize>,
    owners: Owners,
    untold: u64,
}

impl Lives {
    /// Hears an event.
    pub fn hear(&mut self, told: &Told) {
        match (&told.event, told.time) {
            (Event::FlowOpen(flow), Some(time)) => self.lives(flow, time, time),
            (Event::FlowRundown(flow, traffic), Some(time)) => self.lives(flow, time.earlier(traffic.duration), time),
            (Event::FlowClose(flow, traffic, _), Some(time)) => {
                self.lives(flow, time.earlier(traffic.duration), time);
                self.ends(flow, time);
            }
            // Without a time nothing is known of its life but that there was one.
            (Event::FlowOpen(flow) | Event::FlowRundown(flow, _) | Event::FlowClose(flow, ..), None) => {
                if let Some(life) = self.life(flow, Time::FIRST) {
                    let known = self.open.get(&flow.handle).is_some_and(|&place| self.all[place] == life);
                    if !known {
                        self.open.insert(flow.handle, self.all.len());
                        self.all.push(life);
                    }
                }
            }
            _ => {}
        }
    }

    /// All that have been heard of, in the order in which they were first.
    #[must_use]
    pub fn all(&self) -> &[Life] {
        &self.all
    }

    /// Their owners.
    #[must_use]
    pub const fn owners(&self) -> &Owners {
        &self.owners
    }

    /// How many events told of flows without saying between whom.
    #[must_use]
    pub const fn untold(&self) -> u64 {
        self.untold
    }

    pub(super) fn into_parts(self) -> (Vec<Life>, Owners) {
        (self.all, self.owners)
    }

    /// The flow lives at `now`, and has since `opened`. It may have been told before: a session that comes late gets live flows by
    /// a `FlowOpen` and a `FlowRundown`, in any order.
    fn lives(&mut self, flow: &Flow, opened: Time, now: Time) {
        let Some(life) = self.life(flow, opened) else { return };
        if let Some(&place) = self.open.get(&flow.handle) {
            let known = &mut self.all[place];
            if (known.tuple, known.owner) == (life.tuple, life.owner) {
                known.opened = known.opened.min(opened);
                known.may_be_older |= life.may_be_older;
                return;
            }
            // The handle is another flow's by now: the end of the first was lost.
            known.closed = opened.min(now).max(known.opened);
        }
        self.open.insert(flow.handle, self.all.len());
        self.all.push(life);
    }

    fn ends(&mut self, flow: &Flow, time: Time) {
        if Tuple::of(flow).is_none() {
            return;
        }
        if let Some(place) = self.open.remove(&flow.handle) {
            let life = &mut self.all[place];
            life.closed = time.max(life.opened);
        }
    }

    fn life(&mut self, flow: &Flow, opened: Time) -> Option<Life> {
        let Some(tuple) = Tuple::of(flow) else {
            self.untold += 1;
            return None;
        };
        let owner = self.owners.id(&flow.process);
        let may_be_older = flow.origin == Origin::Reauthorized;
        Some(Life { tuple, opened, closed: Time::LAST, owner, may_be_older })
    }
}
