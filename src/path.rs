//! The process path as it is stored and traced: at most [`LONGEST`] bytes of printable ASCII.
//!
//! Windows hands over UTF-16LE, usually with a terminating NUL, of up to 64 KiB. A process must not be able to buy that
//! much nonpaged pool for each of its flows, nor time to read it, so a long path loses its middle: its volume and
//! its file name stay. What is not printable ASCII is escaped, never dropped: `%xx` for a code unit below 0x100 and
//! `%uxxxx` for any other, which is what `unescape()` of ECMAScript reads. A `*` stands for what was cut; a `*` of
//! the path itself comes as `%2a`.
//!
//! IRQL: that at which the classify was entered, since the blob may be pageable

use core::ops::Range;

use crate::line::digit_of;

/// Most bytes that are kept, chosen so that every `open` line fits into one `DbgPrintEx` call.
pub const LONGEST: usize = 300;
/// Most bytes that are kept of the beginning of a path that is cut: the rest is room for a file name of 254
/// characters with its backslash.
const HEAD: usize = LONGEST - 1 - 255;
/// Code units at the beginning of the blob that may be read.
const READ_FIRST: usize = 64;
/// Code units at the end of the blob that may be read.
const READ_LAST: usize = 320;

/// What is kept of a path: its code units `..head` and `tail..end`.
pub struct Path<'a> {
    blob: Utf16<'a>,
    head: usize,
    tail: usize,
    end: usize,
    len: usize,
}

impl<'a> Path<'a> {
    /// Decides what is kept of these bytes. They may be of any number, and come with or without a NUL.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        let blob = Utf16(bytes.as_chunks().0);
        let all = blob.len();
        if let Some(end) = blob.plain_end() {
            return Self { blob, head: 0, tail: 0, end, len: end };
        }
        let end = blob.end();
        // Only a path of which every code unit may be read can be kept whole.
        if all <= READ_FIRST.wrapping_add(READ_LAST) {
            let len = blob.units(0..end).map(escaped_len).sum();
            if len <= LONGEST {
                return Self { blob, head: 0, tail: 0, end, len };
            }
        }
        let (head, head_len) = fit(blob.units(0..end.min(READ_FIRST)), HEAD);
        let first = all.saturating_sub(READ_LAST).max(head);
        let (kept, tail_len) = fit(blob.units(first..end).rev(), LONGEST.wrapping_sub(1).wrapping_sub(head_len));
        let tail = end.wrapping_sub(kept);
        let len = head_len.wrapping_add(usize::from(head < tail)).wrapping_add(tail_len);
        Self { blob, head, tail, end, len }
    }

    /// Bytes that [`Self::write`] writes.
    #[must_use]
    pub const fn stored_len(&self) -> usize {
        self.len
    }

    /// Writes what is kept.
    pub fn write(&self, to: &mut [u8]) {
        if self.tail == 0 && self.len == self.end {
            // No code unit takes more than one byte, so this is the low byte of each.
            for (place, [low, _]) in to.iter_mut().zip(self.blob.0) {
                *place = *low;
            }
            return;
        }
        let head = self.blob.units(0..self.head).flat_map(escaped);
        let cut = (self.head < self.tail).then_some(b'*');
        let tail = self.blob.units(self.tail..self.end).flat_map(escaped);
        for (place, byte) in to.iter_mut().zip(head.chain(cut).chain(tail)) {
            *place = byte;
        }
    }
}

/// How many of these code units fit into so many bytes, and the bytes they take.
fn fit(units: impl Iterator<Item = u16>, bytes: usize) -> (usize, usize) {
    let mut count: usize = 0;
    let mut len: usize = 0;
    for unit in units {
        let longer = len.wrapping_add(escaped_len(unit));
        if longer > bytes {
            break;
        }
        len = longer;
        count = count.wrapping_add(1);
    }
    (count, len)
}

/// Whether a code unit is kept as the one byte that it is.
const fn is_plain(unit: u16) -> bool {
    unit.wrapping_sub(0x21) <= 0x7e - 0x21 && unit != b'%' as u16 && unit != b'*' as u16
}

/// Bytes that a code unit takes.
const fn escaped_len(unit: u16) -> usize {
    match unit {
        _ if is_plain(unit) => 1,
        0..=0xff => 3,
        _ => 6,
    }
}

/// A code unit as it is stored.
fn escaped(unit: u16) -> impl Iterator<Item = u8> {
    let digit = |shift: u32| digit_of(u64::from(unit) >> shift);
    let bytes = match escaped_len(unit) {
        1 => [(unit & 0xff) as u8, 0, 0, 0, 0, 0],
        3 => [b'%', digit(4), digit(0), 0, 0, 0],
        _ => [b'%', b'u', digit(12), digit(8), digit(4), digit(0)],
    };
    bytes.into_iter().take(escaped_len(unit))
}

/// UTF-16LE in bytes that need not be aligned. A last odd byte does not count.
struct Utf16<'a>(&'a [[u8; 2]]);

impl<'a> Utf16<'a> {
    const fn len(&self) -> usize {
        self.0.len()
    }

    /// Where the text ends if it can be kept as it is, as nearly every path can: short, and plain up to a NUL at its end
    /// or to the end. One pass without a branch, which the compiler turns into one over eight code units at a time.
    fn plain_end(&self) -> Option<usize> {
        let text = if let [text @ .., [0, 0]] = self.0 { text } else { self.0 };
        if text.len() > LONGEST {
            return None;
        }
        let plain =
            text.iter().fold(0_u16, |plain, unit| plain.wrapping_add(u16::from(is_plain(u16::from_le_bytes(*unit)))));
        (usize::from(plain) == text.len()).then_some(text.len())
    }

    /// Where the text ends: at the first NUL among the code units that may be read, or with the last one.
    fn end(&self) -> usize {
        let all = self.len();
        let first_of_last = all.saturating_sub(READ_LAST).max(READ_FIRST);
        let nul_in = |mut range: Range<usize>| range.find(|index| self.unit(*index) == 0);
        nul_in(0..all.min(READ_FIRST)).or_else(|| nul_in(first_of_last..all)).unwrap_or(all)
    }

    /// Code units. Only indices below [`Self::len`] are asked for.
    fn units(&self, range: Range<usize>) -> impl DoubleEndedIterator<Item = u16> + use<'a> {
        let blob = Self(self.0);
        range.map(move |index| blob.unit(index))
    }

    fn unit(&self, index: usize) -> u16 {
        self.0.get(index).map_or(0, |unit| u16::from_le_bytes(*unit))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blob(path: &str) -> Vec<u8> {
        path.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn kept(bytes: &[u8]) -> String {
        let path = Path::of(bytes);
        let mut stored = vec![0; path.stored_len()];
        path.write(&mut stored);
        String::from_utf8(stored).unwrap()
    }

    /// What `unescape()` makes of a stored path that was not cut.
    fn unescaped(stored: &str) -> Vec<u16> {
        let mut rest = stored;
        let mut units = Vec::new();
        while let Some(byte) = rest.bytes().next() {
            let (digits, used) = match (byte, rest.as_bytes().get(1)) {
                (b'%', Some(b'u')) => (&rest[2..6], 6),
                (b'%', _) => (&rest[1..3], 3),
                _ => ("", 1),
            };
            units.push(if used == 1 { u16::from(byte) } else { u16::from_str_radix(digits, 16).unwrap() });
            rest = &rest[used..];
        }
        units
    }

    #[test]
    fn an_ordinary_path_is_kept_as_it_is() {
        assert_eq!(kept(&blob("\\device\\harddiskvolume3\\curl.exe\0")), "\\device\\harddiskvolume3\\curl.exe");
    }

    #[test]
    fn a_path_without_nul_is_kept() {
        assert_eq!(kept(&blob("System")), "System");
    }

    #[test]
    fn a_path_ends_at_its_first_nul() {
        assert_eq!(kept(&blob("a.exe\0junk\0")), "a.exe");
    }

    #[test]
    fn a_path_of_no_bytes_is_empty() {
        assert_eq!(kept(&[]), "");
    }

    #[test]
    fn a_path_of_one_byte_is_empty() {
        assert_eq!(kept(b"a"), "");
    }

    #[test]
    fn an_odd_last_byte_does_not_count() {
        assert_eq!(kept(b"a\0b\0c"), "ab");
    }

    #[test]
    fn spaces_and_latin_letters_become_two_digits() {
        assert_eq!(kept(&blob("caf\u{e9} 1")), "caf%e9%201");
    }

    #[test]
    fn other_letters_become_four_digits() {
        assert_eq!(kept(&blob("\u{4f60}")), "%u4f60");
    }

    #[test]
    fn a_lone_surrogate_is_escaped() {
        assert_eq!(kept(&0xd800_u16.to_le_bytes()), "%ud800");
    }

    #[test]
    fn the_signs_of_the_escape_are_escaped() {
        assert_eq!(kept(&blob("%*")), "%25%2a");
    }

    #[test]
    fn the_longest_path_that_fits_is_not_cut() {
        let path = "x".repeat(LONGEST);
        assert_eq!(kept(&blob(&path)), path);
    }

    #[test]
    fn a_longer_path_is_cut_in_the_middle() {
        let path = format!("{}{}{}", "h".repeat(HEAD), "m".repeat(46), "t".repeat(255));
        assert_eq!(kept(&blob(&path)), format!("{}*{}", "h".repeat(HEAD), "t".repeat(255)));
    }

    #[test]
    fn escapes_are_not_cut_in_two() {
        let stored = kept(&blob(&"\u{4f60}".repeat(400)));
        assert_eq!(stored, format!("{}*{}", "%u4f60".repeat(7), "%u4f60".repeat(42)));
    }

    #[test]
    fn a_nul_at_the_beginning_of_a_large_blob_ends_the_path() {
        let mut bytes = blob("a.exe\0");
        bytes.resize(65_534, b'x');
        assert_eq!(kept(&bytes), "a.exe");
    }

    #[test]
    fn the_middle_of_a_large_blob_is_not_read() {
        let middle = "\0".repeat(1_000);
        let path = format!("{}{middle}{}", "h".repeat(READ_FIRST), "t".repeat(READ_LAST));
        assert_eq!(kept(&blob(&path)), format!("{}*{}", "h".repeat(HEAD), "t".repeat(255)));
    }

    #[test]
    fn a_path_that_begins_with_nul_is_empty() {
        assert_eq!(kept(&blob("\0a.exe\0")), "");
    }

    /// As many code units as are asked for: a path of 200 letters, of which the first 64 are `h`, its NUL, and what follows.
    fn half_filled(units: usize) -> Vec<u8> {
        let mut bytes = blob(&format!("{}{}\0", "h".repeat(READ_FIRST), "t".repeat(200 - READ_FIRST)));
        bytes.resize(2 * units, b'x');
        bytes
    }

    #[test]
    fn a_path_is_whole_where_all_of_its_blob_may_be_read() {
        let whole = format!("{}{}", "h".repeat(READ_FIRST), "t".repeat(200 - READ_FIRST));
        assert_eq!(kept(&half_filled(64 + 320)), whole);
    }

    #[test]
    fn a_path_is_cut_where_not_all_of_its_blob_may_be_read() {
        // The first of the code units after those at the beginning is the one that is not read.
        let cut = format!("{}*{}", "h".repeat(HEAD), "t".repeat(200 - READ_FIRST - 1));
        assert_eq!(kept(&half_filled(64 + 320 + 1)), cut);
    }

    #[test]
    fn what_is_kept_of_the_end_has_been_read_there() {
        // Its last ten code units are the first ten of those that may be read at the end.
        let mut bytes = blob(&format!("{}{}{}\0", "h".repeat(READ_FIRST), "m".repeat(616), "t".repeat(10)));
        bytes.resize(2 * (READ_FIRST + 616 + READ_LAST), b'x');
        assert_eq!(kept(&bytes), format!("{}*{}", "h".repeat(HEAD), "t".repeat(10)));
    }

    proptest! {
        #[test]
        fn no_blob_is_kept_longer_than_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert!(Path::of(&bytes).stored_len() <= LONGEST);
        }

        #[test]
        fn what_is_kept_is_printable(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert!(kept(&bytes).bytes().all(|byte| byte.is_ascii_graphic()));
        }

        #[test]
        fn a_path_that_fits_can_be_read_back(path in "[^\0]{0,25}") {
            let units: Vec<u16> = path.encode_utf16().collect();
            prop_assert_eq!(unescaped(&kept(&blob(&path))), units);
        }

        #[test]
        fn the_file_name_is_never_lost(folders in 0..2_000_usize, name in "[a-z0-9.]{1,254}") {
            let path = format!("{}\\{name}\0", "f".repeat(folders));
            let ending = format!("\\{name}");
            prop_assert!(kept(&blob(&path)).ends_with(&ending));
        }
    }
}
