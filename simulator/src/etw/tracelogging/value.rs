//! The value of a field.

use std::net::{IpAddr, SocketAddr};

/// A value, as its field's types have it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number that is not signed: process ids, ports and counts, too.
    Unsigned(u64),
    /// A signed number.
    Signed(i64),
    /// A number that is shown in hexadecimal: handles, keys, statuses.
    Hex(u64),
    /// A floating-point number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Characters of 8 bits.
    Text(String),
    /// UTF-16, which need not be well-formed.
    Utf16(Vec<u16>),
    /// Bytes.
    Binary(Vec<u8>),
    /// A GUID, its bytes as one number.
    Guid(u128),
    /// 100 ns since 1601, in UTC.
    Time(u64),
    /// A security identifier, as it is written down: `S-1-5-18`.
    Sid(String),
    /// An address.
    Address(IpAddr),
    /// An address and a port.
    Socket(SocketAddr),
    /// An address that is not there: a field for addresses without a byte.
    Nothing,
}

impl Value {
    /// It as a number, whatever way it is shown.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match *self {
            Self::Unsigned(number) | Self::Hex(number) | Self::Time(number) => Some(number),
            Self::Signed(number) => u64::try_from(number).ok(),
            Self::Bool(value) => Some(value.into()),
            _ => None,
        }
    }

    /// It as characters; what is not well-formed is replaced.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Sid(text) => Some(text.clone()),
            Self::Utf16(units) => Some(String::from_utf16_lossy(units)),
            _ => None,
        }
    }
}
