//! Which process a flow belongs to, where that is beyond doubt.
use core::num::NonZeroU64;

/// Which process it is, without doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its start key.
    pub key: NonZeroU64,
    /// When it was created, in units of 100 ns since 1601, UTC.
    pub created: i64,
    /// The id that its parent had.
    pub parent: Option<NonZeroU64>,
    /// The start key of its parent, if that is known.
    pub parent_key: Option<NonZeroU64>,
}
