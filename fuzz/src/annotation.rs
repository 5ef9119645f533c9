//! Annotates captures, and holds what came of one against it, block by block. The reader here shares nothing with the program's: it
//! knows where a block begins and ends, and where its options do.

use std::{
    collections::HashSet,
    io::{self, Read},
    sync::LazyLock,
};

use flowtag_tool::{
    annotate::{self, Error, Options, Summary},
    capture::{Capture, Stop},
    event::{Flow, Process, Told},
    flows::{ICMP, Lives, TOLERANCE, Table},
};

use crate::{
    made::{LOCAL, REMOTE, close, flow, open},
    memory,
};

const SECTION: u32 = 0x0a0d_0d0a;
const ENHANCED_PACKET: u32 = 6;
const CUSTOM: u32 = 0xbad;
/// Process and thread.
const OWNER: u16 = 8;
const COMMENT: u16 = 1;

/// Flows of the processes 7 to 15: a port that another process gets, two that fit, a loopback pair, IPv6, an echo, and one of whose
/// process nothing is known but its id.
pub(crate) static TABLE: LazyLock<Table> = LazyLock::new(|| {
    table(&[
        open(0, flow(1, 7, LOCAL, REMOTE)),
        close(5_000_000, flow(1, 7, LOCAL, REMOTE)),
        open(6_000_000, flow(2, 8, LOCAL, REMOTE)),
        open(0, flow(3, 9, "10.0.0.5:1", REMOTE)),
        open(0, flow(4, 10, "10.0.0.5:1", REMOTE)),
        open(0, flow(5, 11, "127.0.0.1:1000", "127.0.0.1:80")),
        open(0, flow(6, 12, "127.0.0.1:80", "127.0.0.1:1000")),
        open(0, flow(7, 13, "[fe80::1]:1000", "[fe80::2]:53")),
        open(0, Flow { protocol: ICMP, ..flow(8, 14, "10.0.0.5:8", "10.0.0.6:0") }),
        open(0, Flow { process: Process { id: 15, ..Process::default() }, ..flow(9, 15, "10.0.0.5:2", REMOTE) }),
    ])
});
const PROCESSES: std::ops::RangeInclusive<u32> = 7..=15;

/// Whom packets belong to after these events.
pub(crate) fn table(events: &[Told]) -> Table {
    let mut lives = Lives::default();
    for told in events {
        lives.hear(told);
    }
    Table::new(lives, TOLERANCE)
}

/// What became of a capture.
#[derive(Debug)]
pub(crate) struct Annotated {
    pub(crate) bytes: Vec<u8>,
    pub(crate) summary: Summary,
    /// Why it went no further, if it did not go to the end.
    stop: Option<Stop>,
}

/// Annotates a capture; `None` if it is none.
pub(crate) fn annotated(capture: &[u8], table: &Table, comments: bool) -> Option<Annotated> {
    let annotated = memory::bounded(capture, || run(capture, table, comments));
    let in_pieces = run(Pieces { left: capture, size: 1 }, table, comments);
    let both = [&annotated, &in_pieces].map(|annotated| annotated.as_ref().map(Annotated::parts));
    assert_eq!(both[0], both[1], "in one piece, and in many");
    annotated
}

fn run(capture: impl Read, table: &Table, comments: bool) -> Option<Annotated> {
    let mut capture = Capture::new(capture).ok()?;
    let (mut bytes, mut summary) = (Vec::new(), Summary::default());
    let options = Options { comments, processes: true };
    let stop = match annotate::annotate(&mut capture, &mut bytes, table, options, &mut summary, |_| {}) {
        Ok(()) => None,
        Err(Error::Capture(stop)) => Some(stop),
        Err(Error::Output(error)) => panic!("memory takes everything: {error}"),
    };
    Some(Annotated { bytes, summary, stop })
}

impl Annotated {
    fn parts(&self) -> (&[u8], Summary, Option<String>) {
        (&self.bytes, self.summary, self.stop.as_ref().map(ToString::to_string))
    }

    /// Where in the capture it went no further; `None` if it went to the end.
    pub(crate) fn stopped_at(&self) -> Option<usize> {
        match self.stop.as_ref()? {
            Stop::Cut { offset, .. } | Stop::Damaged { offset, .. } => usize::try_from(*offset).ok(),
            stop => panic!("bytes that are there can be read: {stop}"),
        }
    }

    /// Panics unless all of the capture that is sound is there, untouched but for what is said of owners, and is counted.
    pub(crate) fn hold_against(&self, capture: &[u8], comments: bool) {
        let (before, end) = blocks(capture);
        assert_eq!(self.stopped_at().unwrap_or(capture.len()), end, "how far the capture is sound");
        let (after, whole) = blocks(&self.bytes);
        assert_eq!(whole, self.bytes.len(), "what is written is sound");
        let joined = changed(&before, &after, comments);

        let Summary { packets, unknown, ambiguous, unread, already, without_options, damaged, .. } = self.summary;
        let count = |kinds: &[u32]| before.iter().filter(|block| kinds.contains(&block.kind)).count() as u64;
        assert_eq!(packets, count(&[2, 3, ENHANCED_PACKET]), "no packet is lost");
        assert_eq!((self.summary.joined, without_options), (joined, count(&[2, 3])));
        assert_eq!(packets, joined + unknown + ambiguous + unread + already + without_options + damaged);
    }

    /// Panics unless to annotate what was annotated changes nothing.
    pub(crate) fn hold_against_itself(&self, table: &Table, comments: bool) {
        let again = annotated(&self.bytes, table, comments).expect("it is a capture");
        assert!(again.bytes == self.bytes, "annotated twice, it is another");
        let already = self.summary.already + self.summary.joined;
        assert_eq!(again.summary, Summary { joined: 0, already, ..self.summary });
    }
}

/// A block.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    pub(crate) kind: u32,
    pub(crate) bytes: &'a [u8],
    big: bool,
}

impl<'a> Block<'a> {
    pub(crate) fn u16(&self, at: usize) -> u16 {
        let two = self.bytes[at..at + 2].try_into().expect("two bytes");
        if self.big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) }
    }

    pub(crate) fn u32(&self, at: usize) -> u32 {
        let four = self.bytes[at..at + 4].try_into().expect("four bytes");
        if self.big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    }

    /// The bytes of it from here to its second length.
    fn rest(&self, at: usize) -> &'a [u8] {
        &self.bytes[at..self.bytes.len() - 4]
    }

    /// Of a packet, where its data end, filled up to a multiple of four.
    fn data_end(&self) -> usize {
        28 + (self.u32(20) as usize).next_multiple_of(4)
    }

    /// Of a packet, where the options before the end of their list end.
    fn options_end(&self) -> usize {
        let mut at = self.data_end();
        while at < self.bytes.len() - 4 && self.u16(at) != 0 {
            at += 4 + usize::from(self.u16(at + 2)).next_multiple_of(4);
        }
        at
    }

    /// The process that it tells of, if it is Wireshark's block for that.
    fn process(&self) -> Option<u32> {
        let body = self.bytes.get(12..self.bytes.len() - 4)?;
        let number = |at: usize| Some(u32::from_le_bytes(*body.get(at..)?.first_chunk()?));
        let is_process = self.kind == CUSTOM && self.u32(8) == 32_622 && number(0) == Some(3);
        is_process.then(|| number(8)).flatten()
    }
}

/// The blocks up to the first that is damaged, and where that is.
pub(crate) fn blocks(file: &[u8]) -> (Vec<Block<'_>>, usize) {
    let (mut blocks, mut at, mut big) = (Vec::new(), 0, false);
    while let Some(block) = first(&file[at..], big) {
        at += block.bytes.len();
        big = block.big;
        blocks.push(block);
    }
    (blocks, at)
}

/// The first block of these bytes, unless it is damaged.
fn first(bytes: &[u8], mut big: bool) -> Option<Block<'_>> {
    if bytes.get(..4)? == SECTION.to_be_bytes() {
        big = match bytes.get(8..12)? {
            [0x1a, 0x2b, 0x3c, 0x4d] => true,
            [0x4d, 0x3c, 0x2b, 0x1a] => false,
            _ => return None,
        };
    }
    let head = Block { kind: 0, bytes: bytes.get(..12)?, big };
    let length = head.u32(4) as usize;
    let whole = Block { kind: head.u32(0), bytes: bytes.get(..length.max(12))?, big };
    (length >= 12 && length.is_multiple_of(4) && whole.u32(length - 4) as usize == length).then_some(whole)
}

/// How many packets say whose they are, of those that did not. Panics where anything else is another, or missing.
fn changed(before: &[Block<'_>], after: &[Block<'_>], comments: bool) -> u64 {
    let mut after = after.iter();
    let mut told = HashSet::new();
    let mut changed = 0;
    for block in before {
        if block.kind == SECTION {
            told.clear();
        }
        let expected = without_section_length(block);
        let mut now = after.next().expect("no block is missing");
        let process = now.process().filter(|_| now.bytes != expected);
        if process.is_some() {
            now = after.next().expect("a process is told of before a packet of its");
        }
        told.extend(process.or(block.process()));
        if now.bytes == expected {
            assert_eq!(process, None, "a process is told of, and no packet of its follows");
            continue;
        }
        assert_eq!((block.kind, now.kind), (ENHANCED_PACKET, ENHANCED_PACKET), "another block is changed");
        let owner = added_owner(block, now, comments);
        assert!(PROCESSES.contains(&owner) && told.contains(&owner) && process.is_none_or(|process| process == owner));
        changed += 1;
    }
    assert!(after.next().is_none(), "nothing is written behind the end");
    changed
}

/// A section that grows does not say any more how long it is.
fn without_section_length(block: &Block<'_>) -> Vec<u8> {
    let mut bytes = block.bytes.to_vec();
    if block.kind == SECTION && bytes.len() >= 28 {
        bytes[16..24].fill(0xff);
    }
    bytes
}

/// The process id that was added to a packet. Panics if anything else was, or anything was taken away.
fn added_owner(before: &Block<'_>, after: &Block<'_>, comments: bool) -> u32 {
    let end = before.options_end();
    let rest = if before.rest(end).is_empty() { &[0; 4] } else { before.rest(end) };
    assert_eq!(after.bytes[8..end], before.bytes[8..end], "the packet and its options");
    assert!(after.bytes.len() >= end + rest.len() + 4 && after.rest(end).ends_with(rest), "the end of its options");
    let added_end = after.bytes.len() - 4 - rest.len();
    assert_eq!((after.u16(end), after.u16(end + 2), after.u32(end + 8)), (OWNER, 8, 0));
    let (owner, comment) = (after.u32(end + 4), end + 12);
    if comments {
        let length = usize::from(after.u16(comment + 2));
        assert_eq!((after.u16(comment), comment + 4 + length.next_multiple_of(4)), (COMMENT, added_end));
        let text = str::from_utf8(&after.bytes[comment + 4..][..length]).expect("a comment is UTF-8");
        assert_eq!(text.lines().next(), Some(format!("PID: {owner}").as_str()));
    } else {
        assert_eq!(comment, added_end, "no comment was asked for");
    }
    owner
}

/// Gives bytes a few at a time.
struct Pieces<'a> {
    left: &'a [u8],
    size: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.size = self.size % 7 + 1;
        let size = self.size.min(to.len());
        self.left.read(&mut to[..size])
    }
}
