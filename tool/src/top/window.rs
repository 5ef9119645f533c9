//! What passed lately: a window over the last seconds that moves on in small steps.

use std::ops::AddAssign;

use crate::time::{MILLISECOND, Time};

const SECOND: u64 = 1000 * MILLISECOND;
/// The window moves on so much at once.
const STEP: u64 = 500 * MILLISECOND;
/// It has so many of these, of which the newest is not over yet: between three and a half and four seconds.
const STEPS: u64 = PLACES as u64;
const PLACES: usize = 8;

/// Bytes each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// Out.
    pub sent: u64,
    /// In.
    pub received: u64,
}

impl Bytes {
    /// Both ways.
    #[must_use]
    pub const fn both(self) -> u64 {
        self.sent.saturating_add(self.received)
    }

    /// The larger number of each way.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { sent: self.sent.max(other.sent), received: self.received.max(other.received) }
    }
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, more: Self) {
        self.sent = self.sent.saturating_add(more.sent);
        self.received = self.received.saturating_add(more.received);
    }
}

/// What passed in each of the last steps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// Each at its number modulo their count.
    steps: [Bytes; PLACES],
    /// The number of the newest, counted from the first time there is.
    newest: u64,
}

impl Window {
    /// So many bytes passed then.
    pub(super) fn add(&mut self, time: Time, bytes: Bytes) {
        let step = time.0 / STEP;
        if step + STEPS <= self.newest {
            return;
        }
        for passed in 0..step.saturating_sub(self.newest).min(STEPS) {
            self.steps[place(step - passed)] = Bytes::default();
        }
        self.newest = self.newest.max(step);
        self.steps[place(step)] += bytes;
    }

    /// What passed in the window that ends now.
    pub(super) fn at(&self, now: Time) -> Bytes {
        let step = now.0 / STEP;
        let mut recent = Bytes::default();
        for passed in 0..STEPS.min(self.newest + 1) {
            if self.newest - passed + STEPS > step {
                recent += self.steps[place(self.newest - passed)];
            }
        }
        recent
    }

    /// Whether nothing is left in the window that ends now.
    pub(super) const fn is_over(&self, now: Time) -> bool {
        self.newest + STEPS <= now.0 / STEP
    }
}

const fn place(step: u64) -> usize {
    (step % STEPS) as usize
}

/// How long the window that ends now is. Nothing is known of the time before `began`, but no rate is made of less than a second.
pub(super) fn span(now: Time, began: Time) -> u64 {
    let whole = (STEPS - 1) * STEP + now.0 % STEP;
    whole.min(now.0.saturating_sub(began.0).max(SECOND))
}

/// So many in such a time, as so many a second.
pub(super) fn a_second(bytes: u64, span: u64) -> u64 {
    let rate = u128::from(bytes) * u128::from(SECOND) / u128::from(span.max(1));
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Bytes = Bytes { sent: 100, received: 0 };

    /// So many milliseconds after some beginning.
    fn at(milliseconds: u64) -> Time {
        Time(1_000_000 * STEP + milliseconds * MILLISECOND)
    }

    fn window(times: &[u64]) -> Window {
        let mut window = Window::default();
        for &time in times {
            window.add(at(time), SENT);
        }
        window
    }

    #[test]
    fn what_passed_stays_in_the_window_until_its_step_is_eight_steps_old() {
        let window = window(&[0, 499, 500]);
        assert_eq!(window.at(at(500)).sent, 300);
        assert_eq!(window.at(at(3999)).sent, 300);
        assert_eq!(window.at(at(4000)).sent, 100);
        assert_eq!(window.at(at(4500)).sent, 0);
    }

    #[test]
    fn after_silence_nothing_of_before_is_left() {
        let mut window = window(&[0, 500, 1000, 1500, 2000, 2500, 3000, 3500]);
        assert!(!window.is_over(at(7499)) && window.is_over(at(7500)));
        window.add(at(60_000), SENT);
        assert_eq!(window.at(at(60_000)).sent, 100);
    }

    #[test]
    fn what_comes_late_is_counted_where_it_belongs_or_not_at_all() {
        let mut window = window(&[10_000]);
        window.add(at(8000), SENT);
        for too_late in [6000, 1000] {
            window.add(at(too_late), SENT);
        }
        assert_eq!(window.at(at(10_000)).sent, 200);
        assert_eq!(window.at(at(12_000)).sent, 100);
    }

    #[test]
    fn both_ways_are_counted_each_for_itself() {
        let mut window = window(&[0]);
        window.add(at(0), Bytes { sent: 1, received: 7 });
        assert_eq!(window.at(at(0)), Bytes { sent: 101, received: 7 });
    }

    #[test]
    fn a_steady_flow_has_a_steady_rate() {
        for now in [10_000, 10_100, 10_499, 10_500] {
            // A hundred bytes each millisecond, up to now.
            let times: Vec<_> = (0..now).collect();
            let sent = window(&times).at(at(now)).sent;
            assert_eq!(a_second(sent, span(at(now), at(0))), 100_000, "at {now} ms");
        }
    }

    #[test]
    fn a_rate_is_one_of_the_time_since_the_beginning_but_of_a_second_at_least() {
        assert_eq!(span(at(2000), at(0)), 2 * SECOND);
        assert_eq!(span(at(10), at(0)), SECOND);
        assert_eq!(a_second(500, 2 * SECOND), 250);
        assert_eq!(a_second(u64::MAX, 1), u64::MAX);
    }
}
