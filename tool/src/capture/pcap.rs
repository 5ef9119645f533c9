//! A pcap file as blocks of pcapng: a section, its interface, and a block for each packet (draft-ietf-opsawg-pcap).

use std::io::Read;

use super::{
    Block, Order, Stop, kind,
    options::{append, append_end},
    window::Window,
};

const HEADER: usize = 24;
const RECORD: usize = 16;
/// `MAXIMUM_SNAPLEN` of libpcap is 262,144, and more for USB and the like (128 MiB): what is longer than blocks may be is damage.
const LONGEST: u32 = (16 << 20) - 64;
const WHAT: &str = "record";

const SHB_USERAPPL: u16 = 4;
const IF_TSRESOL: u16 = 9;

/// A file, record by record.
pub(super) struct Records<R> {
    window: Window<R>,
    order: Order,
    /// Units of time in a second.
    per_second: u64,
    /// The block that is being handed out.
    block: Vec<u8>,
    /// Blocks that come before the first record.
    before: Vec<(u32, Vec<u8>)>,
}

impl<R: Read> Records<R> {
    /// The file that begins with `start`; `None` if that is no pcap.
    pub(super) fn new(mut window: Window<R>, start: &[u8]) -> Result<Option<Self>, Stop> {
        let Some(&magic) = start.first_chunk::<4>() else { return Ok(None) };
        let (order, resolution): (_, u8) = match u32::from_be_bytes(magic) {
            0xa1b2_c3d4 => (Order::Big, 6),
            0xd4c3_b2a1 => (Order::Little, 6),
            0xa1b2_3c4d => (Order::Big, 9),
            0x4d3c_b2a1 => (Order::Little, 9),
            0xa1b2_cd34 | 0x34cd_b2a1 => return Err(Stop::Kind("a pcap file with further fields in each record")),
            _ => return Ok(None),
        };
        let header = window.peek(HEADER)?;
        let (has, header) = (header.len(), header.first_chunk::<HEADER>());
        let cut = Stop::Cut { what: "header", offset: 0, has: has as u64, wants: HEADER as u64 };
        let header = *header.ok_or(cut)?;
        let number = |place| order.u32_at(&header, place).unwrap_or_default();
        let before = vec![
            (kind::INTERFACE, interface(order, number(20), number(16), resolution)),
            (kind::SECTION_HEADER, section(order)),
        ];
        window.advance(HEADER);
        Ok(Some(Self { window, order, per_second: 10_u64.pow(resolution.into()), block: Vec::new(), before }))
    }

    pub(super) fn next_block(&mut self) -> Result<Option<Block<'_>>, Stop> {
        let (order, offset) = (self.order, self.window.offset());
        if let Some((kind, block)) = self.before.pop() {
            self.block = block;
            return Ok(Some(Block { kind, bytes: &self.block, order, offset: 0 }));
        }
        let head = self.window.peek(RECORD)?;
        if head.is_empty() {
            return Ok(None);
        }
        let cut = |has: usize, wants: u64| Stop::Cut { what: WHAT, offset, has: has as u64, wants };
        let Some(head) = head.first_chunk::<RECORD>().copied() else { return Err(cut(head.len(), RECORD as u64)) };
        let number = |place| order.u32_at(&head, place).unwrap_or_default();
        let (seconds, fraction, captured, original) = (number(0), number(4), number(8), number(12));
        if captured > LONGEST {
            let why = format!("says that it has a packet of {captured} bytes");
            return Err(Stop::Damaged { what: WHAT, offset, why });
        }
        let size = RECORD + captured as usize;
        let there = self.window.peek(size)?;
        if there.len() < size {
            return Err(cut(there.len(), size as u64));
        }
        let units = u64::from(seconds) * self.per_second + u64::from(fraction);
        let packet = &self.window.take(size)[RECORD..];
        self.block.clear();
        begin(&mut self.block, order, kind::ENHANCED_PACKET);
        for number in [0, (units >> 32) as u32, (units & 0xffff_ffff) as u32, captured, original] {
            self.block.extend(order.bytes32(number));
        }
        self.block.extend(packet);
        self.block.resize(self.block.len().next_multiple_of(4), 0);
        end(&mut self.block, order);
        Ok(Some(Block { kind: kind::ENHANCED_PACKET, bytes: &self.block, order, offset }))
    }
}

fn section(order: Order) -> Vec<u8> {
    let mut block = Vec::new();
    begin(&mut block, order, kind::SECTION_HEADER);
    block.extend(order.bytes32(0x1a2b_3c4d));
    block.extend(order.bytes16(1));
    block.extend(order.bytes16(0));
    // How long the section is, it does not say.
    block.extend([0xff; 8]);
    append(&mut block, order, SHB_USERAPPL, concat!("flowtag ", env!("CARGO_PKG_VERSION")).as_bytes());
    append_end(&mut block, order);
    end(&mut block, order);
    block
}

/// The upper bits of `link_type` may say how long the checksum behind each packet is. That is left out: pcapng's option for it is
/// described in bits and shown in bytes, so that no number is right for all.
fn interface(order: Order, link_type: u32, snap_length: u32, resolution: u8) -> Vec<u8> {
    let mut block = Vec::new();
    begin(&mut block, order, kind::INTERFACE);
    block.extend(order.bytes16((link_type & 0xffff) as u16));
    block.extend(order.bytes16(0));
    block.extend(order.bytes32(snap_length));
    append(&mut block, order, IF_TSRESOL, &[resolution]);
    append_end(&mut block, order);
    end(&mut block, order);
    block
}

fn begin(block: &mut Vec<u8>, order: Order, kind: u32) {
    block.extend(order.bytes32(kind));
    block.extend([0; 4]);
}

/// Writes both of its lengths.
#[expect(clippy::cast_possible_truncation, reason = "no packet is longer than LONGEST")]
fn end(block: &mut Vec<u8>, order: Order) {
    let length = order.bytes32(block.len() as u32 + 4);
    block[4..8].copy_from_slice(&length);
    block.extend(length);
}
