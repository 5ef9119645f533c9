//! Frame sizes, from the unwind data of an x64 image: every function that moves the stack pointer has an entry.

use object::{Object, ObjectSection, read::pe::PeFile64};

/// One function's entry: its begin, its end, and where its unwind information is.
const ENTRY_BYTES: usize = 12;

/// This entry continues the one that follows the unwind codes.
const CHAINED: u8 = 0x4;

/// Each function's address, relative to the image, and the bytes its prologue takes from the stack.
pub fn frames(image: &PeFile64<'_>) -> Vec<(u32, u32)> {
    let Some(table) = image.section_by_name(".pdata") else { return Vec::new() };
    let table = table.data().expect("readable unwind data");
    let entries = table.chunks_exact(ENTRY_BYTES).filter(|entry| dword(entry, 0) != 0);
    entries.map(|entry| (dword(entry, 0), frame_size(image, dword(entry, 8)))).collect()
}

/// What the unwind codes at `information` take from the stack, with those they continue.
fn frame_size(image: &PeFile64<'_>, information: u32) -> u32 {
    let bytes = at(image, information);
    let (flags, count) = (bytes[0] >> 3, usize::from(bytes[2]));
    let codes: Vec<u16> =
        bytes[4..4 + 2 * count].chunks_exact(2).map(|code| u16::from_le_bytes([code[0], code[1]])).collect();
    let own = size_of_codes(&codes);
    if flags & CHAINED == 0 {
        return own;
    }
    // The codes are padded to an even number.
    let parent = 4 + 2 * count.next_multiple_of(2);
    own + frame_size(image, dword(&bytes[parent..], 8))
}

/// Adds up what a prologue pushes and allocates.
fn size_of_codes(codes: &[u16]) -> u32 {
    let mut size = 0;
    let mut rest = codes;
    while let [code, more @ ..] = rest {
        let info = u32::from(code >> 12);
        let (taken, operands) = match (code >> 8) & 0xf {
            0 => (8, 0),                                             // push a register
            1 if info == 0 => (u32::from(more[0]) * 8, 1),           // a large area, in units of eight
            1 => (u32::from(more[0]) | u32::from(more[1]) << 16, 2), // a larger one, in bytes
            2 => (info * 8 + 8, 0),                                  // a small area
            3 => (0, 0),                                             // set the frame register
            4 | 8 => (0, 1),                                         // save a register below
            5 | 9 => (0, 2),                                         // save one far below
            operation => panic!("unwind operation {operation} has no place in a driver"),
        };
        size += taken;
        rest = &more[operands..];
    }
    size
}

fn at<'a>(image: &PeFile64<'a>, address: u32) -> &'a [u8] {
    image.section_table().pe_data_at(image.data(), address).unwrap_or_else(|| panic!("no data at {address:#x}"))
}

fn dword(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"))
}
