//! What has happened since the driver was loaded, for its last line.
//!
//! IRQL: any: nothing here calls the kernel
use core::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
pub struct Total(AtomicU64);

impl Total {
    const fn zero() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts one, and says whether it is the first.
    pub fn count(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// How many there are.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The totals of the `totals` line.
pub struct Totals {
    /// Flows tagged.
    pub opened: Total,
    /// Tagged flows let go of.
    pub closed: Total,
    /// Those that had to make room.
    pub evicted: Total,
    /// Flows not tagged because there was no room for them: no slot became free.
    pub untracked: Total,
    /// Older flows not tagged because the ring was full: those never evict.
    pub reauth_skipped: Total,
    /// Flows not tagged because there was no memory.
    pub alloc_failed: Total,
    /// Flows not tagged because Windows refused a context.
    pub associate_failed: Total,
    /// Authorizations of flows that had their tag already.
    pub already_tagged: Total,
    /// Authorizations of flows whose handle has a slot that is not, or no longer, theirs, or which Windows says are tagged.
    pub busy: Total,
    /// Flows that ended while they were being tagged.
    pub gone: Total,
    /// Authorizations that named no flow or no process.
    pub unnamed: Total,
    /// Authorizations of what another filter had blocked.
    pub blocked: Total,
    /// Processes that found no room among those that are known.
    pub unlisted: Total,
}

impl Totals {
    /// All zero.
    #[must_use]
    pub const fn zero() -> Self {
        Self {
            opened: Total::zero(),
            closed: Total::zero(),
            evicted: Total::zero(),
            untracked: Total::zero(),
            reauth_skipped: Total::zero(),
            alloc_failed: Total::zero(),
            associate_failed: Total::zero(),
            already_tagged: Total::zero(),
            busy: Total::zero(),
            gone: Total::zero(),
            unnamed: Total::zero(),
            blocked: Total::zero(),
            unlisted: Total::zero(),
        }
    }

    /// Names and numbers in the order of the line.
    #[must_use]
    pub fn all(&self) -> [(&'static str, u64); 13] {
        [
            ("opened", self.opened.get()),
            ("closed", self.closed.get()),
            ("evicted", self.evicted.get()),
            ("untracked", self.untracked.get()),
            ("reauth_skipped", self.reauth_skipped.get()),
            ("alloc_failed", self.alloc_failed.get()),
            ("associate_failed", self.associate_failed.get()),
            ("already_tagged", self.already_tagged.get()),
            ("busy", self.busy.get()),
            ("gone", self.gone.get()),
            ("unnamed", self.unnamed.get()),
            ("blocked", self.blocked.get()),
            ("unlisted", self.unlisted.get()),
        ]
    }
}

/// The driver's totals.
pub static TOTALS: Totals = Totals::zero();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_count_is_the_first() {
        assert!(Totals::zero().opened.count());
    }

    #[test]
    fn the_second_count_is_not_the_first() {
        let totals = Totals::zero();
        totals.opened.count();
        assert!(!totals.opened.count());
    }

    #[test]
    fn each_total_counts_for_itself() {
        let totals = Totals::zero();
        totals.evicted.count();
        totals.evicted.count();
        assert_eq!(totals.all().map(|(_, count)| count), [0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
