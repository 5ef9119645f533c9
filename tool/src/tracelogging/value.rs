//! The value of a field, as serde takes it: so the names of fields and what becomes of each are said once, for events and for JSON.

use std::{fmt::Display, net::SocketAddr};

use serde::{
    Deserializer,
    de::{Error, IntoDeserializer, Visitor, value},
    forward_to_deserialize_any,
};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number, of whatever meaning.
    Number(u64),
    /// A signed number.
    Signed(i64),
    /// A number with a fraction.
    Float(f64),
    /// Characters. What is not well-formed is replaced.
    Text(String),
    /// An address and a port.
    Socket(SocketAddr),
    /// Bytes.
    Binary(Vec<u8>),
    /// A field for addresses, without a byte.
    Nothing,
}

impl IntoDeserializer<'_, value::Error> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        let text = |text: &dyn Display| text.to_string();
        match self {
            Self::Number(number) => visitor.visit_u64(number),
            Self::Signed(number) => visitor.visit_i64(number),
            Self::Float(number) => visitor.visit_f64(number),
            Self::Text(characters) => visitor.visit_string(characters),
            Self::Socket(address) => visitor.visit_string(text(&address)),
            Self::Binary(bytes) => visitor.visit_byte_buf(bytes),
            Self::Nothing => Err(value::Error::custom("an address without a byte")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        match self {
            Self::Nothing => visitor.visit_none(),
            value => visitor.visit_some(value),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}
