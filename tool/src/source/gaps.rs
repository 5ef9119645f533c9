//! What a source does not tell.

use super::Unreadable;

/// So many of what are no events are said; the others are only counted.
const SAID: u64 = 5;

/// What is no event, and what is missing.
#[derive(Debug, Default)]
pub struct Gaps {
    passed_over: u64,
    /// What that was: lines, or events that cannot be read.
    are_lines: bool,
    /// Events are missing.
    is_lost: bool,
}

impl Gaps {
    /// Counts what is wrong, and returns what is to be said about it.
    ///
    /// # Errors
    /// The source cannot be read any further.
    pub fn count(&mut self, wrong: Unreadable) -> Result<Option<String>, Unreadable> {
        match wrong {
            Unreadable::Line { .. } | Unreadable::Event { .. } => {
                self.passed_over += 1;
                self.are_lines = matches!(wrong, Unreadable::Line { .. });
                Ok((self.passed_over <= SAID).then(|| wrong.to_string()))
            }
            Unreadable::Lost { .. } | Unreadable::Silent { .. } => {
                self.is_lost |= matches!(wrong, Unreadable::Lost { .. });
                Ok(Some(wrong.to_string()))
            }
            Unreadable::Source { .. } | Unreadable::Nothing(_) => Err(wrong),
        }
    }

    /// How many lines or events were passed over.
    #[must_use]
    pub const fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.passed_over == 0 && !self.is_lost
    }

    /// How many were passed over, if any were.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        let what = match (self.are_lines, self.passed_over) {
            (_, 0) => return None,
            (true, 1) => "line is no event and was",
            (true, _) => "lines are no events and were",
            (false, 1) => "event cannot be read and was",
            (false, _) => "events cannot be read and were",
        };
        Some(format!("{} {what} passed over", self.passed_over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line: u64) -> Unreadable {
        Unreadable::Line { name: "source".into(), line, why: "no".into() }
    }

    #[test]
    fn five_lines_that_are_no_events_are_said_and_all_are_counted() {
        let mut gaps = Gaps::default();
        let said: Vec<_> = (1..=9).filter_map(|number| gaps.count(line(number)).expect("it goes on")).collect();
        assert_eq!(said, [1, 2, 3, 4, 5].map(|number| format!("source:{number}: no")));
        assert_eq!(gaps.summary().as_deref(), Some("9 lines are no events and were passed over"));
        assert_eq!((gaps.passed_over(), gaps.is_empty()), (9, false));
    }

    #[test]
    fn an_event_that_cannot_be_read_is_no_line() {
        let mut gaps = Gaps::default();
        let event = Unreadable::Event { name: "live".into(), number: 1, why: "no".into() };
        assert_eq!(gaps.count(event).expect("it goes on").as_deref(), Some("live: event 1: no"));
        assert_eq!(gaps.summary().as_deref(), Some("1 event cannot be read and was passed over"));
    }

    #[test]
    fn what_is_lost_is_missing_and_who_is_silent_is_not() {
        let mut gaps = Gaps::default();
        let silent = Unreadable::Silent { name: "live".into(), why: "it sleeps" };
        assert!(gaps.count(silent).expect("it goes on").is_some() && gaps.is_empty());
        let lost = Unreadable::Lost { name: "live".into(), events: 1, buffers: 0 };
        assert!(gaps.count(lost).expect("it goes on").is_some() && !gaps.is_empty());
        assert_eq!(gaps.summary(), None);
    }

    #[test]
    fn a_source_that_cannot_be_read_any_further_is_no_gap() {
        let mut gaps = Gaps::default();
        assert!(gaps.count(Unreadable::Nothing("source".into())).is_err() && gaps.is_empty());
    }
}
