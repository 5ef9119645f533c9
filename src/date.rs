//! Points in time as they are written in lines: ISO 8601, UTC, to the millisecond.
//!
//! IRQL: any: nothing here calls the kernel
use crate::line::{Line, digit_of};

const UNITS_PER_MILLISECOND: u64 = 10_000;
const MILLISECONDS_PER_DAY: u64 = 86_400_000;
/// Days of the years of one cycle of the Gregorian calendar. 1601 began one.
const DAYS_IN_400_YEARS: u64 = 146_097;
const DAYS_IN_100_YEARS: u64 = 36_524;
const DAYS_IN_4_YEARS: u64 = 1_461;
const DAYS_IN_A_YEAR: u64 = 365;
/// The last moment whose year has four digits, in units of 100 ns.
const LATEST: u64 = (21 * DAYS_IN_400_YEARS - DAYS_IN_A_YEAR - 1) * MILLISECONDS_PER_DAY * UNITS_PER_MILLISECOND - 1;

/// Appends a point in time, given in units of 100 ns since the beginning of 1601, or `-` for one that has no year of four digits.
pub fn write(line: &mut Line, time: u64) {
    if time > LATEST {
        line.byte(b'-');
        return;
    }
    let milliseconds = time / UNITS_PER_MILLISECOND;
    let (year, month, day) = date_of(milliseconds / MILLISECONDS_PER_DAY);
    let [y1, y2] = digits(year / 100);
    let [y3, y4] = digits(year % 100);
    let [month1, month2] = digits(month);
    let [day1, day2] = digits(day);
    let [h1, h2] = digits(milliseconds / 3_600_000 % 24);
    let [m1, m2] = digits(milliseconds / 60_000 % 60);
    let [s1, s2] = digits(milliseconds / 1_000 % 60);
    let [ms1, ms2] = digits(milliseconds % 1_000 / 10);
    let [_, ms3] = digits(milliseconds % 10);
    // In one piece: to append takes longer than to write.
    line.bytes(&[
        y1, y2, y3, y4, b'-', month1, month2, b'-', day1, day2, b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'.', ms1,
        ms2, ms3, b'Z',
    ]);
}

/// The two digits of a number below 100.
const fn digits(number: u64) -> [u8; 2] {
    [digit_of(number / 10), digit_of(number % 10)]
}

/// Year, month and day, the first of which are 1, of the day that comes so many days after the first one of 1601.
fn date_of(days: u64) -> (u64, u64, u64) {
    // The longer years are the last ones of each span: of four, a hundred and four hundred years. So the last day of a
    // span belongs to one that would be one too many.
    let (cycles, days) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let centuries = (days / DAYS_IN_100_YEARS).min(3);
    let days = days.wrapping_sub(centuries.wrapping_mul(DAYS_IN_100_YEARS));
    let (spans, days) = (days / DAYS_IN_4_YEARS, days % DAYS_IN_4_YEARS);
    let years = (days / DAYS_IN_A_YEAR).min(3);
    let mut left = days.wrapping_sub(years.wrapping_mul(DAYS_IN_A_YEAR));
    let leap = years == 3 && (spans < 24 || centuries == 3);
    let year = cycles.wrapping_mul(400).wrapping_add(centuries.wrapping_mul(100)).wrapping_add(spans.wrapping_mul(4));
    let mut month = 1;
    for length in [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left = left.wrapping_sub(length);
        month = u64::wrapping_add(month, 1);
    }
    (year.wrapping_add(years).wrapping_add(1_601), month, left.wrapping_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 January 1970 (Win32, "Converting a `time_t` value to a FILETIME").
    const UNIX: u64 = 116_444_736_000_000_000;

    fn written(time: u64) -> String {
        let mut line = Line::empty();
        write(&mut line, time);
        line.as_c_str().to_str().unwrap().to_owned()
    }

    #[test]
    fn time_begins_in_1601() {
        assert_eq!(written(0), "1601-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_time_is_written_to_the_millisecond_below_it() {
        // date -u -d @1795955696 says Sun Nov 29 12:34:56 UTC 2026.
        assert_eq!(written(UNIX + 17_959_556_967_899_999), "2026-11-29T12:34:56.789Z");
    }

    #[test]
    fn the_last_year_of_four_digits_is_written() {
        // As date -u -d 9999-12-31T23:59:59 +%s has it.
        let last = UNIX + 253_402_300_799 * 10_000_000 + 9_999_999;
        assert_eq!(written(last), "9999-12-31T23:59:59.999Z");
        assert_eq!(written(last + 1), "-");
    }

    #[test]
    fn what_no_calendar_has_is_a_dash() {
        assert_eq!([written(i64::MAX.cast_unsigned()), written(u64::MAX)], ["-"; 2]);
    }

    /// The day after this one, as children learn it.
    fn next((year, month, day): (u64, u64, u64)) -> (u64, u64, u64) {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let length = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        match (month, day) {
            (12, 31) => (year + 1, 1, 1),
            _ if day == length => (year, month + 1, 1),
            _ => (year, month, day + 1),
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut date = (1601, 1, 1);
        let mut days = 0;
        while date.0 < 10_000 {
            assert_eq!(date_of(days), date);
            date = next(date);
            days += 1;
        }
    }
}
