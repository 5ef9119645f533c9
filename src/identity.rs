//! Which process a flow belongs to, where that is beyond doubt.
//!
//! IRQL: any: nothing here calls the kernel

/// What tells a process from every other, also from one that had its id before. Zero is what is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its start key.
    pub start_key: u64,
    /// When it was created, in units of 100 ns since 1601, UTC.
    pub created: u64,
    /// The id that its parent had.
    pub parent: u64,
}

impl Identity {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self { start_key: 0, created: 0, parent: 0 };
}
