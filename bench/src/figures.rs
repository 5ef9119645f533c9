//! Figures by name, as they go into the JSON line.

use serde_json::{Map, Value};

use crate::{counts::Counts, timing::Spread};

/// All figures of a run.
#[derive(Debug, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Figures(Map<String, Value>);

impl Figures {
    /// Adds a number.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    /// Adds the counts of an operation: `transport` becomes `transport_instructions` and so on; what is special about
    /// the operation comes last, as in `flow_life_instructions_trace2`.
    pub fn counts(&mut self, operation: &str, special: &str, counts: &Counts) {
        for (name, count) in counts.named() {
            self.set(format!("{operation}_{name}{special}"), count);
        }
    }

    /// Adds a median with its spread, each to three decimals.
    pub fn spread(&mut self, name: &str, spread: Spread) {
        for (part, value) in [("", spread.median), ("_low", spread.low), ("_high", spread.high)] {
            self.set(format!("{name}{part}"), (value * 1e3).round() / 1e3);
        }
    }
}
