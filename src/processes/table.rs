//! The processes that flows may belong to: one slot a process, in an array of fixed size, and an index over their ids.
//!
//! A process is known by its start key, never by its id, which Windows gives to another process as soon as it is free. Who
//! asks for a flow's owner has an id and a path; a process whose id that is and whose path it is not has only got the id
//! later, or lost it before. If two fit, nobody can tell which of them it is, and none is named.
//!
//! A process that has exited stays, since what it has opened may be used for longer, by whoever inherited it: until its slot
//! is needed, those that exited first going first. One that runs is never forgotten.
//!
//! Slots are linked by number: those whose ids have the same hash into a chain, and those of exited processes into a queue.
//!
//! IRQL: `DISPATCH_LEVEL`, under the lock
use core::{iter, num::NonZeroU64};

use crate::identity::Identity;

/// The id of the System process, which lives for as long as Windows does: so nobody else ever has it. (Guess, though everybody
/// relies on it: no page of the kernel's says so.)
pub const SYSTEM: u64 = 4;

/// What is known of a process from its beginning, and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process<P> {
    /// Its id, while it lives.
    pub pid: u64,
    /// What no other process has, not even after a restart (DDI `PsGetProcessStartKey`).
    pub key: NonZeroU64,
    /// When it was created, in units of 100 ns since 1601, UTC.
    pub created: i64,
    /// The id of its parent, which may have been given to another process since; [`None`] if Windows does not tell.
    pub parent: Option<NonZeroU64>,
    /// Its image; [`None`] for one that has none, or if memory was short.
    pub path: Option<P>,
}

/// What has become of a process that was to be inserted. Whoever holds a path drops it, which must not happen under the lock.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Inserted<P> {
    /// It has a slot, perhaps that of one that had exited.
    New(Option<Process<P>>),
    /// It had one already, with what was told first.
    Known(Process<P>),
    /// All slots have processes that run.
    Full(Process<P>),
}

/// Room for one process.
#[derive(Debug)]
pub struct Slot<P> {
    process: Option<Process<P>>,
    /// Link to the next slot whose id has the same hash.
    next: u32,
    /// Link to the slot of the process that exited next.
    later: u32,
    exited: bool,
}

impl<P> Slot<P> {
    /// A slot that nobody has had.
    pub const FREE: Self = Self { process: None, next: 0, later: 0, exited: false };

    /// Whether nobody has had it.
    pub const fn is_free(&self) -> bool {
        matches!(self, Self { process: None, next: 0, later: 0, exited: false })
    }

    /// Who has it, when the table is no longer needed.
    pub const fn take(&mut self) -> Option<Process<P>> {
        self.process.take()
    }
}

/// The arrays and their lists. Whoever uses it holds the lock it lives in.
pub struct Table<'a, P> {
    slots: &'a mut [Slot<P>],
    /// By hash: link to the first slot of the chain.
    chains: &'a mut [u32],
    /// Slots from here on have never been used.
    fresh: u32,
    /// Link to the slot of the process that exited first.
    first: u32,
    /// Link to the slot of the process that exited last.
    last: u32,
}

impl<'a, P: AsRef<[u8]>> Table<'a, P> {
    /// A table that knows nobody.
    #[must_use]
    pub const fn empty() -> Self {
        Self::new(&mut [], &mut [])
    }

    /// A table of these slots, which are all [`Slot::FREE`], and any number of chains, which are all zero.
    #[must_use]
    pub const fn new(slots: &'a mut [Slot<P>], chains: &'a mut [u32]) -> Self {
        Self { slots, chains, fresh: 0, first: 0, last: 0 }
    }

    /// The slots and the chains, when the table is no longer needed.
    #[must_use]
    pub const fn into_memory(self) -> (&'a mut [Slot<P>], &'a mut [u32]) {
        (self.slots, self.chains)
    }

    /// Which process had this id when it opened what it still has, if its image is at this path and no other one fits.
    #[must_use]
    pub fn identify(&self, pid: u64, path: &[u8]) -> Option<Identity> {
        let mut all = self.with_id(pid).filter(|process| process.may_fit(path));
        let process = all.next().filter(|_| all.next().is_none())?;
        if process.path.is_none() && process.pid != SYSTEM {
            return None;
        }
        Some(Identity {
            start_key: process.key.get(),
            created: process.created.cast_unsigned(),
            parent: process.parent.map_or(0, NonZeroU64::get),
        })
    }

    /// Gives a process a slot, unless it has one. One that has exited is marked then, also if it had one.
    pub fn insert(&mut self, process: Process<P>, exited: bool) -> Inserted<P> {
        if let Some(number) = self.number_of(process.pid, process.key) {
            if exited {
                self.mark(number);
            }
            return Inserted::Known(process);
        }
        let (number, before) = if (self.fresh as usize) < self.slots.len() {
            let number = self.fresh;
            self.fresh = self.fresh.wrapping_add(1);
            (number, None)
        } else {
            let Some((number, before)) = self.forget_first() else { return Inserted::Full(process) };
            (number, Some(before))
        };
        let chain = self.chain_of(process.pid);
        if let (Some(slot), Some(first)) = (self.slots.get_mut(number as usize), self.chains.get_mut(chain)) {
            *slot = Slot { process: Some(process), next: *first, ..Slot::FREE };
            *first = link(number);
        }
        if exited {
            self.mark(number);
        }
        Inserted::New(before)
    }

    /// A process exits: whether it had a slot.
    pub fn exit(&mut self, pid: u64, key: NonZeroU64) -> bool {
        let number = self.number_of(pid, key);
        if let Some(number) = number {
            self.mark(number);
        }
        number.is_some()
    }

    /// Puts a process at the end of the queue, unless it is in there.
    fn mark(&mut self, number: u32) {
        match self.slots.get_mut(number as usize) {
            Some(slot) if !slot.exited => slot.exited = true,
            _ => return,
        }
        match self.slots.get_mut(slot_at(self.last)) {
            Some(last) => last.later = link(number),
            None => self.first = link(number),
        }
        self.last = link(number);
    }

    /// Frees the slot of the process that exited first.
    fn forget_first(&mut self) -> Option<(u32, Process<P>)> {
        let number = self.first.checked_sub(1)?;
        let slot = self.slots.get_mut(number as usize)?;
        let process = slot.process.take()?;
        let (next, later) = (slot.next, slot.later);
        self.first = later;
        if later == 0 {
            self.last = 0;
        }
        self.unchain(number, self.chain_of(process.pid), next);
        Some((number, process))
    }

    /// Takes a slot, behind which comes `next`, out of its chain.
    fn unchain(&mut self, number: u32, chain: usize, next: u32) {
        let mut at = self.chains.get(chain).copied().unwrap_or_default();
        let mut before = None;
        while at != link(number) {
            let Some(other) = self.slots.get(slot_at(at)) else { return };
            before = Some(slot_at(at));
            at = other.next;
        }
        let to_it = match before {
            Some(before) => self.slots.get_mut(before).map(|before| &mut before.next),
            None => self.chains.get_mut(chain),
        };
        if let Some(to_it) = to_it {
            *to_it = next;
        }
    }

    /// Where a process is.
    fn number_of(&self, pid: u64, key: NonZeroU64) -> Option<u32> {
        self.chain(pid).find(|(_, process)| process.key == key).map(|(number, _)| number)
    }

    /// All that have or had this id.
    fn with_id(&self, pid: u64) -> impl Iterator<Item = &Process<P>> {
        self.chain(pid).map(|(_, process)| process).filter(move |process| process.pid == pid)
    }

    /// The processes in one chain.
    fn chain(&self, pid: u64) -> impl Iterator<Item = (u32, &Process<P>)> {
        let mut at = self.chains.get(self.chain_of(pid)).copied().unwrap_or_default();
        iter::from_fn(move || {
            let number = at.checked_sub(1)?;
            let slot = self.slots.get(number as usize)?;
            at = slot.next;
            Some((number, slot.process.as_ref()?))
        })
    }

    /// The chain of an id. Ids are small numbers, mostly multiples of four in no order that is documented: the upper half of
    /// a product with a large odd number is spread evenly, and scaled to the chains.
    const fn chain_of(&self, pid: u64) -> usize {
        let hash = pid.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (hash.wrapping_mul(self.chains.len() as u64) >> 32) as usize
    }
}

impl<P: AsRef<[u8]>> Process<P> {
    /// Whether what is known by this path is of this process, if of any. Windows says of the System process that its path is
    /// `System`, which is no path of an image. What stands behind a NUL is not of the path.
    fn fits(&self, path: &[u8]) -> bool {
        let is_own = |own: &[u8]| !own.is_empty() && matches!(path.strip_prefix(own), Some([] | [0, 0, ..]));
        self.pid == SYSTEM || self.path.as_ref().is_some_and(|own| is_own(own.as_ref()))
    }

    /// The same, or it is not known where its image is: memory may have been short.
    fn may_fit(&self, path: &[u8]) -> bool {
        self.path.is_none() || self.fits(path)
    }
}

/// A link to a slot: one more than its number, so that zero leads nowhere.
const fn link(number: u32) -> u32 {
    number.wrapping_add(1)
}

/// Where a link leads; beyond all slots for zero.
const fn slot_at(link: u32) -> usize {
    link.wrapping_sub(1) as usize
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod model_tests;
#[cfg(test)]
#[path = "table_tests.rs"]
mod table_tests;
