//! The process path in a line: at most [`LONGEST`] bytes of printable ASCII, and no more than the line has room for.
//!
//! What is not printable ASCII is escaped, never dropped: `%xx` for a code unit below 0x100 and `%uxxxx` for any other, which
//! is what `unescape()` of ECMAScript reads. A path that does not fit loses its middle, also where nothing was lost when it was
//! captured. A `*` stands for what was cut; a `*` of the path itself comes as `%2a`.
//!
//! IRQL: any: nothing here calls the kernel
use crate::{
    line::{Line, digit_of},
    path::{Captured, Unit},
};

/// Most bytes that a path takes.
pub const LONGEST: usize = 300;
/// Most bytes of the beginning of a path that is cut: the rest is room for a file name of 254 characters with its backslash.
const HEAD: usize = LONGEST - 1 - 255;
/// Most bytes that a code unit takes.
const WIDEST: usize = 6;

/// Appends a path, and leaves room for what ends the line.
pub fn path(line: &mut Line, path: Captured) {
    let longest = line.room().saturating_sub(1).min(LONGEST);
    let units = path.units();
    let (head, tail) = match path.around_the_cut() {
        Some(parts) => parts,
        None if is_plain_text(units) && units.len() <= longest => return line.low_bytes(units),
        None if escaped_len(units) <= longest => return escaped(line, units),
        None => (units, units),
    };
    let (head, head_len) = fit(head.iter(), HEAD);
    let (after, _) = fit(tail.iter().rev(), longest.saturating_sub(1).saturating_sub(head_len));
    escaped(line, units.get(..head).unwrap_or_default());
    line.byte(b'*');
    escaped(line, tail.get(tail.len().wrapping_sub(after)..).unwrap_or_default());
}

/// How many of these code units fit into so many bytes, and the bytes they take.
fn fit<'a>(units: impl Iterator<Item = &'a Unit>, bytes: usize) -> (usize, usize) {
    let mut count: usize = 0;
    let mut len: usize = 0;
    for unit in units {
        let longer = len.wrapping_add(len_of(*unit));
        if longer > bytes {
            break;
        }
        len = longer;
        count = count.wrapping_add(1);
    }
    (count, len)
}

/// Whether all of it can be written as it is, as nearly every path can. One pass without a branch, which the compiler turns into
/// one over eight code units at a time.
fn is_plain_text(units: &[Unit]) -> bool {
    let count = |plain: u16, unit: &Unit| plain.wrapping_add(u16::from(is_plain(u16::from_le_bytes(*unit))));
    usize::from(units.iter().fold(0, count)) == units.len()
}

/// Whether a code unit is written as the one byte that it is.
const fn is_plain(unit: u16) -> bool {
    unit.wrapping_sub(0x21) <= 0x7e - 0x21 && unit != b'%' as u16 && unit != b'*' as u16
}

fn escaped_len(units: &[Unit]) -> usize {
    units.iter().fold(0, |len, unit| len.wrapping_add(len_of(*unit)))
}

/// Bytes that a code unit takes.
const fn len_of(unit: Unit) -> usize {
    match u16::from_le_bytes(unit) {
        unit if is_plain(unit) => 1,
        0..=0xff => 3,
        _ => WIDEST,
    }
}

fn escaped(line: &mut Line, units: &[Unit]) {
    for &unit in units {
        let number = u16::from_le_bytes(unit);
        let digit = |shift: u32| digit_of(u64::from(number) >> shift);
        match len_of(unit) {
            1 => line.byte(unit[0]),
            3 => line.bytes(&[b'%', digit(4), digit(0)]),
            _ => line.bytes(&[b'%', b'u', digit(12), digit(8), digit(4), digit(0)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::path::Path;

    /// What 300 bytes have left for the beginning, beside a `*` and a file name of 254 characters with its backslash.
    const BEGINNING: usize = 44;

    fn blob(path: &str) -> Vec<u8> {
        path.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// What a line shows of a path, behind so many bytes of other fields.
    fn shown_behind(used: usize, bytes: &[u8]) -> String {
        let captured = Path::of(bytes);
        let mut units = vec![[0; 2]; captured.extent().units()];
        captured.write(&mut units);
        let mut line = Line::empty();
        line.text(&"f".repeat(used));
        path(&mut line, Captured::new(&units, captured.extent()));
        line.as_c_str().to_str().unwrap()[used..].to_owned()
    }

    fn shown(bytes: &[u8]) -> String {
        shown_behind(0, bytes)
    }

    /// What `unescape()` makes of a path that was not cut.
    fn unescaped(shown: &str) -> Vec<u16> {
        let mut rest = shown;
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
    fn an_ordinary_path_is_shown_as_it_is() {
        assert_eq!(shown(&blob("\\device\\harddiskvolume3\\curl.exe\0")), "\\device\\harddiskvolume3\\curl.exe");
    }

    #[test]
    fn spaces_and_latin_letters_become_two_digits() {
        assert_eq!(shown(&blob("caf\u{e9} 1")), "caf%e9%201");
    }

    #[test]
    fn other_letters_become_four_digits() {
        assert_eq!(shown(&blob("\u{4f60}")), "%u4f60");
    }

    #[test]
    fn a_lone_surrogate_is_escaped() {
        assert_eq!(shown(&0xd800_u16.to_le_bytes()), "%ud800");
    }

    #[test]
    fn the_signs_of_the_escape_are_escaped() {
        assert_eq!(shown(&blob("%*")), "%25%2a");
    }

    #[test]
    fn the_longest_path_that_fits_is_not_cut() {
        let path = "x".repeat(LONGEST);
        assert_eq!(shown(&blob(&path)), path);
        let path = "\u{4f60}".repeat(LONGEST / WIDEST);
        assert_eq!(shown(&blob(&path)), "%u4f60".repeat(LONGEST / WIDEST));
    }

    #[test]
    fn a_path_takes_300_bytes_at_most() {
        assert_eq!(shown(&blob(&"x".repeat(300))).len(), 300);
        assert_eq!(shown(&blob(&"x".repeat(301))).len(), 300);
    }

    #[test]
    fn a_longer_path_is_cut_in_the_middle() {
        // The shortest that does not fit, and one that lost its middle when it was captured.
        for middle in [46 - 44, 46, 600] {
            let path = format!("{}{}{}", "h".repeat(BEGINNING), "m".repeat(middle), "t".repeat(255));
            assert_eq!(shown(&blob(&path)), format!("{}*{}", "h".repeat(BEGINNING), "t".repeat(255)));
        }
    }

    #[test]
    fn escapes_are_not_cut_in_two() {
        let shown = shown(&blob(&"\u{4f60}".repeat(400)));
        assert_eq!(shown, format!("{}*{}", "%u4f60".repeat(7), "%u4f60".repeat(42)));
    }

    #[test]
    fn a_path_takes_no_more_than_the_line_has_room_for() {
        let path = format!("{}{}", "h".repeat(BEGINNING), "t".repeat(LONGEST - BEGINNING));
        // One byte is for the end of the line.
        let before = (Line::LONGEST - 1).checked_sub(LONGEST).expect("a line has room for a path");
        assert_eq!(shown_behind(before, &blob(&path)), path);
        let cut = format!("{}*{}", "h".repeat(BEGINNING), "t".repeat(LONGEST - BEGINNING - 2));
        assert_eq!(shown_behind(before + 1, &blob(&path)), cut);
        let escaped = "\u{e9}".repeat(100);
        assert_eq!(shown_behind(before, &blob(&escaped)), "%e9".repeat(100));
        let cut = format!("{}*{}", "%e9".repeat(14), "%e9".repeat(85));
        assert_eq!(shown_behind(before + 1, &blob(&escaped)), cut);
    }

    proptest! {
        #[test]
        fn no_path_is_longer_than_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert!(shown(&bytes).len() <= LONGEST);
        }

        #[test]
        fn what_is_shown_is_printable(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert!(shown(&bytes).bytes().all(|byte| byte.is_ascii_graphic()));
        }

        #[test]
        fn a_path_that_fits_can_be_read_back(path in "[^\0]{0,25}") {
            let units: Vec<u16> = path.encode_utf16().collect();
            prop_assert_eq!(unescaped(&shown(&blob(&path))), units);
        }

        #[test]
        fn the_file_name_is_never_lost(folders in 0..2_000_usize, name in "[a-z0-9.]{1,254}") {
            let path = format!("{}\\{name}\0", "f".repeat(folders));
            let ending = format!("\\{name}");
            prop_assert!(shown(&blob(&path)).ends_with(&ending));
        }

        #[test]
        fn more_is_captured_than_a_line_can_show(length in 0..2_000_usize) {
            // Else a path that is cut twice would show less than one that is cut once.
            let path: String = (0..length).map(|index| char::from(b'a' + u8::try_from(index % 26).unwrap())).collect();
            let expected = if length <= LONGEST {
                path.clone()
            } else {
                format!("{}*{}", &path[..BEGINNING], &path[length - (LONGEST - 1 - BEGINNING)..])
            };
            prop_assert_eq!(shown(&blob(&path)), expected);
        }
    }
}
