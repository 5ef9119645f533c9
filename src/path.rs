//! The process path as it is captured: UTF-16LE as Windows hands it over, at most [`LONGEST`] bytes.
//!
//! It comes usually with a terminating NUL, and may have up to 64 KiB. A process must not be able to buy that much nonpaged
//! pool for each of its flows, nor time to read it, so a long path loses its middle: its volume and its file name
//! stay. A `*` stands for what was cut, which the name of no file contains (Win32, "Naming Files, Paths, and Namespaces").
//! Nothing is decoded or escaped here: that is done when a line is written ([`crate::escape`]).
//!
//! IRQL: that at which the classify was entered, since the blob may be pageable

/// A UTF-16LE code unit, which need not be aligned.
pub type Unit = [u8; 2];

/// Most bytes that are kept.
pub const LONGEST: usize = 640;
/// Code units that are kept, with the `*` of a cut.
const UNITS: usize = LONGEST / size_of::<Unit>();
/// Code units at the beginning of a path that is cut.
const HEAD: usize = 59;
/// Code units at its end: a file name of 255 with its backslash, and more.
const TAIL: usize = UNITS - 1 - HEAD;
/// Code units at the beginning of the blob that may be read.
const READ_FIRST: usize = 64;
/// Code units at the end of the blob that may be read.
const READ_LAST: usize = 320;

const CUT: Unit = [b'*', 0];
const NUL: Unit = [0, 0];

/// What is kept of a path: all of it, or its beginning and its end.
pub struct Path<'a> {
    head: &'a [Unit],
    /// What follows the cut.
    tail: Option<&'a [Unit]>,
}

impl<'a> Path<'a> {
    /// Decides what is kept of these bytes. They may be of any number, and come with or without a NUL. A last odd byte does not
    /// count.
    #[must_use]
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Self {
        let all = bytes.as_chunks().0;
        // Nearly every path is short, and has a NUL at its end or nowhere.
        let text = if let [text @ .., [0, 0]] = all { text } else { all };
        if text.len() <= UNITS { Self { head: text, tail: None } } else { Self::of_many(all) }
    }

    /// The same of more than [`UNITS`].
    #[cold]
    #[inline(never)]
    fn of_many(all: &'a [Unit]) -> Self {
        let end = end(all);
        // Only a path of which every code unit may be read can be kept whole.
        let whole = end <= READ_FIRST || (all.len() <= READ_FIRST.wrapping_add(READ_LAST) && end <= UNITS);
        if whole {
            return Self { head: all.get(..end).unwrap_or_default(), tail: None };
        }
        let start = end.saturating_sub(TAIL).max(all.len().saturating_sub(READ_LAST));
        let head = all.get(..HEAD).unwrap_or_default();
        let tail = all.get(start..end).unwrap_or_default();
        // Half of a surrogate pair is no character.
        Self {
            head: if let [before @ .., last] = head
                && is_high_surrogate(*last)
            {
                before
            } else {
                head
            },
            tail: Some(
                if let [first, after @ ..] = tail
                    && is_low_surrogate(*first)
                {
                    after
                } else {
                    tail
                },
            ),
        }
    }

    /// Code units that [`Self::write`] writes.
    #[must_use]
    pub const fn units(&self) -> usize {
        match self.tail {
            Some(tail) => self.head.len().wrapping_add(1).wrapping_add(tail.len()),
            None => self.head.len(),
        }
    }

    /// How many these are, and where among them the cut is.
    #[must_use]
    pub const fn extent(&self) -> Extent {
        #[expect(clippy::cast_possible_truncation, reason = "at most UNITS")]
        Extent { units: self.units() as u16, cut: if self.tail.is_some() { self.head.len() as u16 } else { NOWHERE } }
    }

    /// Writes what is kept.
    pub fn write(&self, to: &mut [Unit]) {
        let (head, rest) = to.split_at_mut_checked(self.head.len()).unwrap_or_default();
        copy(self.head, head);
        if let (Some(tail), [cut, rest @ ..]) = (self.tail, rest) {
            *cut = CUT;
            copy(tail, rest);
        }
    }
}

/// How long a captured path is, and where it was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    units: u16,
    cut: u16,
}

/// In place of an index: nothing was cut.
const NOWHERE: u16 = u16::MAX;

impl Extent {
    /// Code units.
    #[must_use]
    pub const fn units(self) -> usize {
        self.units as usize
    }
}

/// A path as it was captured.
#[derive(Clone, Copy)]
pub struct Captured<'a> {
    units: &'a [Unit],
    cut: u16,
}

impl<'a> Captured<'a> {
    /// What [`Path::write`] has written. A NUL ends it: not looked for when it was captured, since not all that is captured is
    /// ever shown.
    #[must_use]
    pub fn new(units: &'a [Unit], extent: Extent) -> Self {
        let text = if has_nul(units) { units.split(|unit| *unit == NUL).next().unwrap_or_default() } else { units };
        Self { units: text, cut: extent.cut }
    }

    /// All of it, with a `*` where it was cut.
    #[must_use]
    pub const fn units(self) -> &'a [Unit] {
        self.units
    }

    /// What was kept before the cut and after it, if it was cut.
    #[must_use]
    pub fn around_the_cut(self) -> Option<(&'a [Unit], &'a [Unit])> {
        let (head, rest) = self.units.split_at_checked(self.cut.into())?;
        Some((head, rest.get(1..)?))
    }
}

/// Of which the compiler makes a call of `memcpy`, and no check of lengths that could fail.
fn copy(from: &[Unit], to: &mut [Unit]) {
    for (place, unit) in to.iter_mut().zip(from) {
        *place = *unit;
    }
}

/// One pass without a branch, which the compiler turns into one over eight code units at a time.
fn has_nul(text: &[Unit]) -> bool {
    let count = |nuls: u16, unit: &Unit| nuls.wrapping_add(u16::from(*unit == NUL));
    text.iter().fold(0, count) != 0
}

/// Where the text ends: at the first NUL among the code units that may be read, or with the last one.
fn end(all: &[Unit]) -> usize {
    let second = all.len().saturating_sub(READ_LAST).max(READ_FIRST);
    let nul_from = |start: usize, until: usize| {
        let range = all.get(start..until.min(all.len()))?;
        range.iter().position(|unit| *unit == NUL).map(|index| index.wrapping_add(start))
    };
    nul_from(0, READ_FIRST).or_else(|| nul_from(second, all.len())).unwrap_or(all.len())
}

fn is_high_surrogate(unit: Unit) -> bool {
    (0xd800..0xdc00).contains(&u16::from_le_bytes(unit))
}

fn is_low_surrogate(unit: Unit) -> bool {
    (0xdc00..0xe000).contains(&u16::from_le_bytes(unit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blob(path: &str) -> Vec<u8> {
        path.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// The code units that are kept, and where the cut is.
    fn captured(bytes: &[u8]) -> (Vec<u16>, Option<usize>) {
        let path = Path::of(bytes);
        let extent = path.extent();
        let mut units = vec![[0; 2]; extent.units()];
        path.write(&mut units);
        let captured = Captured::new(&units, extent);
        let around = captured.around_the_cut();
        assert!(around.is_none_or(|(head, tail)| [head, &[CUT], tail].concat() == captured.units()));
        let cut = around.map(|(head, _)| head.len());
        (captured.units().iter().map(|unit| u16::from_le_bytes(*unit)).collect(), cut)
    }

    fn kept(bytes: &[u8]) -> String {
        String::from_utf16(&captured(bytes).0).unwrap()
    }

    #[test]
    fn an_ordinary_path_is_kept_as_it_is() {
        let path = "\\device\\harddiskvolume3\\caf\u{e9}\\\u{4f60} 1%*.exe";
        assert_eq!(kept(&blob(&format!("{path}\0"))), path);
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
    fn a_path_that_begins_with_nul_is_empty() {
        assert_eq!(kept(&blob("\0a.exe\0")), "");
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
    fn a_lone_surrogate_is_kept() {
        assert_eq!(captured(&0xd800_u16.to_le_bytes()), (vec![0xd800], None));
    }

    #[test]
    fn the_longest_path_that_fits_is_not_cut() {
        for end in ["", "\0"] {
            let path = "x".repeat(UNITS);
            assert_eq!(captured(&blob(&format!("{path}{end}"))), (path.encode_utf16().collect(), None));
        }
    }

    #[test]
    fn a_longer_path_is_cut_in_the_middle() {
        let path = format!("{}m{}", "h".repeat(HEAD), "t".repeat(TAIL));
        let cut = format!("{}*{}", "h".repeat(HEAD), "t".repeat(TAIL));
        for middle in ["mm", "mmm"] {
            let path = path.replace('m', middle);
            assert_eq!(captured(&blob(&path)), (cut.encode_utf16().collect(), Some(HEAD)));
        }
    }

    #[test]
    fn a_path_that_has_room_for_its_middle_is_not_cut() {
        // One code unit is between beginning and end, where the `*` would be.
        let path = format!("{}m{}", "h".repeat(HEAD), "t".repeat(TAIL));
        assert_eq!(kept(&blob(&path)), path);
    }

    #[test]
    fn a_cut_splits_no_character_in_two() {
        // A pair before both places where it would be cut otherwise, so that one half would stay.
        let path = format!("{}\u{1f600}{}\u{1f600}{}", "h".repeat(HEAD - 1), "m".repeat(99), "t".repeat(TAIL - 1));
        let cut = format!("{}*{}", "h".repeat(HEAD - 1), "t".repeat(TAIL - 1));
        assert_eq!(captured(&blob(&path)), (cut.encode_utf16().collect(), Some(HEAD - 1)));
    }

    #[test]
    fn a_cut_keeps_the_characters_beside_it_whole() {
        let path = format!("{}\u{1f600}{}\u{1f600}{}", "h".repeat(HEAD - 2), "m".repeat(99), "t".repeat(TAIL - 2));
        let cut = format!("{}\u{1f600}*\u{1f600}{}", "h".repeat(HEAD - 2), "t".repeat(TAIL - 2));
        assert_eq!(captured(&blob(&path)), (cut.encode_utf16().collect(), Some(HEAD)));
    }

    #[test]
    fn a_nul_at_the_beginning_of_a_large_blob_ends_the_path() {
        for length in [0, 5, READ_FIRST - 1] {
            let path = "p".repeat(length);
            let mut bytes = blob(&format!("{path}\0"));
            bytes.resize(65_534, b'x');
            assert_eq!(captured(&bytes), (path.encode_utf16().collect(), None));
        }
    }

    #[test]
    fn the_middle_of_a_large_blob_is_not_read() {
        let middle = "\0".repeat(1_000);
        let path = format!("{}{middle}{}", "h".repeat(READ_FIRST), "t".repeat(READ_LAST));
        assert_eq!(kept(&blob(&path)), format!("{}*{}", "h".repeat(HEAD), "t".repeat(TAIL)));
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
            prop_assert!(Path::of(&bytes).units() * 2 <= LONGEST);
        }

        #[test]
        fn a_path_that_fits_is_kept_as_it_is(path in "[^\0]{0,160}") {
            prop_assert_eq!(kept(&blob(&format!("{path}\0"))), path);
        }

        #[test]
        fn what_is_kept_has_no_nul(bytes in prop::collection::vec(0..3_u8, 0..2_000)) {
            prop_assert!(!captured(&bytes).0.contains(&0));
        }

        #[test]
        fn the_file_name_is_never_lost(folders in 0..2_000_usize, name in "[a-z0-9.]{1,255}") {
            let path = format!("{}\\{name}\0", "f".repeat(folders));
            let ending = format!("\\{name}");
            prop_assert!(kept(&blob(&path)).ends_with(&ending));
        }
    }
}
