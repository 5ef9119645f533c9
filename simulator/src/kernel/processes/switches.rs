//! What Windows may do with processes, where nobody says which.

/// Switches of the processes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessSwitches {
    /// What becomes of a process that has exited and is kept.
    pub exited: Exited,
    /// What a process without an image is called.
    pub no_image: NoImage,
    /// How many process notify routines other drivers have registered.
    pub routines_of_others: usize,
}

/// What becomes of a process that has exited, and that a handle or a reference keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exited {
    /// It is found by its id and listed. (Guess: System Informer finds such ones by trying ids.)
    #[default]
    Found,
    /// `STATUS_INVALID_CID`, and it is not listed. (Guess.)
    Refused,
}

/// What a process without an image is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoImage {
    /// `STATUS_NOT_FOUND` (DDI `SeLocateProcessImageName`).
    #[default]
    NotFound,
    /// A name of no characters, without a buffer. (Guess.)
    Empty,
    /// A name that is no path. (Guess: no page says what it is.)
    Bare,
}
