//! Interrupt request levels.

use std::fmt;

/// An interrupt request level, as the x64 kernel numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Irql(pub u8);

impl Irql {
    /// Ordinary thread code: may wait and touch paged memory.
    pub const PASSIVE: Self = Self(0);
    /// Asynchronous procedure calls are held off; paging still works.
    pub const APC: Self = Self(1);
    /// The scheduler is held off: no waits, no paged memory.
    pub const DISPATCH: Self = Self(2);
    /// Everything is held off.
    pub const HIGH: Self = Self(15);
}

impl fmt::Display for Irql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::PASSIVE => f.write_str("PASSIVE_LEVEL"),
            Self::APC => f.write_str("APC_LEVEL"),
            Self::DISPATCH => f.write_str("DISPATCH_LEVEL"),
            Self::HIGH => f.write_str("HIGH_LEVEL"),
            Self(level) => write!(f, "IRQL {level}"),
        }
    }
}
