//! How far a command went.

/// It, of one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is done.
    Done,
    /// Something is missing, and has been told.
    Partly,
}

impl Outcome {
    /// Something is missing if it is in either.
    pub(super) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Done, Self::Done) => Self::Done,
            _ => Self::Partly,
        }
    }
}
