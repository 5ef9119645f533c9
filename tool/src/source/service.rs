//! A service of Windows: the program of most of them is svchost.exe, of whichever process.

/// A service that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The id of its process.
    pub process: u32,
    /// Its short name, as `sc query` has it.
    pub name: String,
}
