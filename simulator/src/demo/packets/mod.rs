//! The packets themselves: a capture of what the demo's programs said to each other, annotated by the command `flowtag`, and held
//! against what the programs report.
//!
//! - [`tcpdump`]: captures all that is on the loopback interface, where the programs talk.
//! - [`annotate`]: has `flowtag annotate` name the owner of each packet.
//! - [`read`]: reads what it has written, and shares nothing with it.
//! - [`judge`]: which process sent each packet, by what the programs report.

pub mod annotate;
pub mod judge;
pub mod read;
pub mod tcpdump;

use std::path::PathBuf;

use read::Packet;

/// What was captured and annotated.
#[derive(Debug)]
pub struct Annotated {
    /// The file.
    pub file: PathBuf,
    /// All of its packets.
    pub packets: Vec<Packet>,
    /// How many of them `flowtag annotate` has found two flows for.
    pub ambiguous: usize,
    /// How many more the kernel had, and no room for.
    pub dropped: usize,
    /// When the monotonic clock was zero, in units of 100 ns since 1970: the programs report by it.
    pub monotonic_began: u64,
}

/// The packets, or why there are none.
pub type Packets = Result<Annotated, String>;
