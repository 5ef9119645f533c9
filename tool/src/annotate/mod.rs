//! `flowtag annotate`: writes into a capture whose each packet is, and leaves everything else as it is.
//!
//! - [`batch`]: packets that wait for each other.
//! - [`join`]: whose a packet is.
//! - [`marks`]: what is written of an owner, in the form that Wireshark reads.
//! - [`packet`]: a packet's block, taken apart and put together again.
//! - [`Summary`]: what became of all packets.

mod batch;
mod join;
mod marks;
mod packet;
mod summary;

use std::{
    collections::HashSet,
    io::{Read, Write},
    mem,
};

use crate::{
    capture::{Block, Capture, Interface, Order, Stop, kind},
    flows::{OwnerId, Table},
    output::Unwritable,
};
use batch::Batch;
use join::{Joined, Joiner, Looked};
use marks::Marks;
use packet::Packet;
pub use summary::Summary;

/// How to annotate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Each packet gets a comment, for readers that know no better.
    pub comments: bool,
    /// Each process is told of in a block of its own.
    pub processes: bool,
}

/// Why it went no further.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The capture went no further.
    #[error(transparent)]
    Capture(#[from] Stop),
    /// The output takes no more.
    #[error(transparent)]
    Output(#[from] Unwritable),
}

/// Copies a capture, and annotates its packets on the way. `passed` is told where in the capture each block begins.
///
/// What could be read before an error has been written, and is counted in `summary`.
///
/// # Errors
/// The capture ends where it should not, or the output takes no more.
pub fn annotate<R: Read>(
    capture: &mut Capture<R>,
    output: &mut impl Write,
    table: &Table,
    options: Options,
    summary: &mut Summary,
    mut passed: impl FnMut(u64),
) -> Result<(), Error> {
    let mut annotator = Annotator {
        joiner: Joiner::new(table),
        marks: Marks::new(table.owners(), options.comments),
        processes: options.processes,
        section: Section::default(),
        sections: 0,
        written: vec![0; table.owners().iter().count()],
        waiting: Batch::default(),
        scratch: Vec::new(),
    };
    let ended = loop {
        match capture.next_block() {
            Ok(Some(block)) => {
                passed(block.offset);
                annotator.block(&block, output, summary).map_err(Unwritable::from)?;
            }
            Ok(None) => break Ok(()),
            Err(stop) => break Err(stop.into()),
        }
    };
    annotator.packets(output, summary).map_err(Unwritable::from)?;
    ended
}

/// What goes on from block to block.
struct Annotator<'a> {
    joiner: Joiner<'a>,
    marks: Marks<'a>,
    processes: bool,
    section: Section,
    /// How many have begun.
    sections: u64,
    /// In which section the process information of each owner was written last.
    written: Vec<u64>,
    waiting: Batch,
    scratch: Vec<u8>,
}

/// What has been said in a section: it says nothing about other ones.
#[derive(Default)]
struct Section {
    interfaces: Vec<Option<Interface>>,
    /// Processes that the file tells of itself: their ids and start times.
    told: HashSet<(u32, Option<u64>)>,
}

impl Annotator<'_> {
    fn block(&mut self, block: &Block<'_>, output: &mut impl Write, summary: &mut Summary) -> std::io::Result<()> {
        if block.kind == kind::ENHANCED_PACKET {
            self.waiting.add(block);
            return if self.waiting.is_full() { self.packets(output, summary) } else { Ok(()) };
        }
        self.packets(output, summary)?;
        match block.kind {
            kind::SECTION_HEADER => {
                self.section = Section::default();
                self.sections += 1;
                output.write_all(&without_length(block))
            }
            kind::INTERFACE => {
                self.section.interfaces.push(Interface::read(block));
                output.write_all(block.bytes)
            }
            kind::PACKET | kind::SIMPLE_PACKET => {
                summary.packets += 1;
                summary.without_options += 1;
                output.write_all(block.bytes)
            }
            kind::CUSTOM => {
                self.section.told.extend(marks::told(block));
                output.write_all(block.bytes)
            }
            _ => output.write_all(block.bytes),
        }
    }

    /// The packets that wait.
    fn packets(&mut self, output: &mut impl Write, summary: &mut Summary) -> std::io::Result<()> {
        let mut waiting = mem::take(&mut self.waiting);
        let looked: Vec<_> = waiting.blocks().map(|block| (block, self.look(&block))).collect();
        self.joiner.ask();
        let annotated = looked.iter().try_for_each(|(block, looked)| {
            let Some((packet, looked)) = looked else {
                summary.packets += 1;
                summary.damaged += 1;
                return output.write_all(block.bytes);
            };
            self.packet(block, packet, looked, output, summary)
        });
        drop(looked);
        waiting.clear();
        self.waiting = waiting;
        annotated
    }

    /// What a block has of a packet; `None` if it is damaged.
    fn look<'b>(&mut self, block: &Block<'b>) -> Option<(Packet<'b>, Looked)> {
        let packet = Packet::read(block)?;
        let interface = (*self.section.interfaces.get(packet.interface as usize)?)?;
        // Also of those that need no mark: later fragments of theirs may.
        let looked = self.joiner.look(&packet, interface);
        Some((packet, looked))
    }

    fn packet(
        &mut self,
        block: &Block<'_>,
        packet: &Packet<'_>,
        looked: &Looked,
        output: &mut impl Write,
        summary: &mut Summary,
    ) -> std::io::Result<()> {
        summary.packets += 1;
        if packet.is_annotated {
            summary.already += 1;
            return output.write_all(block.bytes);
        }
        let owner = match self.joiner.joined(looked) {
            Joined::Owner(owner) => owner,
            joined => {
                summary.count(joined);
                return output.write_all(block.bytes);
            }
        };
        self.scratch.clear();
        if !packet.with_options(block, self.marks.options(owner, block.order), &mut self.scratch) {
            summary.without_options += 1;
            return output.write_all(block.bytes);
        }
        summary.joined += 1;
        if self.processes && self.lacks(owner) {
            output.write_all(self.marks.process_information(owner, block.order))?;
        }
        output.write_all(&self.scratch)
    }

    /// Whether nothing in this section tells of this process yet; from now on something does.
    fn lacks(&mut self, owner: OwnerId) -> bool {
        let written = mem::replace(&mut self.written[owner.0 as usize], self.sections);
        let process = self.joiner.process(owner);
        written != self.sections && !self.section.told.contains(&(process.id, marks::start_time(process)))
    }
}

/// A section header that leaves open how long the section is: blocks are going to be added.
fn without_length(block: &Block<'_>) -> Vec<u8> {
    const LENGTH: std::ops::Range<usize> = 16..24;
    let mut bytes = block.bytes.to_vec();
    if let Some(length) = bytes.get_mut(LENGTH)
        && block.body().len() >= LENGTH.end - 8
    {
        length.fill(0xff);
    }
    bytes
}

/// For which order bytes have been made ready.
const fn place(order: Order) -> usize {
    match order {
        Order::Little => 0,
        Order::Big => 1,
    }
}
