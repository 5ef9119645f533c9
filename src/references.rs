//! The count that decides when a record dies.
//!
//! IRQL: any: nothing here calls the kernel
use super::atomic::{AtomicU32, Ordering};

/// References to one record. It begins with the one of its maker.
pub struct References(AtomicU32);

impl References {
    /// One reference.
    #[must_use]
    pub fn one() -> Self {
        Self(AtomicU32::new(1))
    }

    /// Takes one more. The caller has one already, so the record cannot die meanwhile and no order is needed.
    pub fn take(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one more on behalf of somebody who has none, unless the last one has been given back: then the record is
    /// dying, and must not be revived.
    #[must_use]
    pub fn take_if_alive(&self) -> bool {
        let more = |count: u32| (count != 0).then(|| count.wrapping_add(1));
        // No order is needed: what the record holds was written before it became known to whoever calls this.
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Whether there are so many.
    #[must_use]
    pub fn are(&self, count: u32) -> bool {
        self.0.load(Ordering::Relaxed) == count
    }

    /// Gives one back. For the last one, which gets `true`, everything done under the others has happened before.
    #[must_use]
    pub fn give_back(&self) -> bool {
        // Acquiring is for the last one only, but a fence there would be lost on ThreadSanitizer.
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_reference_is_the_last() {
        assert!(References::one().give_back());
    }

    #[test]
    fn the_first_of_two_references_is_not_the_last() {
        let references = References::one();
        references.take();
        assert!(!references.give_back());
    }

    #[test]
    fn the_second_of_two_references_is_the_last() {
        let references = References::one();
        references.take();
        let _ = references.give_back();
        assert!(references.give_back());
    }

    #[test]
    fn a_living_record_can_be_referred_to_once_more() {
        let references = References::one();
        assert!(references.take_if_alive());
        assert!(references.are(2));
    }

    #[test]
    fn a_dying_record_is_not_revived() {
        let references = References::one();
        let _ = references.give_back();
        assert!(!references.take_if_alive());
        assert!(references.are(0));
    }
}
