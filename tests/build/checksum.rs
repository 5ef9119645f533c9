//! The checksum that Windows asks of a driver.

/// The checksum of a PE file: its 16-bit words added with the carry put back in, the stored checksum taken as zero,
/// plus the length.
pub fn of(bytes: &[u8]) -> u32 {
    let new_header = u32::from_le_bytes(bytes[0x3c..0x40].try_into().expect("four bytes"));
    let stored = usize::try_from(new_header).expect("an offset") + 0x58;
    let sum = bytes.chunks(2).enumerate().fold(0_u32, |sum, (index, pair)| {
        let at = index * 2;
        let word = if (stored..stored + 4).contains(&at) {
            0
        } else {
            pair.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
        };
        let sum = sum + word;
        (sum & 0xffff) + (sum >> 16)
    });
    sum + u32::try_from(bytes.len()).expect("a small file")
}
