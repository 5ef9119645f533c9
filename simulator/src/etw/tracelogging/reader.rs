//! Bytes, read from front to back.

use super::Malformed;

/// What is left to be read.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// What the bytes are, for messages.
    of: &'static str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], of: &'static str) -> Self {
        Self { bytes, of }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The next `count` bytes, which are `what`.
    pub(super) fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or_else(|| {
            Malformed(format!("{} ends within {what}: {} bytes of {count} are there", self.of, self.bytes.len()))
        })?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self, what: &str) -> Result<u8, Malformed> {
        self.array(what).map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self, what: &str) -> Result<u16, Malformed> {
        self.array(what).map(u16::from_le_bytes)
    }

    /// What comes before the next NUL, which is passed over.
    pub(super) fn until_nul(&mut self, what: &str) -> Result<&'a [u8], Malformed> {
        let end = self.bytes.iter().position(|&byte| byte == 0);
        let end = end.ok_or_else(|| Malformed(format!("{}: {what} has no NUL at its end", self.of)))?;
        let taken = self.take(end, what)?;
        self.u8(what)?;
        Ok(taken)
    }

    /// A name: UTF-8 that is not empty, and a NUL.
    pub(super) fn name(&mut self, what: &str) -> Result<String, Malformed> {
        let bytes = self.until_nul(what)?;
        let name = str::from_utf8(bytes).map_err(|_| Malformed(format!("{}: {what} is not UTF-8", self.of)))?;
        if name.is_empty() {
            return Err(Malformed(format!("{}: {what} is empty", self.of)));
        }
        Ok(name.to_owned())
    }

    /// Bytes up to the first without its highest bit; as much of them as is defined, the tag, is a number of 28 bits.
    pub(super) fn tag(&mut self, what: &str) -> Result<u32, Malformed> {
        let (mut tag, mut place) = (0, 21u32);
        let mut count = 0;
        loop {
            let byte = self.u8(what)?;
            if count < 4 {
                tag |= u32::from(byte & 0x7F) << place;
                place = place.saturating_sub(7);
            }
            count += 1;
            if byte & 0x80 == 0 {
                return Ok(tag);
            }
        }
    }
}

/// The contents of a piece of metadata behind its size, which must be what it has.
pub(super) fn sized<'a>(bytes: &'a [u8], of: &'static str) -> Result<Reader<'a>, Malformed> {
    let mut reader = Reader::new(bytes, of);
    let size = reader.u16("its size")?;
    if usize::from(size) != bytes.len() {
        return Err(Malformed(format!("{of} says that it has {size} bytes, and has {}", bytes.len())));
    }
    Ok(reader)
}
