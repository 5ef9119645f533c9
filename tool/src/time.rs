//! When: 100 ns since 1601, in UTC, as Windows has it.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A time, in units of 100 ns since 1601-01-01 (a `FILETIME`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// 1970-01-01 (Win32 "Converting a `time_t` Value to a File Time").
const UNIX: u64 = 116_444_736_000_000_000;
/// One millisecond.
pub const MILLISECOND: u64 = 10_000;

impl Time {
    /// Before everything.
    pub const FIRST: Self = Self(0);
    /// After everything.
    pub const LAST: Self = Self(u64::MAX);

    /// The time that is so many nanoseconds after 1970 began. What lies outside of the range is at its edge.
    #[must_use]
    pub fn from_unix_nanoseconds(nanoseconds: i128) -> Self {
        let time = nanoseconds.div_euclid(100) + i128::from(UNIX);
        Self(u64::try_from(time.max(0)).unwrap_or(u64::MAX))
    }

    /// How many nanoseconds after 1970 began it is; `None` if that is no number of 64 bits.
    #[must_use]
    pub fn unix_nanoseconds(self) -> Option<u64> {
        self.0.checked_sub(UNIX)?.checked_mul(100)
    }

    /// So much later, or the last time there is.
    #[must_use]
    pub const fn later(self, units: u64) -> Self {
        Self(self.0.saturating_add(units))
    }

    /// So much earlier, or the first time there is.
    #[must_use]
    pub const fn earlier(self, units: u64) -> Self {
        Self(self.0.saturating_sub(units))
    }

    fn timestamp(self) -> Option<Timestamp> {
        let nanoseconds = (i128::from(self.0) - i128::from(UNIX)) * 100;
        Timestamp::from_nanosecond(nanoseconds).ok()
    }
}

impl fmt::Display for Time {
    /// ISO 8601 with seven digits, which is all that it has: `2026-11-30T07:45:51.1234567Z`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.timestamp() {
            Some(timestamp) => write!(formatter, "{timestamp:.7}"),
            None => write!(formatter, "{}", self.0),
        }
    }
}

/// It is no time.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no time: it is written as 2026-11-30T07:45:51.123Z, or with an offset such as +01:00 for Z")]
pub struct NoTime(String);

impl FromStr for Time {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let timestamp = Timestamp::from_str(text).map_err(|_| NoTime(text.to_owned()))?;
        let nanoseconds = timestamp.as_nanosecond();
        if nanoseconds < -i128::from(UNIX) * 100 {
            return Err(NoTime(text.to_owned()));
        }
        Ok(Self::from_unix_nanoseconds(nanoseconds))
    }
}

impl Serialize for Time {
    /// As text; a time that has no date is its number.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.timestamp() {
            Some(_) => serializer.collect_str(self),
            None => serializer.serialize_u64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Time;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a time such as \"2026-11-30T07:45:51.1234567Z\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
                text.parse().map_err(E::custom)
            }

            /// As the event itself has it.
            fn visit_u64<E: de::Error>(self, units: u64) -> Result<Time, E> {
                Ok(Time(units))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_with_seven_digits_and_read_back() {
        for text in ["1601-01-01T00:00:00.0000000Z", "1970-01-01T00:00:00.0000001Z", "2026-11-30T07:45:51.1234567Z"] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn unix_time_begins_369_years_after_windows_time() {
        assert_eq!(Time::from_unix_nanoseconds(0).to_string(), "1970-01-01T00:00:00.0000000Z");
        assert_eq!(Time::from_unix_nanoseconds(0).unix_nanoseconds(), Some(0));
        assert_eq!(Time::FIRST.unix_nanoseconds(), None);
    }

    #[test]
    fn a_part_of_100_ns_is_left_out_downwards() {
        assert_eq!(Time::from_unix_nanoseconds(199), Time::from_unix_nanoseconds(100));
        assert_eq!(Time::from_unix_nanoseconds(-1), Time::from_unix_nanoseconds(-100));
    }

    #[test]
    fn what_is_out_of_range_is_at_the_edge() {
        assert_eq!(Time::from_unix_nanoseconds(i128::MIN / 2), Time::FIRST);
        assert_eq!(Time::from_unix_nanoseconds(i128::MAX / 2), Time::LAST);
        assert_eq!(Time::LAST.to_string(), u64::MAX.to_string());
    }

    #[test]
    fn each_time_is_read_as_it_was_written_also_one_that_has_no_date() {
        for (time, written) in [(Time(UNIX), "\"1970-01-01T00:00:00.0000000Z\""), (Time::LAST, "18446744073709551615")]
        {
            assert_eq!(serde_json::to_string(&time).unwrap(), written);
            assert_eq!(serde_json::from_str::<Time>(written).unwrap(), time);
        }
    }

    #[test]
    fn an_offset_is_taken_into_account() {
        let noon: Time = "2026-11-30T12:00:00Z".parse().unwrap();
        assert_eq!("2026-11-30T13:00:00+01:00".parse::<Time>().unwrap(), noon);
    }

    #[test]
    fn what_is_no_time_says_how_one_looks() {
        for text in ["", "noon", "1600-12-31T23:59:59Z", "2026-11-30"] {
            let told = text.parse::<Time>().unwrap_err().to_string();
            assert!(told.contains("2026-11-30T07:45:51.123Z"), "{told}");
        }
    }
}
