//! The count that decides when a record dies.
//!
//! IRQL: any: nothing here calls the kernel
#[cfg(not(loom))]
use core::sync::atomic::{AtomicU32, Ordering};

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering};

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

    /// Gives one back. For the last one, which gets `true`, everything done under the others has happened before.
    #[must_use]
    pub fn give_back(&self) -> bool {
        // Acquiring is for the last one only, but a fence there would be lost on ThreadSanitizer.
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

#[cfg(all(test, not(loom)))]
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
}

#[cfg(all(test, loom))]
mod interleavings {
    use loom::{cell::UnsafeCell, sync::Arc, thread};

    use super::*;

    /// What one thread wrote under its reference, the holder of the last one reads without a race.
    #[test]
    fn the_last_reference_sees_what_was_done_under_the_others() {
        loom::model(|| {
            let shared = Arc::new((References::one(), UnsafeCell::new(0)));
            shared.0.take();
            let other = Arc::clone(&shared);
            let thread = thread::spawn(move || {
                // SAFETY: the reader comes after the reference under which this is written.
                other.1.with_mut(|value| unsafe { *value = 1 });
                other.0.give_back()
            });
            if shared.0.give_back() {
                // SAFETY: this is the last reference.
                assert_eq!(shared.1.with(|value| unsafe { *value }), 1);
            } else {
                assert!(thread.join().unwrap());
            }
        });
    }
}
