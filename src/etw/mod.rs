//! Events for programs: a `TraceLogging` provider of Event Tracing for Windows (ETW), `flowtag`.
//!
//! An event is written if a session wants it, which is one load and one bit, and costs nothing else where nobody does. What the
//! events are is docs/events.md; who hears of sessions is [`crate::consumers`].
pub mod event;
mod ffi;
pub mod fields;
mod metadata;
mod payload;
mod provider;

pub use self::{
    event::{Id, Wanted},
    ffi::{EVENT_CONTROL_CODE_CAPTURE_STATE, EVENT_CONTROL_CODE_DISABLE_PROVIDER, EVENT_CONTROL_CODE_ENABLE_PROVIDER},
    payload::Payload,
    provider::{register, unregister, want, wants},
};
use crate::path::Captured;

/// Writes an event, if it is wanted; `fields` writes its data.
///
/// IRQL: any
#[expect(clippy::inline_always, reason = "so that where nobody wants it nothing is made ready for it")]
#[inline(always)]
pub fn write(id: Id, fields: impl FnOnce(&mut Payload)) {
    if wants(id) {
        write_now(id, fields, &[]);
    }
}

/// Writes an event whose last field is a path, if it is wanted; `fields` writes what comes before its text.
///
/// IRQL: any
#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
pub fn write_with_path(id: Id, path: Captured, fields: impl FnOnce(&mut Payload)) {
    if wants(id) {
        write_now(id, fields, path.units().as_flattened());
    }
}

/// A leaf of its own: the payload must not lie on the stack while Windows calls back into the driver.
#[cold]
#[inline(never)]
fn write_now(id: Id, fields: impl FnOnce(&mut Payload), rest: &[u8]) {
    let mut payload = Payload::empty();
    fields(&mut payload);
    provider::write(id, payload.written(), rest);
}
