//! Live slots by age, linked in a circle: the youngest is the one before the oldest.
use super::Slot;

/// One list of slots. A slot is in one at most.
pub struct List {
    /// Means something only while there are any.
    oldest: u32,
    len: u32,
}

impl List {
    pub const EMPTY: Self = Self { oldest: 0, len: 0 };

    pub const fn len(&self) -> u32 {
        self.len
    }

    /// The number of the oldest, if there is one.
    pub fn oldest(&self) -> Option<u32> {
        (self.len != 0).then_some(self.oldest)
    }

    /// Adds a slot, as the youngest.
    pub fn push<R>(&mut self, slots: &mut [Slot<R>], number: u32) {
        let (older, newer) = match slots.get(self.oldest as usize) {
            Some(oldest) if self.len != 0 => (oldest.older, self.oldest),
            _ => (number, number),
        };
        join(slots, number, newer);
        join(slots, older, number);
        self.oldest = newer;
        self.len = self.len.wrapping_add(1);
    }

    /// Takes a slot out.
    pub fn remove<R>(&mut self, slots: &mut [Slot<R>], number: u32) {
        let Some(slot) = slots.get(number as usize) else { return };
        let (older, newer) = (slot.older, slot.newer);
        join(slots, older, newer);
        if self.oldest == number {
            self.oldest = newer;
        }
        self.len = self.len.wrapping_sub(1);
    }

    /// The oldest becomes the youngest: in a circle it is there already.
    pub fn turn<R>(&mut self, slots: &[Slot<R>]) {
        if let Some(slot) = slots.get(self.oldest as usize) {
            self.oldest = slot.newer;
        }
    }
}

/// Makes two slots neighbours.
fn join<R>(slots: &mut [Slot<R>], older: u32, newer: u32) {
    if let Some(slot) = slots.get_mut(older as usize) {
        slot.newer = newer;
    }
    if let Some(slot) = slots.get_mut(newer as usize) {
        slot.older = older;
    }
}
