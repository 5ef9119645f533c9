//! Which steps of event tracing touch what threads share, for the interleavings.

use crate::{
    computer::Call,
    interleave::{Part, Touches},
    kernel,
};

/// Registrations and sessions. What sessions have got is only read when all threads are done: adding to it commutes.
const LISTENING: Part = Part::numbered(8);

/// Registrations, sessions or what they want are looked at.
const LOOKED_AT: Touches = Touches::reading(LISTENING);
/// They change.
pub(super) const CHANGED: Touches = Touches::writing(LISTENING);

pub(super) fn of(call: &Call<'_>) -> Touches {
    match call.name() {
        _ if call.may_be_made_to_fail() => Touches::EVERYTHING,
        "EtwWriteTransfer" => LOOKED_AT,
        "EtwUnregister" => CHANGED.and(kernel::DEVICES),
        _ => CHANGED.and_driver_memory(),
    }
}
