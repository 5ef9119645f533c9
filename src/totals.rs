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

/// Makes [`Totals`] of one list. Each total has two names: the first is its field's and that in the `totals` line, the
/// second is that in the event `Totals`.
macro_rules! totals {
    ($($(#[$meaning:meta])+ $line:ident $event:ident,)+) => {
        /// The totals of the `totals` line and of the event `Totals`.
        pub struct Totals {
            $($(#[$meaning])+ pub $line: Total,)+
        }

        /// What the event calls them, in the order of both.
        pub const EVENT_FIELDS: [&str; [$(stringify!($event)),+].len()] = [$(stringify!($event)),+];

        impl Totals {
            /// All zero.
            #[must_use]
            pub const fn zero() -> Self {
                Self { $($line: Total::zero()),+ }
            }

            /// The names of the line, and the numbers, in the order of both.
            #[must_use]
            pub fn all(&self) -> [(&'static str, u64); EVENT_FIELDS.len()] {
                [$((stringify!($line), self.$line.get())),+]
            }
        }
    };
}

totals! {
    /// Flows tagged.
    opened Opened,
    /// Tagged flows let go of.
    closed Closed,
    /// Those that had to make room.
    evicted Evicted,
    /// Flows not tagged because there was no room for them: no slot became free.
    untracked Untracked,
    /// Older flows not tagged because the ring was full: those never evict.
    reauth_skipped ReauthSkipped,
    /// Flows not tagged because there was no memory.
    alloc_failed AllocFailed,
    /// Flows not tagged because Windows refused a context.
    associate_failed AssociateFailed,
    /// Authorizations of flows that had their tag already.
    already_tagged AlreadyTagged,
    /// Authorizations of flows whose handle has a slot that is not, or no longer, theirs, or which Windows says are tagged.
    busy Busy,
    /// Flows that ended while they were being tagged.
    gone Gone,
    /// Authorizations that named no flow or no process.
    unnamed Unnamed,
    /// Authorizations of what another filter had blocked.
    blocked Blocked,
    /// Processes that found no room among those that are known.
    unlisted Unlisted,
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

    #[test]
    fn a_totals_name_in_the_event_is_that_in_the_line_in_the_events_spelling() {
        let capitalized = |word: &str| format!("{}{}", word[..1].to_uppercase(), &word[1..]);
        let spelled = Totals::zero().all().map(|(name, _)| name.split('_').map(capitalized).collect::<String>());
        assert_eq!(spelled, EVENT_FIELDS);
    }

    #[test]
    fn docs_traces_md_explains_each_total_and_no_other_in_their_order() {
        let document = include_str!("../docs/traces.md");
        let table = document.split("| total | counts |\n|---|---|\n").nth(1).unwrap();
        let names = table.lines().map_while(|row| row.strip_prefix("| ")?.split(" |").next());
        let explained: Vec<_> = names.flat_map(|names| names.split(", ")).map(|name| name.trim_matches('`')).collect();
        assert_eq!(explained, Totals::zero().all().map(|(name, _)| name));
    }
}
