//! The x64 image as a service of Wine's: not built yet.

use crate::case::{Arguments, Case, Unavailable};

/// None yet.
pub fn cases(_: &Arguments) -> Result<Vec<Case>, Unavailable> {
    Err(Unavailable::Missing("It is not built yet".into()))
}
