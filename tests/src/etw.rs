//! What the driver's events are made of; all of `src/etw` but what calls the kernel.

#[path = "../../src/etw/event.rs"]
pub mod event;
#[path = "../../src/etw/fields.rs"]
pub mod fields;
#[path = "../../src/etw/metadata.rs"]
mod metadata;
#[path = "../../src/etw/payload.rs"]
pub mod payload;
