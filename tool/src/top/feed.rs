//! A thread that hears the events, while another one shows what there is.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use super::model::Model;
use crate::{
    source::{Events, Gaps, Stop, Unreadable},
    time::Time,
};

/// So long events that have been stopped may take to end.
const MOMENT: Duration = Duration::from_secs(5);

/// What has been heard.
#[derive(Debug, Default)]
pub struct Heard {
    /// Processes and flows.
    pub model: Model,
    /// What was not told.
    pub gaps: Gaps,
    /// What there is to say about that.
    pub notes: Vec<String>,
    /// There are no more events.
    pub has_ended: bool,
    /// Why, if the source cannot be read any further.
    pub failed: Option<Unreadable>,
}

/// The thread that hears.
pub struct Feed {
    heard: Arc<Mutex<Heard>>,
    stop: Stop,
    /// It is dropped behind the last event.
    end: Receiver<Infallible>,
}

impl Feed {
    /// Begins to hear the events of a source.
    #[must_use]
    pub fn start(events: Events<'static>) -> Self {
        let (end, ends) = mpsc::channel();
        let feed = Self { heard: Arc::default(), stop: events.stop(), end: ends };
        let heard = Arc::clone(&feed.heard);
        // Nobody waits for it: at the end of the process it may be waiting for an event.
        thread::spawn(move || {
            hear(events, &heard);
            drop(end);
        });
        feed
    }

    /// What has been heard so far. Meanwhile nothing more is.
    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        lock(&self.heard)
    }

    /// Waits until there are no more events, but no longer than this, if anything is said.
    pub fn wait(&self, at_most: Option<Duration>) {
        // Nothing is ever sent: it ends, or the time does.
        match at_most {
            Some(time) => drop(self.end.recv_timeout(time)),
            None => drop(self.end.recv()),
        }
    }

    /// Ends events that have no end of their own, so that nothing is left of them on the machine.
    pub fn stop(&self) {
        if self.stop.now() {
            self.wait(Some(MOMENT));
        }
    }
}

fn hear(events: Events<'static>, heard: &Mutex<Heard>) {
    for told in events {
        let mut heard = lock(heard);
        match told {
            Ok(told) => heard.model.hear(&told),
            Err(wrong) => match heard.gaps.count(wrong) {
                Ok(note) => heard.notes.extend(note),
                Err(failed) => {
                    heard.failed = Some(failed);
                    break;
                }
            },
        }
    }
    lock(heard).has_ended = true;
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says when now is: at the newest event, and from there on as time passes. So a file of yesterday looks as it did yesterday, and
/// rates fall when nothing happens.
#[derive(Debug)]
pub(super) struct Clock {
    newest: Option<Time>,
    since: Instant,
}

impl Clock {
    pub(super) const fn new(instant: Instant) -> Self {
        Self { newest: None, since: instant }
    }

    /// When it is at this instant, by the time of the newest event. After the last event time stands still.
    pub(super) fn now(&mut self, newest: Option<Time>, has_ended: bool, instant: Instant) -> Option<Time> {
        if newest != self.newest {
            (self.newest, self.since) = (newest, instant);
        }
        let passed = if has_ended { Duration::ZERO } else { instant.saturating_duration_since(self.since) };
        Some(newest?.later(u64::try_from(passed.as_nanos() / 100).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Event, Told},
        source::{Hints, json},
    };

    fn lines(lines: &str) -> Feed {
        let bytes = lines.as_bytes().to_vec();
        let feed = Feed::start(Events::new("lines", std::io::Cursor::new(bytes), Hints::default()));
        feed.wait(None);
        feed
    }

    #[test]
    fn what_is_no_event_is_counted_and_events_go_on() {
        let stopping = Told { time: Some(Time(7)), event: Event::Stopping { live_flows: 1 } };
        let feed = lines(&format!("{}{}\n", "{\n".repeat(9), json::line(&stopping)));
        let heard = feed.heard();
        assert_eq!((heard.gaps.passed_over(), heard.notes.len(), heard.has_ended), (9, 5, true));
        assert!(heard.notes[0].starts_with("lines:1: "), "{:?}", heard.notes);
        assert_eq!(heard.model.newest(), Some(Time(7)));
    }

    #[test]
    fn a_source_that_cannot_be_read_says_why_behind_its_end() {
        let feed = lines("nothing of ours\n");
        assert!(matches!(feed.heard().failed, Some(Unreadable::Nothing(_))));
    }

    #[test]
    fn waiting_ends_with_the_time_if_the_events_do_not() {
        struct Never;
        impl std::io::Read for Never {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                loop {
                    thread::park();
                }
            }
        }
        let feed = Feed::start(Events::new("never", Never, Hints::default()));
        feed.wait(Some(Duration::from_millis(10)));
        // Text cannot be stopped: nobody waits for it.
        feed.stop();
        assert!(!feed.heard().has_ended);
    }

    #[test]
    fn time_goes_on_from_the_newest_event_and_stands_still_after_the_last() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let mut clock = Clock::new(start);
        assert_eq!(clock.now(None, false, later(1)), None);
        assert_eq!(clock.now(Some(Time(5)), false, later(2)), Some(Time(5)));
        assert_eq!(clock.now(Some(Time(5)), false, later(3)), Some(Time(10_000_005)));
        assert_eq!(clock.now(Some(Time(7)), false, later(4)), Some(Time(7)));
        assert_eq!(clock.now(Some(Time(7)), true, later(5)), Some(Time(7)));
    }
}
