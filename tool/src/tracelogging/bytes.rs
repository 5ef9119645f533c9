//! Bytes, read from front to back. Numbers are little-endian.

use super::Malformed;

/// What is left to be read.
pub(super) struct Bytes<'a> {
    left: &'a [u8],
    /// What they are, for messages.
    of: &'static str,
}

impl<'a> Bytes<'a> {
    pub(super) const fn new(bytes: &'a [u8], of: &'static str) -> Self {
        Self { left: bytes, of }
    }

    pub(super) const fn left(&self) -> usize {
        self.left.len()
    }

    /// The next bytes, which are `what`.
    pub(super) fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8], Malformed> {
        let taken = self.left.split_at_checked(count);
        let (taken, left) = taken.ok_or_else(|| Malformed::Cut { of: self.of, what: what.to_owned() })?;
        self.left = left;
        Ok(taken)
    }

    /// The next number, which has at most eight bytes.
    pub(super) fn number(&mut self, bytes: usize, what: &str) -> Result<u64, Malformed> {
        let taken = self.take(bytes, what)?;
        Ok(taken.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    pub(super) fn byte(&mut self, what: &str) -> Result<u8, Malformed> {
        Ok(self.take(1, what)?[0])
    }

    /// Bytes behind a count of them.
    pub(super) fn counted(&mut self, what: &str) -> Result<&'a [u8], Malformed> {
        let count = self.number(2, what)?;
        self.take(usize::try_from(count).unwrap_or(usize::MAX), what)
    }

    /// What comes before the next unit of zeros, each unit of so many bytes. The zeros are passed over.
    pub(super) fn until_zero(&mut self, unit: usize, what: &str) -> Result<&'a [u8], Malformed> {
        let units = self.left.chunks_exact(unit).position(|unit| unit.iter().all(|&byte| byte == 0));
        // Nothing is longer than what is left: without zeros it is cut.
        let taken = self.take(units.map_or(usize::MAX, |units| units * unit), what)?;
        self.take(unit, what)?;
        Ok(taken)
    }

    /// A name: UTF-8 and a NUL.
    pub(super) fn name(&mut self, what: &str) -> Result<String, Malformed> {
        let bytes = self.until_zero(1, what)?;
        let name = str::from_utf8(bytes).map_err(|_| Malformed::NotText(what.to_owned()))?;
        Ok(name.to_owned())
    }

    /// Passes over an extension: all bytes up to the first whose highest bit is not set.
    pub(super) fn extension(&mut self, what: &str) -> Result<(), Malformed> {
        while self.byte(what)? & 0x80 != 0 {}
        Ok(())
    }
}
