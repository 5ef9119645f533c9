//! The text of one trace line, written without allocation and without `core::fmt`, which costs three times as much.
//!
//! IRQL: any: nothing here calls the kernel

#[cfg(not(windows))]
use core::ffi::CStr;
use core::ffi::c_char;

/// Bytes that `DbgPrintEx` passes on in one call.
const CAPACITY: usize = 512;

/// A line under construction. What does not fit is left out.
pub struct Line {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Line {
    /// Longest line, its end of line included and the NUL not.
    pub const LONGEST: usize = CAPACITY - 1;

    /// A line with nothing in it yet.
    #[must_use]
    pub const fn empty() -> Self {
        Self { bytes: [0; CAPACITY], len: 0 }
    }

    /// The beginning of what is written so far. The last byte of the buffer never is, so there is always a NUL.
    #[must_use]
    pub const fn as_ptr(&self) -> *const c_char {
        self.bytes.as_ptr().cast()
    }

    /// The same, as tests read it.
    #[cfg(not(windows))]
    #[must_use]
    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }

    /// Appends one byte.
    pub fn byte(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }

    /// Appends bytes. One copy of this loop: inlined wherever a line is written, it would be half of the image.
    #[inline(never)]
    pub fn bytes(&mut self, bytes: &[u8]) {
        let room = self.bytes.get_mut(self.len..Self::LONGEST).unwrap_or_default();
        self.len = self.len.wrapping_add(room.len().min(bytes.len()));
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = *byte;
        }
    }

    /// How many bytes still fit.
    #[must_use]
    pub const fn room(&self) -> usize {
        Self::LONGEST.saturating_sub(self.len)
    }

    /// Appends the low byte of each UTF-16LE code unit.
    pub fn low_bytes(&mut self, units: &[[u8; 2]]) {
        let room = self.bytes.get_mut(self.len..Self::LONGEST).unwrap_or_default();
        self.len = self.len.wrapping_add(room.len().min(units.len()));
        for (place, unit) in room.iter_mut().zip(units) {
            // Taken from the whole unit: so the compiler makes eight at a time of it.
            #[expect(clippy::cast_possible_truncation, reason = "the low byte is what is asked for")]
            let low = u16::from_le_bytes(*unit) as u8;
            *place = low;
        }
    }

    /// Appends text, which is ASCII.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Appends a decimal number.
    pub fn decimal(&mut self, number: impl Into<u64>) {
        self.digits::<10>(number.into());
    }

    /// Appends a number in lower-case hexadecimal digits.
    pub fn hexadecimal(&mut self, number: impl Into<u64>) {
        self.digits::<16>(number.into());
    }

    #[inline(never)]
    fn digits<const BASE: u64>(&mut self, mut number: u64) {
        let mut digits = [0; 20]; // of u64::MAX in decimal
        let mut first = digits.len();
        for digit in digits.iter_mut().rev() {
            *digit = digit_of(number % BASE);
            number /= BASE;
            first = first.wrapping_sub(1);
            if number == 0 {
                break;
            }
        }
        self.bytes(digits.get(first..).unwrap_or_default());
    }
}

/// The lower-case digit of a value below 16.
#[must_use]
pub const fn digit_of(value: u64) -> u8 {
    let value = (value & 0xf) as u8;
    if value < 10 { b'0' + value } else { b'a' - 10 + value }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Line)) -> String {
        let mut line = Line::empty();
        write(&mut line);
        line.as_c_str().to_str().unwrap().to_owned()
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let line = written(|line| line.text(&"x".repeat(600)));
        assert_eq!(line.len(), Line::LONGEST);
    }

    #[test]
    fn a_full_line_still_ends_with_nul() {
        let mut line = Line::empty();
        line.text(&"x".repeat(600));
        assert_eq!(line.bytes.last(), Some(&0));
    }

    #[test]
    fn what_still_fits_is_what_is_not_written() {
        let mut line = Line::empty();
        line.text("abc");
        assert_eq!(line.room(), Line::LONGEST - 3);
        line.text(&"x".repeat(600));
        assert_eq!(line.room(), 0);
    }

    #[test]
    fn low_bytes_go_behind_what_is_written_as_far_as_they_fit() {
        assert_eq!(written(|line| (line.text("a"), line.low_bytes(&[[b'b', 0], [b'c', 0]])).1), "abc");
        let line = written(|line| line.low_bytes(&[[b'x', 0]; 600]));
        assert_eq!(line, "x".repeat(Line::LONGEST));
    }

    proptest! {
        #[test]
        fn decimal_numbers_are_written_as_rust_writes_them(number: u64) {
            prop_assert_eq!(written(|line| line.decimal(number)), number.to_string());
        }

        #[test]
        fn hexadecimal_numbers_are_written_as_rust_writes_them(number: u64) {
            prop_assert_eq!(written(|line| line.hexadecimal(number)), format!("{number:x}"));
        }
    }
}
