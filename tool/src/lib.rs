//! What the command `flowtag` is made of. It reads the driver's events (docs/events.md), from wherever they were kept, and says by
//! them whose traffic a capture holds. docs/tool.md is its user's guide.

pub mod annotate;
pub mod capture;
pub mod cli;
pub mod event;
pub mod flows;
pub mod log;
pub mod output;
pub mod packet;
mod process_index;
pub mod selftest;
#[cfg(any(windows, test))]
mod service_handle;
pub mod source;
pub mod time;
pub mod top;
pub mod tracelogging;
#[cfg(any(windows, test))]
mod wide;
