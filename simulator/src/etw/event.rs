//! An event that was written: what a consumer gets of it.

use super::tracelogging::{Told, Value};

/// An event, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it was written, in 100 ns since 1601.
    pub time: u64,
    /// The provider's name.
    pub provider: String,
    /// Its level: 1 is critical, 5 verbose.
    pub level: u8,
    /// Its opcode; 0 for most.
    pub opcode: u8,
    /// Its keywords.
    pub keyword: u64,
    /// Its name and its fields.
    pub told: Told,
}

impl Event {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.told.name
    }

    /// The field of this name, if it has one.
    #[must_use]
    pub fn find(&self, field: &str) -> Option<&Value> {
        self.told.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value)
    }

    /// The field of this name.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn field(&self, field: &str) -> &Value {
        self.find(field).unwrap_or_else(|| panic!("{} has no field {field}: {self:?}", self.name()))
    }

    /// The number in the field of this name.
    ///
    /// # Panics
    /// When it has no such field, or one of another kind.
    #[must_use]
    pub fn number(&self, field: &str) -> u64 {
        let value = self.field(field);
        value.number().unwrap_or_else(|| panic!("{field} of {} is no number: {value:?}", self.name()))
    }

    /// The text in the field of this name.
    ///
    /// # Panics
    /// When it has no such field, or one of another kind.
    #[must_use]
    pub fn text(&self, field: &str) -> String {
        let value = self.field(field);
        value.text().unwrap_or_else(|| panic!("{field} of {} is no text: {value:?}", self.name()))
    }
}
