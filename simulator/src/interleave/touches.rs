//! What a step of a thread touches: two steps that touch nothing in common can change places without any effect.

/// What a step reads and writes of the state that threads share. It may say too much, never too little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Touches {
    reads: u8,
    writes: u8,
    /// The handle of the flow whose contexts it looks at or changes; 0 for none.
    flow: u64,
    /// It depends on every other step.
    everything: bool,
}

/// The driver's memory: its image and its pool.
const DRIVER: u8 = 1;
/// Rundown protection.
const RUNDOWN: u8 = 1 << 1;
/// Filters, sub-layers and sessions.
const POLICY: u8 = 1 << 2;
/// The table of callouts. The counts in it are only read by who unregisters; adding to them commutes.
const CALLOUTS: u8 = 1 << 3;
/// Which handles flows get.
const HANDLES: u8 = 1 << 4;
/// What pending removals owe.
const DEFERRED: u8 = 1 << 5;
/// The driver framework.
const FRAMEWORK: u8 = 1 << 6;

impl Touches {
    /// Nothing that is shared.
    pub const NOTHING: Self = Self { reads: 0, writes: 0, flow: 0, everything: false };
    /// Whatever there is.
    pub const EVERYTHING: Self = Self { reads: 0, writes: 0, flow: 0, everything: true };
    /// Driver code runs: it may read all of the driver's memory. What it writes is found out when it has run.
    pub const DRIVER_CODE: Self = Self::reading(DRIVER);
    /// A block of pool is freed, or the image unloaded: driver code that runs later would fault.
    pub const DRIVER_MEMORY: Self = Self::writing(DRIVER);
    /// Rundown protection.
    pub const RUNDOWN: Self = Self::writing(RUNDOWN);
    /// The policy in force is looked up.
    pub const POLICY: Self = Self::reading(POLICY);
    /// The policy in force changes, or how flows stand to it.
    pub const NEW_POLICY: Self = Self::writing(POLICY);
    /// A callout's contexts or running calls are counted.
    pub const CALLOUT_COUNTS: Self = Self::reading(CALLOUTS);
    /// Callouts come or go.
    pub const CALLOUTS: Self = Self::writing(CALLOUTS);
    /// Whose a handle is, is looked up.
    pub const HANDLE: Self = Self::reading(HANDLES);
    /// A flow gets its handle, or gives it back.
    pub const HANDLES: Self = Self::writing(HANDLES);
    /// What pending removals owe.
    pub const DEFERRED: Self = Self::writing(DEFERRED);
    /// The framework's objects.
    pub const FRAMEWORK: Self = Self::writing(FRAMEWORK);

    /// The contexts of the flow with this handle.
    #[must_use]
    pub const fn flow(handle: u64) -> Self {
        Self { flow: handle, ..Self::NOTHING }
    }

    /// The `n`th of six things that only tests know.
    #[cfg(test)]
    pub(super) const fn thing(n: u8) -> Self {
        Self::writing(1 << (n + 1))
    }

    const fn reading(what: u8) -> Self {
        Self { reads: what, ..Self::NOTHING }
    }

    const fn writing(what: u8) -> Self {
        Self { writes: what, ..Self::NOTHING }
    }

    /// Both. Of two flows everything is said.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        let two_flows = self.flow != 0 && other.flow != 0 && self.flow != other.flow;
        Self {
            reads: self.reads | other.reads,
            writes: self.writes | other.writes,
            flow: if self.flow == 0 { other.flow } else { self.flow },
            everything: self.everything || other.everything || two_flows,
        }
    }

    /// Whether the driver's memory can have changed.
    pub(super) const fn may_change_driver_memory(self) -> bool {
        self.everything || (self.reads | self.writes) & (DRIVER | RUNDOWN | FRAMEWORK) != 0
    }

    /// Whether the order of two steps can matter.
    #[must_use]
    pub const fn conflicts_with(self, other: Self) -> bool {
        self.everything
            || other.everything
            || self.writes & (other.reads | other.writes) != 0
            || other.writes & self.reads != 0
            || (self.flow != 0 && self.flow == other.flow)
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
    fn contexts_of_two_flows_have_nothing_in_common() {
        assert!(!Touches::flow(1).conflicts_with(Touches::flow(2)));
        assert!(Touches::flow(1).conflicts_with(Touches::flow(1)));
    }

    #[test]
    fn a_step_that_touches_two_flows_conflicts_with_both() {
        let both = Touches::flow(1).and(Touches::flow(2));
        assert!(both.conflicts_with(Touches::flow(1)) && both.conflicts_with(Touches::flow(2)));
    }

    #[test]
    fn a_step_that_touches_everything_conflicts_with_one_that_touches_nothing() {
        assert!(Touches::EVERYTHING.conflicts_with(Touches::NOTHING));
        assert!(Touches::NOTHING.conflicts_with(Touches::EVERYTHING));
    }
}
