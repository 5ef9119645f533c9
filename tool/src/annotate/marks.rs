//! What is written of an owner: once in a section what the process is, and in each of its packets which process it is.
//!
//! - **Process information**: a Custom Block of Wireshark's, entry type 3. Its body is that of the Process Information Block which is
//!   proposed for the standard (IETF-OPSAWG-WG/draft-ietf-opsawg-pcap, pull request 209). The format is read off
//!   wiretap/pcapng-wireshark-custom.c of Wireshark (development line, commit 0f233b0e): everything from the entry type on is
//!   little-endian, whatever the order of the section. Wireshark takes the last process of an id that started before the packet.
//! - **`epb_processid_threadid`**, option 8 of a packet (draft-ietf-opsawg-pcapng, "Enhanced Packet Block"): process id and thread id,
//!   of which 0 is unknown. The driver does not tell threads.
//! - **A comment**, for readers of today: keys and values as ptcpdump writes them and reads them back
//!   (mozillazg/ptcpdump, internal/types/context.go); it passes over `StartTime`, which it does not know.

use std::fmt::Write;

use super::place;
use crate::{
    capture::{
        Block, Order, kind,
        options::{self, COMMENT, append, append_end},
    },
    event::Process,
    flows::{OwnerId, Owners},
};

/// Process and thread id.
pub(super) const EPB_PROCESSID_THREADID: u16 = 8;

/// The number of the Wireshark Foundation among private enterprises (IANA).
const WIRESHARK: u32 = 32_622;
const PROCESS_INFORMATION: u32 = 3;
const PIB_NAME: u16 = 2;
const PIB_PATH: u16 = 3;
const PIB_PPID: u16 = 5;
const PIB_STARTTIME: u16 = 9;

/// How a comment about an owner begins.
const BEGIN: &str = "PID: ";

/// What is written of each owner, made once.
pub(super) struct Marks<'a> {
    owners: &'a Owners,
    comments: bool,
    /// Process information, and the options of a packet, of either order; empty if not made yet.
    made: Vec<[Made; 2]>,
}

#[derive(Clone, Default)]
struct Made {
    process_information: Vec<u8>,
    options: Vec<u8>,
}

impl<'a> Marks<'a> {
    pub(super) fn new(owners: &'a Owners, comments: bool) -> Self {
        Self { owners, comments, made: vec![<[Made; 2]>::default(); owners.iter().count()] }
    }

    /// The block about a process.
    pub(super) fn process_information(&mut self, owner: OwnerId, order: Order) -> &[u8] {
        &self.of(owner, order).process_information
    }

    /// The options of its packets.
    pub(super) fn options(&mut self, owner: OwnerId, order: Order) -> &[u8] {
        &self.of(owner, order).options
    }

    fn of(&mut self, owner: OwnerId, order: Order) -> &Made {
        let made = &mut self.made[owner.0 as usize][place(order)];
        if made.options.is_empty() {
            let process = self.owners.get(owner);
            made.process_information = process_information(process, order);
            made.options = packet_options(process, order, self.comments);
        }
        made
    }
}

/// When it started, in nanoseconds since 1970, if that is known.
pub(super) fn start_time(process: &Process) -> Option<u64> {
    process.created.unix_nanoseconds()
}

/// Whether a comment tells of an owner.
pub(super) fn is_ours(comment: &[u8]) -> bool {
    comment.strip_prefix(BEGIN.as_bytes()).and_then(|rest| rest.first()).is_some_and(u8::is_ascii_digit)
}

fn process_information(process: &Process, order: Order) -> Vec<u8> {
    let mut entry = process.id.to_le_bytes().to_vec();
    let little = Order::Little;
    if !process.path.is_empty() {
        append(&mut entry, little, PIB_NAME, process.name().as_bytes());
        append(&mut entry, little, PIB_PATH, process.path.as_bytes());
    }
    if process.parent != 0 {
        append(&mut entry, little, PIB_PPID, &process.parent.to_le_bytes());
    }
    if let Some(time) = start_time(process) {
        append(&mut entry, little, PIB_STARTTIME, &time.to_le_bytes());
    }
    append_end(&mut entry, little);

    // Type, length, enterprise, entry type and entry length before the entry, which is made of whole fours; the length behind it.
    let length = order.bytes32(5 * 4 + u32_of(entry.len()) + 4);
    let mut block = Vec::new();
    block.extend(order.bytes32(kind::CUSTOM));
    block.extend(length);
    block.extend(order.bytes32(WIRESHARK));
    block.extend(PROCESS_INFORMATION.to_le_bytes());
    block.extend(u32_of(entry.len()).to_le_bytes());
    block.extend(entry);
    block.extend(length);
    block
}

fn packet_options(process: &Process, order: Order, comments: bool) -> Vec<u8> {
    let mut listed = Vec::new();
    let ids = [order.bytes32(process.id), order.bytes32(0)].concat();
    append(&mut listed, order, EPB_PROCESSID_THREADID, &ids);
    if comments {
        append(&mut listed, order, COMMENT, comment(process).as_bytes());
    }
    listed
}

fn comment(process: &Process) -> String {
    let mut text = format!("{BEGIN}{}", process.id);
    if !process.path.is_empty() {
        let _ = write!(text, "\nCmd: {}", process.path);
    }
    if process.parent != 0 {
        let _ = write!(text, "\nParentPID: {}", process.parent);
    }
    if process.created.0 != 0 {
        let _ = write!(text, "\nStartTime: {}", process.created);
    }
    text
}

/// The id and the start time of the process that a custom block tells of, if it tells of one.
pub(super) fn told(block: &Block<'_>) -> Option<(u32, Option<u64>)> {
    let (body, little) = (block.body(), Order::Little);
    let is_process = block.order.u32_at(body, 0)? == WIRESHARK && little.u32_at(body, 4)? == PROCESS_INFORMATION;
    let length = usize::try_from(little.u32_at(body, 8)?).ok()?;
    let entry = body.get(12..)?.get(..length).filter(|_| is_process)?;
    let mut start = None;
    let _ = options::read(entry.get(4..)?, little, |option| {
        if option.code == PIB_STARTTIME {
            start = option.value.first_chunk().map(|&bytes| u64::from_le_bytes(bytes));
        }
    });
    Some((little.u32_at(entry, 0)?, start))
}

/// An entry has a path of at most 64 KiB, and little else.
fn u32_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
