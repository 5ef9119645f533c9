//! Times: 100 ns since 1601, as a `FILETIME` has it, and as ISO 8601 does.

/// One second.
const SECOND: u64 = 10_000_000;
const DAY: u64 = 24 * 60 * 60 * SECOND;
/// The days of 400 years.
const ERA: u64 = 146_097;

/// The time in UTC: `2026-11-30T07:45:51.1234567Z`.
#[must_use]
pub fn iso(time: u64) -> String {
    let (year, month, day) = date(time / DAY);
    let second = time % DAY / SECOND;
    let (hour, minute, fraction) = (second / 3600, second / 60 % 60, time % SECOND);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{fraction:07}Z", second % 60)
}

/// The time of a `SYSTEMTIME`: year, month, day of the week, day, hour, minute, second, millisecond.
pub(super) fn from_parts([year, month, _, day, hour, minute, second, millisecond]: [u16; 8]) -> Option<u64> {
    let in_range = (1601..=30827).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let in_day = hour < 24 && minute < 60 && second < 60 && millisecond < 1000;
    let [year, month, day] = [year, month, day].map(u64::from);
    // The 30th of February is another day.
    let days = (in_range && in_day).then(|| days(year, month, day)).filter(|&days| date(days) == (year, month, day))?;
    let seconds = u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second);
    Some(days * DAY + seconds * SECOND + u64::from(millisecond) * (SECOND / 1000))
}

/// Year, month and day of the day that is so many days behind 1601-01-01. (The 400 years that begin there begin in March
/// 1600 here, so that a leap day is the last of its year.)
fn date(days: u64) -> (u64, u64, u64) {
    // From 1600-03-01 to 1601-01-01.
    let days = days + 306;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let january_or_february = u64::from(month >= 10);
    (1600 + era * 400 + year + january_or_february, (month + 2) % 12 + 1, day_of_month)
}

/// The days from 1601-01-01 to this one.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let march = (month + 9) % 12;
    let year = year - u64::from(month <= 2) - 1600;
    year * 365 + year / 4 - year / 100 + year / 400 + (153 * march + 2) / 5 + day - 307
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_windows_begins_in_1601() {
        assert_eq!(iso(0), "1601-01-01T00:00:00.0000000Z");
    }

    /// The difference to Unix time is 11,644,473,600 seconds (Win32 "Converting a `time_t` Value to a File Time").
    #[test]
    fn unix_time_begins_369_years_later() {
        assert_eq!(iso(11_644_473_600 * SECOND + 1), "1970-01-01T00:00:00.0000001Z");
    }

    #[test]
    fn a_leap_day_is_the_29th_of_february() {
        // date -u -d @951782400
        assert_eq!(iso((11_644_473_600 + 951_782_400) * SECOND), "2000-02-29T00:00:00.0000000Z");
        assert_eq!(iso((11_644_473_600 + 951_868_799) * SECOND), "2000-02-29T23:59:59.0000000Z");
    }

    #[test]
    fn a_system_time_is_the_same_time() {
        for (parts, written) in [
            ([2026, 11, 1, 30, 7, 45, 51, 123], "2026-11-30T07:45:51.1230000Z"),
            ([1601, 1, 1, 1, 0, 0, 0, 0], "1601-01-01T00:00:00.0000000Z"),
            ([2024, 2, 4, 29, 23, 59, 59, 999], "2024-02-29T23:59:59.9990000Z"),
        ] {
            assert_eq!(from_parts(parts).map(iso).as_deref(), Some(written));
        }
    }

    #[test]
    fn a_system_time_that_there_is_not_is_none() {
        for parts in [[2026, 2, 0, 29, 0, 0, 0, 0], [2026, 13, 0, 1, 0, 0, 0, 0], [2026, 0, 0, 1, 0, 0, 0, 0]] {
            assert_eq!(from_parts(parts), None, "{parts:?}");
        }
        assert_eq!(from_parts([2026, 1, 0, 1, 24, 0, 0, 0]), None);
        assert_eq!(from_parts([1600, 12, 0, 31, 0, 0, 0, 0]), None);
        assert_eq!(from_parts([2026, 1, 0, 0, 0, 0, 0, 0]), None);
    }
}
