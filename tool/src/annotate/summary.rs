//! What became of the packets of a capture.

use std::fmt;

use super::join::Joined;

/// How many packets there were, and what became of them: each is counted once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// All.
    pub packets: u64,
    /// They have an owner now.
    pub joined: u64,
    /// They are of no flow that was heard of.
    pub unknown: u64,
    /// Two flows fit: no owner was claimed.
    pub ambiguous: u64,
    /// They are no IP packets, or of a link type that is not read.
    pub unread: u64,
    /// They had said already whose they are.
    pub already: u64,
    /// Their blocks have no room for an owner: Simple Packet Blocks, the obsolete Packet Block, and what would be longer than blocks may
    /// be.
    pub without_options: u64,
    /// Their blocks are damaged, and were copied as they are.
    pub damaged: u64,
}

impl Summary {
    pub(super) const fn count(&mut self, joined: Joined) {
        match joined {
            Joined::Owner(_) => self.joined += 1,
            Joined::Unknown => self.unknown += 1,
            Joined::Ambiguous => self.ambiguous += 1,
            Joined::Unread => self.unread += 1,
        }
    }
}

impl fmt::Display for Summary {
    /// One line. What is the rule is always told, what is the exception if there was one.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packets, joined, unknown, ambiguous, .. } = self;
        let noun = if *packets == 1 { "packet" } else { "packets" };
        write!(formatter, "{packets} {noun}: {joined} joined, {unknown} unknown, {ambiguous} ambiguous")?;
        for (count, what) in [
            (self.unread, "not IP"),
            (self.already, "annotated before"),
            (self.without_options, "without room for an owner"),
            (self.damaged, "damaged"),
        ] {
            if count > 0 {
                write!(formatter, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
