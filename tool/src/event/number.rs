//! Numbers that are shown in hexadecimal.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A handle, key or status: `0x2a1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex(pub u64);

impl fmt::Display for Hex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

/// It is no number in hexadecimal.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no number such as 0x2a1")]
pub struct NoHex(String);

impl FromStr for Hex {
    type Err = NoHex;

    fn from_str(text: &str) -> Result<Self, NoHex> {
        let digits = text.strip_prefix("0x").filter(|digits| !digits.starts_with('+'));
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        number.map(Self).ok_or_else(|| NoHex(text.to_owned()))
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Hex;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number such as \"0x2a1\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Hex, E> {
                text.parse().map_err(E::custom)
            }

            /// As the event itself has it.
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Hex, E> {
                Ok(Hex(number))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_lower_case_without_leading_zeros_and_read_back() {
        for (number, text) in [(0, "0x0"), (0x2a1, "0x2a1"), (u64::MAX, "0xffffffffffffffff")] {
            assert_eq!(Hex(number).to_string(), text);
            assert_eq!(text.parse::<Hex>().unwrap(), Hex(number));
        }
    }

    #[test]
    fn what_is_no_such_number_is_refused() {
        for text in ["", "0x", "2a1", "0x+1", "0x10000000000000000"] {
            assert!(text.parse::<Hex>().is_err(), "{text}");
        }
    }
}
