//! The path at the end of a line: where the line has no room for all of what was captured, it loses its middle, as it would have
//! when it was captured.
//!
//! IRQL: any: nothing here calls the kernel
use crate::line::Line;

/// Most bytes that are kept of the beginning, as of a path that is cut when it is captured.
const HEAD: usize = 44;

/// Appends a path, or `-` for none, and leaves room for the end of the line.
pub fn path(line: &mut Line, path: &[u8]) {
    let room = line.room().saturating_sub(1);
    if path.len() <= room {
        line.bytes(if path.is_empty() { b"-" } else { path });
        return;
    }
    // A path that has lost its middle already loses more of it there.
    let cut = path.iter().position(|byte| *byte == b'*');
    let head = cut.unwrap_or_else(|| last_end(path, HEAD));
    let tail = room.saturating_sub(head).saturating_sub(1);
    line.bytes(path.get(..head).unwrap_or_default());
    line.byte(b'*');
    line.bytes(path.get(first_end(path, path.len().wrapping_sub(tail))..).unwrap_or_default());
}

/// The first end of a code unit that is not before `at`.
fn first_end(path: &[u8], at: usize) -> usize {
    ends(path).find(|end| *end >= at).unwrap_or(path.len())
}

/// The last end of a code unit that is not behind `at`.
fn last_end(path: &[u8], at: usize) -> usize {
    ends(path).take_while(|end| *end <= at).last().unwrap_or_default()
}

/// Where the code units of a stored path end: those that are escaped take three bytes or six.
fn ends(path: &[u8]) -> impl Iterator<Item = usize> {
    let mut at: usize = 0;
    core::iter::from_fn(move || {
        let taken = match path.get(at..)? {
            [] => return None,
            [b'%', b'u', ..] => 6,
            [b'%', ..] => 3,
            _ => 1,
        };
        at = at.wrapping_add(taken);
        Some(at)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What becomes of a path where a line has so much room left, its end included.
    fn shortened(text: &str, room: usize) -> String {
        let mut line = Line::empty();
        line.text(&"x".repeat(Line::LONGEST - room));
        path(&mut line, text.as_bytes());
        line.byte(b'\n');
        let line = line.as_c_str().to_str().unwrap();
        line[Line::LONGEST - room..].strip_suffix('\n').expect("the end of the line").to_owned()
    }

    #[test]
    fn a_path_that_fits_stays_as_it_is() {
        assert_eq!(shortened(r"\device\curl.exe", 17), r"\device\curl.exe");
    }

    #[test]
    fn no_path_is_a_dash() {
        assert_eq!(shortened("", 17), "-");
    }

    #[test]
    fn a_path_that_does_not_fit_loses_its_middle() {
        let path = format!("{}{}{}", "h".repeat(HEAD), "m".repeat(50), "t".repeat(100));
        assert_eq!(shortened(&path, HEAD + 1 + 100 + 1), format!("{}*{}", "h".repeat(HEAD), "t".repeat(100)));
    }

    #[test]
    fn a_path_that_has_lost_its_middle_loses_more_of_it() {
        let path = format!("{}*{}{}", "h".repeat(40), "m".repeat(50), "t".repeat(100));
        assert_eq!(shortened(&path, 40 + 1 + 100 + 1), format!("{}*{}", "h".repeat(40), "t".repeat(100)));
    }

    #[test]
    fn escapes_are_not_cut_in_two() {
        // Of the beginning 44 bytes may stay, and then 55 of the end.
        assert_eq!(shortened(&"%u4f60".repeat(40), 101), format!("{}*{}", "%u4f60".repeat(7), "%u4f60".repeat(9)));
        assert_eq!(shortened(&"%e9".repeat(80), 101), format!("{}*{}", "%e9".repeat(14), "%e9".repeat(19)));
    }

    proptest! {
        #[test]
        fn the_line_ends_whatever_the_path_and_the_room(path in "([a-z]|%[0-9]{2}|%u[0-9]{4}){0,300}", room in 100..400_usize) {
            prop_assert!(shortened(&path, room).len() < room);
        }
    }
}
