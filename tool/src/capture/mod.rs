//! Captures: files of pcapng and pcap, block by block.
//!
//! The crate pcap-file (3.0.0-rc.3) was tried first, and is not used. Its reader stops at a block that it cannot take apart, also
//! where only an option of an interface is unusual, and here everything that is not a packet has to be copied as it stands; it
//! hands out a block's body, and not its bytes; it cannot read a block of more than its buffer of 8 MB; and an old version,
//! 3.0.0-rc1, counts as the newer one for cargo. What is needed of the format is little: where a block begins and ends.
//!
//! - [`Capture`] gives blocks of pcapng, also of a file of pcap.
//! - [`Order`]: of the bytes of a section.
//! - [`options`]: the options at the end of a block.
//! - [`Interface`]: link type and clock.
//!
//! The format is that of draft-ietf-opsawg-pcapng, and of draft-ietf-opsawg-pcap for pcap.

mod blocks;
mod interface;
pub mod options;
mod order;
mod pcap;
mod window;

use std::io::{self, Read};

use blocks::Blocks;
pub use blocks::LONGEST;
pub use interface::Interface;
pub use order::Order;
use pcap::Records;
use window::Window;

/// The types of blocks that are looked at.
pub mod kind {
    /// A section begins.
    pub const SECTION_HEADER: u32 = 0x0a0d_0d0a;
    /// An interface.
    pub const INTERFACE: u32 = 1;
    /// A packet as it was written before there was [`ENHANCED_PACKET`].
    pub const PACKET: u32 = 2;
    /// A packet without time and options.
    pub const SIMPLE_PACKET: u32 = 3;
    /// A packet.
    pub const ENHANCED_PACKET: u32 = 6;
    /// Somebody's own block, which may be copied.
    pub const CUSTOM: u32 = 0xbad;
}

/// A block of pcapng.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Its type.
    pub kind: u32,
    /// All of its bytes, with its type and both of its lengths.
    pub bytes: &'a [u8],
    /// The order of the bytes of its numbers.
    pub order: Order,
    /// Where in the file it begins.
    pub offset: u64,
}

impl<'a> Block<'a> {
    /// What is between the lengths.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        let end = self.bytes.len().saturating_sub(4);
        self.bytes.get(8..end).unwrap_or_default()
    }
}

/// Why there are no further blocks.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The file does not begin as a capture does.
    #[error("it is no capture: it begins with {0}, which neither pcapng nor pcap does")]
    NoCapture(String),
    /// It is a capture of a kind that is not read here.
    #[error("it is {0}: make pcapng of it first, as `editcap -F pcapng IN OUT` does")]
    Kind(&'static str),
    /// It ends within a block.
    #[error("it is cut off: the {what} at byte {offset} has {has} bytes of {wants}")]
    Cut {
        /// A block or a record.
        what: &'static str,
        /// Where it begins.
        offset: u64,
        /// How many bytes are there.
        has: u64,
        /// How many should be there.
        wants: u64,
    },
    /// What it says of itself cannot be.
    #[error("it is damaged: the {what} at byte {offset} {why}")]
    Damaged {
        /// A block or a record.
        what: &'static str,
        /// Where it begins.
        offset: u64,
        /// What cannot be.
        why: String,
    },
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Stop {
    /// Whether the file is damaged; else it is none that can be read.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Cut { .. } | Self::Damaged { .. } | Self::Io(_))
    }
}

/// A capture.
pub struct Capture<R>(Kind<R>);

enum Kind<R> {
    Pcapng(Blocks<R>),
    Pcap(Records<R>),
}

impl<R: Read> Capture<R> {
    /// The capture that these bytes are, by how they begin.
    ///
    /// # Errors
    /// They are none that can be read.
    pub fn new(input: R) -> Result<Self, Stop> {
        let mut window = Window::new(input);
        let start: Vec<u8> = window.peek(4)?.iter().take(4).copied().collect();
        if start == [0x0a, 0x0d, 0x0d, 0x0a] {
            return Ok(Self(Kind::Pcapng(Blocks::new(window))));
        }
        if let Some(records) = Records::new(window, &start)? {
            return Ok(Self(Kind::Pcap(records)));
        }
        match start[..] {
            [0x1f, 0x8b, ..] => Err(Stop::Kind("compressed with gzip")),
            [0x28, 0xb5, 0x2f, 0xfd] => Err(Stop::Kind("compressed with zstd")),
            [0x04, 0x22, 0x4d, 0x18] => Err(Stop::Kind("compressed with LZ4")),
            [] => Err(Stop::NoCapture("nothing".into())),
            _ => Err(Stop::NoCapture(start.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "))),
        }
    }

    /// The next block; `None` behind the last.
    ///
    /// # Errors
    /// There is none, and the file does not end there as it should.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, Stop> {
        match &mut self.0 {
            Kind::Pcapng(blocks) => blocks.next_block(),
            Kind::Pcap(records) => records.next_block(),
        }
    }
}
