//! Where events come from: text that holds them as JSON Lines or as the driver's trace lines, and on Windows the driver itself and
//! `.etl` files.
//!
//! - [`Events`] are those of any source, [`Place`] is what the user calls one.
//! - [`text`]: a file or standard input, an event a line; [`lines`]: lines, in UTF-8 or UTF-16; [`json`] and [`trace`]: an event of
//!   one, in the one way and the other.
//! - [`Service`]: what no event tells of a process, and the machine does ([`Place::running_services`]).
//! - [`Gaps`]: what in it is no event, or is missing.
//! - `etw`: what Windows delivers. On other systems it is only there for its tests.

mod clock;
#[cfg(any(windows, test))]
mod etw;
mod gaps;
mod growing;
pub mod json;
mod lines;
mod place;
mod service;
mod stop;
mod text;
mod trace;
#[cfg(test)]
mod trace_tests;
mod unreadable;

use std::io::Read;

pub use gaps::Gaps;
pub use place::{NotHere, Place};
pub use service::Service;
pub use stop::Stop;
use text::Text;
pub use unreadable::Unreadable;

use crate::{event::Told, time::Time};

/// What a source holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// JSON Lines, as `flowtag log --json` and `flowtag-sim --events` write them
    Json,
    /// Trace lines, as `DbgView` or `WinDbg` have saved them
    Trace,
}

/// How a source is to be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// What it holds; `None` if its first line is to say it.
    pub kind: Option<Kind>,
    /// When the first of its lines was written, where they only tell how long after.
    pub began: Option<Time>,
    /// Whether the driver is to tell each packet, where it is asked live.
    pub packets: bool,
}

/// The events of a source, one after the other.
pub struct Events<'a> {
    name: String,
    told: Box<dyn Iterator<Item = Result<Told, Unreadable>> + Send + 'a>,
    stop: Stop,
}

impl<'a> Events<'a> {
    /// Those of a text, which is called `name`.
    pub fn new(name: impl Into<String>, text: impl Read + Send + 'a, hints: Hints) -> Self {
        let name = name.into();
        Self { told: Box::new(Text::new(name.clone(), text, hints)), name, stop: Stop::default() }
    }

    /// What ends them, whoever reads them.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// What the source is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Told, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        self.told.next()
    }
}

#[cfg(test)]
mod tests;
