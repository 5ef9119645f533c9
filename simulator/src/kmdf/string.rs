//! Strings that the driver hands over.

use super::STATUS_INVALID_PARAMETER;
use crate::{computer::Call, kernel::unicode_string::UnicodeString};

/// Whether the string at `address` is well formed: KMDF's fxvalidatefunctions.hpp, `FxValidateUnicodeString`.
pub(super) fn check(call: &Call<'_>, address: u64) -> Result<(), u64> {
    let string: UnicodeString = call.read(address);
    let odd = !string.length.is_multiple_of(2) || !string.maximum_length.is_multiple_of(2);
    let without_buffer = string.maximum_length > 0 && string.buffer == 0;
    if odd || without_buffer || string.length > string.maximum_length {
        return Err(STATUS_INVALID_PARAMETER);
    }
    Ok(())
}

/// The text of the string at `address`, if it is well formed.
pub(super) fn text(call: &Call<'_>, address: u64) -> Result<String, u64> {
    check(call, address).map(|()| UnicodeString::text(call, address))
}
