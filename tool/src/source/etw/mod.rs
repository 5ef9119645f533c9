//! Events as ETW delivers them: of the driver as it runs, and of an `.etl` file.
//!
//! Only Windows has ETW. Everything here is compiled for tests on other systems, too, where `fake` has functions of Windows' names:
//! what is not run there is what Windows itself does.
//!
//! - [`record`]: from the record of an event to what the decoder reads.
//! - [`trace`]: `OpenTrace` and `ProcessTrace`, for either.
//! - [`session`]: the session that the driver's events come through; [`claim`]: whose name is whose.
//! - [`console`]: Ctrl-C. [`service`]: whether the driver runs. [`services`]: who else does, and where. [`failure`]: what to do when Windows refuses.
//! - [`stream`]: from the thread that Windows calls to the one that reads.

mod claim;
mod console;
mod failure;
mod record;
mod service;
pub(super) mod services;
mod session;
mod stream;
mod trace;

#[cfg(all(test, not(windows)))]
mod fake;
#[cfg(all(test, not(windows)))]
mod tests;

use std::{path::Path, sync::Arc};

pub(super) use failure::Failure;
use session::Session;
pub(super) use stream::Stream;
use trace::Trace;

use super::Unreadable;

/// The driver's events from now on, those of the flows that live already among the first. They end when the session does: by Ctrl-C,
/// or because somebody else stops it.
pub(super) fn live(name: &str, packets: bool) -> Result<Stream, Failure> {
    let session = Arc::new(Session::start(packets)?);
    let (sink, items) = stream::pipe(name);
    let trace = Trace::of_session(session.name(), sink)?;
    let mut stream = Stream::new(name, items);
    // It reads before there is much to read.
    trace.process_on_thread();
    let silent = service::why_silent();
    let captured = session.capture_state();
    // A driver that does not run has no flows, and no page says what is answered for a provider that is not registered.
    if silent.is_none() {
        captured?;
    }
    console::stop_when_told(&session);
    if let Some(why) = silent {
        stream.begin_with(Unreadable::Silent { name: name.to_owned(), why });
    }
    let running = Arc::downgrade(&session);
    stream.stop_with(move || {
        // What was lost is said behind the last event.
        let _ = running.upgrade().map(|session| session.stop());
    });
    stream.end_with(move || session.stop());
    Ok(stream)
}

/// The driver's events in an `.etl` file.
pub(super) fn file(name: &str, path: &Path) -> Result<Stream, Failure> {
    let (sink, items) = stream::pipe(name);
    let trace = Trace::of_file(path, sink)?;
    let mut stream = Stream::new(name, items);
    let lost = trace.lost();
    trace.process_on_thread();
    stream.end_with(move || lost);
    Ok(stream)
}
