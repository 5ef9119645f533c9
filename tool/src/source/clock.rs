//! When a trace line was seen: what `DbgView` writes before it.
//!
//! A saved line begins with its number, a time and a tab. The time is how many seconds passed since the first line, or the local
//! clock, with or without milliseconds (Russinovich and Margosis, "Windows Sysinternals Administrator's Reference", `DebugView`). Neither
//! tells the day, so that somebody has to say when the first line was seen. How the clock is written where AM and PM are not in
//! use is a guess: hours from 0 to 23.

use crate::time::Time;

const SECOND: u64 = 10_000_000;
const DAY: u64 = 24 * 3600 * SECOND;

/// Tells the time of one line after the other.
#[derive(Debug)]
pub(super) struct Clock {
    /// When the first line was seen.
    began: Option<Time>,
    /// What the first line had for a time, and whether that was the clock's.
    first: Option<(u64, bool)>,
    last: u64,
    midnights: u64,
}

impl Clock {
    pub(super) const fn new(began: Option<Time>) -> Self {
        Self { began, first: None, last: 0, midnights: 0 }
    }

    /// The time of the line that has this before its text; `None` if nobody can know.
    pub(super) fn time(&mut self, before: &str) -> Option<Time> {
        let began = self.began?;
        let read = |field: &str| {
            let field = field.trim();
            of_day(field).map(|units| (units, true)).or_else(|| seconds(field).map(|units| (units, false)))
        };
        // Behind the number: with fewer fields than two there is no time.
        let mut fields = before.split('\t').filter(|field| !field.trim().is_empty());
        fields.next()?;
        let (units, is_clock) = fields.find_map(read)?;
        let (first, by_clock) = *self.first.get_or_insert((units, is_clock));
        if by_clock != is_clock {
            return None;
        }
        // Lines of two processors may change places, at midnight, too; what is more than half a day away is on another day.
        let late_from_yesterday = is_clock && self.midnights > 0 && units > self.last + DAY / 2;
        if is_clock && units + DAY / 2 < self.last {
            self.midnights += 1;
        }
        let midnights = self.midnights - u64::from(late_from_yesterday);
        if !late_from_yesterday {
            self.last = units;
        }
        let after = (units + midnights * DAY).checked_sub(first);
        Some(after.map_or(began, |after| began.later(after)))
    }
}

/// A number of seconds with a fraction: `12.34567890`.
fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once(['.', ','])?;
    Some(whole.parse::<u32>().ok().map(u64::from)? * SECOND + units(fraction)?)
}

/// The time of a day: `14:05:09`, `2:05:09 PM`, `14:05:09.123`.
fn of_day(text: &str) -> Option<u64> {
    let (clock, half) = match text.split_once(' ') {
        Some((clock, half)) => (clock, Some(half.trim().to_ascii_uppercase())),
        None => (text, None),
    };
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let (second, fraction) = second.split_once(['.', ',']).unwrap_or((second, "0"));
    let below = |text: &str, limit| text.parse::<u64>().ok().filter(|&number| number < limit);
    let hour = match half.as_deref() {
        None => below(hour, 24)?,
        Some("AM") => below(hour, 13)? % 12,
        Some("PM") => below(hour, 13)? % 12 + 12,
        Some(_) => return None,
    };
    let whole = (hour * 60 + below(minute, 60)?) * 60 + below(second, 60)?;
    parts.next().is_none().then_some(whole * SECOND + units(fraction)?)
}

/// Digits behind the point, as units of 100 ns.
fn units(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let seven: String = digits.chars().chain("0000000".chars()).take(7).collect();
    all_digits.then(|| seven.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn began() -> Time {
        "2026-11-30T12:00:00Z".parse().unwrap()
    }

    /// The time of each line; nothing where nobody knows it.
    fn times(lines: &[&str]) -> Vec<String> {
        let mut clock = Clock::new(Some(began()));
        lines.iter().map(|line| clock.time(line).map(|time| time.to_string()).unwrap_or_default()).collect()
    }

    #[test]
    fn seconds_count_from_the_first_line() {
        assert_eq!(
            times(&["00000001\t0.00000000\t", "00000002\t1.50000000\t", "3\t61.00000010\t"]),
            ["2026-11-30T12:00:00.0000000Z", "2026-11-30T12:00:01.5000000Z", "2026-11-30T12:01:01.0000001Z"]
        );
    }

    #[test]
    fn a_log_that_was_cleared_in_between_counts_from_its_own_first_line() {
        assert_eq!(
            times(&["7\t100.25000000\t", "8\t100.75000000\t"]),
            ["2026-11-30T12:00:00.0000000Z", "2026-11-30T12:00:00.5000000Z"]
        );
    }

    #[test]
    fn the_clock_runs_over_noon_and_midnight() {
        assert_eq!(
            times(&["1\t11:59:59 AM\t", "2\t12:00:01 PM\t", "3\t11:59:59 PM\t", "4\t12:00:00 AM\t"]),
            [
                "2026-11-30T12:00:00.0000000Z",
                "2026-11-30T12:00:02.0000000Z",
                "2026-12-01T00:00:00.0000000Z",
                "2026-12-01T00:00:01.0000000Z"
            ]
        );
    }

    #[test]
    fn the_clock_has_24_hours_and_milliseconds_too() {
        assert_eq!(
            times(&["1\t13:00:00.250\t", "2\t14:00:00.750\t"]),
            ["2026-11-30T12:00:00.0000000Z", "2026-11-30T13:00:00.5000000Z"]
        );
    }

    #[test]
    fn a_line_that_came_a_little_late_is_not_of_the_next_day() {
        assert_eq!(times(&["1\t13:00:05\t", "2\t13:00:04\t"])[1], "2026-11-30T12:00:00.0000000Z");
    }

    #[test]
    fn a_line_that_came_late_over_midnight_is_of_the_day_before() {
        let lines = ["1\t11:59:58 PM\t", "2\t12:00:00 AM\t", "3\t11:59:59 PM\t", "4\t12:00:01 AM\t"];
        assert_eq!(times(&lines)[2..], ["2026-11-30T12:00:01.0000000Z", "2026-11-30T12:00:03.0000000Z"]);
    }

    #[test]
    fn nobody_knows_the_time_of_a_line_without_one_or_without_a_beginning() {
        assert_eq!(times(&["", "1\t", "0: kd> ", "1\tnoon\t"]), ["", "", "", ""]);
        assert_eq!(Clock::new(None).time("1\t0.5\t"), None);
    }
}
