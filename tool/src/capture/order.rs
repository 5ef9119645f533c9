//! The order of the bytes of numbers: that of the machine that has captured.

/// Which byte of a number is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The lowest.
    Little,
    /// The highest.
    Big,
}

impl Order {
    /// The number of two bytes.
    #[must_use]
    pub const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    /// The number of four bytes.
    #[must_use]
    pub const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// The number of eight bytes.
    #[must_use]
    pub const fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }

    /// The number of two bytes at this place, if they are there.
    #[must_use]
    pub fn u16_at(self, bytes: &[u8], place: usize) -> Option<u16> {
        bytes.get(place..)?.first_chunk().map(|&two| self.u16(two))
    }

    /// The number of four bytes at this place, if they are there.
    #[must_use]
    pub fn u32_at(self, bytes: &[u8], place: usize) -> Option<u32> {
        bytes.get(place..)?.first_chunk().map(|&four| self.u32(four))
    }

    /// The bytes of a number of two.
    #[must_use]
    pub const fn bytes16(self, number: u16) -> [u8; 2] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }

    /// The bytes of a number of four.
    #[must_use]
    pub const fn bytes32(self, number: u32) -> [u8; 4] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }
}
