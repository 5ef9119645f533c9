//! Why a source gives no event, and what else there is to say of it.

use std::io;

/// Why there is no event.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A line is none; the next one may be.
    #[error("{name}:{line}: {why}")]
    Line {
        /// What the source is called.
        name: String,
        /// The line's number.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// An event that Windows has delivered is none of the driver's as docs/events.md has them; the next one may be.
    #[error("{name}: event {number}: {why}")]
    Event {
        /// What the source is called.
        name: String,
        /// The event's number.
        number: u64,
        /// What is wrong with it.
        why: String,
    },
    /// Events are missing.
    #[error(
        "{name}: ETW had no room for all: {events} events and {buffers} buffers full of them are lost, and flows or their ends with \
         them"
    )]
    Lost {
        /// What the source is called.
        name: String,
        /// How many events found no room.
        events: u32,
        /// How many buffers full of events were not delivered.
        buffers: u32,
    },
    /// There are no events yet, and why.
    #[error("{name}: {why}. Waiting for its events")]
    Silent {
        /// What the source is called.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// The source cannot be read any further.
    #[error("{name}: {error}")]
    Source {
        /// What it is called.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// All of it was read, and it has neither events nor trace lines.
    #[error(
        "{0} has no event and no trace line: give a file of `flowtag log --json` or `flowtag-sim --events`, or a log that \
         DbgView or WinDbg has saved"
    )]
    Nothing(String),
}
