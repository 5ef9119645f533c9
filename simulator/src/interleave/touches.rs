//! What a step of a thread touches: two steps that touch nothing in common can change places without any effect.

/// A piece of the state that threads share, by a number of its owner's choice. Two owners that choose the same one are taken
/// for one: that makes orders out of steps that could change places, and leaves none out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part(u32);

impl Part {
    /// The driver's memory: its image and its pool.
    const DRIVER: Self = Self(1);

    /// The part numbered `number`, from 1 to 31.
    ///
    /// # Panics
    /// When the number is another one.
    #[must_use]
    pub const fn numbered(number: u32) -> Self {
        assert!(number > 0 && number < 32, "parts are numbered from 1 to 31");
        Self(1 << number)
    }
}

/// What a step reads and writes of the state that threads share. It may say too much, never too little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Touches {
    reads: u32,
    writes: u32,
    /// The handle of the one object whose state it looks at or changes; 0 for none.
    object: u64,
    /// It may have changed the driver's memory: that is looked at when it has been taken.
    driver_memory: bool,
    /// It depends on every other step.
    everything: bool,
}

impl Touches {
    /// Nothing that is shared.
    pub const NOTHING: Self = Self { reads: 0, writes: 0, object: 0, driver_memory: false, everything: false };
    /// Whatever there is.
    pub const EVERYTHING: Self = Self { everything: true, driver_memory: true, ..Self::NOTHING };
    /// Driver code runs: it may read all of the driver's memory. What it writes is found out when it has run.
    pub const DRIVER_CODE: Self = Self::reading(Part::DRIVER).and_driver_memory();
    /// A block of pool is freed, or the image unloaded: driver code that runs later would fault.
    pub const DRIVER_MEMORY: Self = Self::writing(Part::DRIVER).and_driver_memory();

    /// It looks at a part.
    #[must_use]
    pub const fn reading(part: Part) -> Self {
        Self { reads: part.0, ..Self::NOTHING }
    }

    /// It changes a part.
    #[must_use]
    pub const fn writing(part: Part) -> Self {
        Self { writes: part.0, ..Self::NOTHING }
    }

    /// It looks at or changes the object with this handle.
    #[must_use]
    pub const fn object(handle: u64) -> Self {
        Self { object: handle, ..Self::NOTHING }
    }

    /// And it may change the driver's memory.
    #[must_use]
    pub const fn and_driver_memory(self) -> Self {
        Self { driver_memory: true, ..self }
    }

    /// The `n`th of six things that only tests know.
    #[cfg(test)]
    pub(super) const fn thing(n: u8) -> Self {
        Self::writing(Part::numbered(n as u32 + 1))
    }

    /// Both. Of two objects everything is said.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        let two_objects = self.object != 0 && other.object != 0 && self.object != other.object;
        Self {
            reads: self.reads | other.reads,
            writes: self.writes | other.writes,
            object: if self.object == 0 { other.object } else { self.object },
            driver_memory: self.driver_memory || other.driver_memory || two_objects,
            everything: self.everything || other.everything || two_objects,
        }
    }

    /// Whether the driver's memory can have changed.
    pub(super) const fn may_change_driver_memory(self) -> bool {
        self.driver_memory
    }

    /// Whether the order of two steps can matter.
    #[must_use]
    pub const fn conflicts_with(self, other: Self) -> bool {
        self.everything
            || other.everything
            || self.writes & (other.reads | other.writes) != 0
            || other.writes & self.reads != 0
            || (self.object != 0 && self.object == other.object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_readers_can_change_places() {
        assert!(!Touches::DRIVER_CODE.conflicts_with(Touches::DRIVER_CODE));
    }

    #[test]
    fn a_writer_and_a_reader_cannot() {
        assert!(Touches::DRIVER_CODE.conflicts_with(Touches::DRIVER_MEMORY));
        assert!(Touches::DRIVER_MEMORY.conflicts_with(Touches::DRIVER_CODE));
    }

    #[test]
    fn two_objects_have_nothing_in_common() {
        assert!(!Touches::object(1).conflicts_with(Touches::object(2)));
        assert!(Touches::object(1).conflicts_with(Touches::object(1)));
    }

    #[test]
    fn a_step_that_touches_two_objects_conflicts_with_both() {
        let both = Touches::object(1).and(Touches::object(2));
        assert!(both.conflicts_with(Touches::object(1)) && both.conflicts_with(Touches::object(2)));
    }

    #[test]
    fn a_step_that_may_change_the_drivers_memory_is_looked_at_whatever_else_it_touches() {
        assert!(Touches::object(1).and(Touches::DRIVER_CODE).may_change_driver_memory());
        assert!(Touches::object(1).and(Touches::object(2)).may_change_driver_memory());
        assert!(!Touches::writing(Part::numbered(1)).may_change_driver_memory());
    }

    #[test]
    fn a_step_that_touches_everything_conflicts_with_one_that_touches_nothing() {
        assert!(Touches::EVERYTHING.conflicts_with(Touches::NOTHING));
        assert!(Touches::NOTHING.conflicts_with(Touches::EVERYTHING));
    }
}
