//! The options at the end of a block's body (draft-ietf-opsawg-pcapng, "Options").

use super::Order;

/// Where the list ends.
pub const END: u16 = 0;
/// A comment, of any block.
pub const COMMENT: u16 = 1;

/// An option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its code.
    pub code: u16,
    /// Its value, without what fills it up.
    pub value: &'a [u8],
}

/// Bytes that are no list of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its options are no list of options")]
pub struct NoList;

/// How many bytes the options before the end of the list have, each handed to `each`.
///
/// # Errors
/// The bytes are no list of options.
pub fn read<'a>(bytes: &'a [u8], order: Order, mut each: impl FnMut(Entry<'a>)) -> Result<usize, NoList> {
    let mut place = 0;
    while place < bytes.len() {
        let code = order.u16_at(bytes, place).ok_or(NoList)?;
        let length = usize::from(order.u16_at(bytes, place + 2).ok_or(NoList)?);
        if code == END {
            break;
        }
        let value = bytes.get(place + 4..place + 4 + length).ok_or(NoList)?;
        each(Entry { code, value });
        place += 4 + length.next_multiple_of(4);
    }
    if place > bytes.len() { Err(NoList) } else { Ok(place) }
}

/// Appends an option. A value of more than 65,535 bytes is cut, which only texts are.
pub fn append(bytes: &mut Vec<u8>, order: Order, code: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    bytes.extend(order.bytes16(code));
    bytes.extend(order.bytes16(length));
    bytes.extend(&value[..length.into()]);
    let filled = usize::from(length).next_multiple_of(4) - usize::from(length);
    bytes.extend(&[0; 3][..filled]);
}

/// Appends the end of a list.
pub fn append_end(bytes: &mut Vec<u8>, order: Order) {
    append(bytes, order, END, &[]);
}
