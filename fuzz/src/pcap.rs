//! The command's reader of pcap files: what it hands on is a pcapng file with the same packets.

use std::sync::LazyLock;

use flowtag_tool::flows::Table;

use crate::annotation::{TABLE, annotated, blocks, table};

/// Nobody owns anything.
static NOBODY: LazyLock<Table> = LazyLock::new(|| table(&[]));

/// A file, by a reader that shares nothing with the command's.
struct File<'a> {
    /// Whether numbers have their highest byte first.
    big: bool,
    /// Units of time in a second.
    per_second: u64,
    bytes: &'a [u8],
}

/// Time, length and bytes of a packet.
type Packet<'a> = (u64, u32, &'a [u8]);

impl File<'_> {
    fn number(&self, at: usize) -> Option<u32> {
        let four = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }

    /// Time, length and bytes of each packet up to the first that is not all there, and where that is.
    fn packets(&self) -> (Vec<Packet<'_>>, usize) {
        let (mut packets, mut at) = (Vec::new(), 24);
        while let Some(packet) = self.packet(at) {
            at += 16 + packet.2.len();
            packets.push(packet);
        }
        (packets, at)
    }

    fn packet(&self, at: usize) -> Option<Packet<'_>> {
        let [seconds, fraction, captured, original] = [0, 4, 8, 12].map(|place| self.number(at + place));
        let data = self.bytes.get(at + 16..)?.get(..captured? as usize)?;
        Some((u64::from(seconds?) * self.per_second + u64::from(fraction?), original?, data))
    }
}

/// Annotates the bytes. Every packet is there with its time, and becomes what it becomes in a pcapng file.
pub fn run(input: &[u8]) {
    let (big, per_second, resolution) = match input {
        [0xa1, 0xb2, 0xc3, 0xd4, ..] => (true, 1_000_000, 6),
        [0xd4, 0xc3, 0xb2, 0xa1, ..] => (false, 1_000_000, 6),
        [0xa1, 0xb2, 0x3c, 0x4d, ..] => (true, 1_000_000_000, 9),
        [0x4d, 0x3c, 0xb2, 0xa1, ..] => (false, 1_000_000_000, 9),
        _ => return,
    };
    let Some(plain) = annotated(input, &NOBODY, true) else {
        assert!(input.len() < 24, "it has a header");
        return;
    };
    let file = File { big, per_second, bytes: input };
    let (packets, end) = file.packets();
    assert_eq!(plain.stopped_at().unwrap_or(input.len()), end, "how far the file is sound");
    let (blocks, _) = blocks(&plain.bytes);
    let kinds: Vec<_> = blocks.iter().map(|block| block.kind).collect();
    assert_eq!((&kinds[..2], kinds.len() - 2), ([0x0a0d_0d0a, 1].as_slice(), packets.len()), "no packet is lost");

    let interface = &blocks[1];
    let link_type = file.number(20).map(|number| number & 0xffff);
    assert_eq!(Some(u32::from(interface.u16(8))), link_type);
    assert_eq!(Some(interface.u32(12)), file.number(16), "how much of a packet was to be captured");
    assert_eq!((interface.u16(16), interface.u16(18), interface.bytes[20]), (9, 1, resolution), "if_tsresol");
    for (block, (time, original, data)) in blocks[2..].iter().zip(packets) {
        let read = u64::from(block.u32(12)) << 32 | u64::from(block.u32(16));
        assert_eq!((block.kind, block.u32(8), read, block.u32(24)), (6, 0, time, original));
        assert_eq!((block.u32(20) as usize, &block.bytes[28..28 + data.len()]), (data.len(), data));
    }

    let at_once = annotated(input, &TABLE, true).expect("it was read before");
    let in_two_steps = annotated(&plain.bytes, &TABLE, true).expect("it is pcapng now");
    assert!(at_once.bytes == in_two_steps.bytes && at_once.summary == in_two_steps.summary);
    in_two_steps.hold_against(&plain.bytes, true);
    in_two_steps.hold_against_itself(&TABLE, true);
}
