//! What a driver has left behind, and which of it is the worst.

use super::report::Stop;

/// What comes of it, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// Windows calls code that is no longer there.
    Crash,
    /// The driver's image stays, or something of Windows knows the driver still.
    Kept,
    /// Something that is counted never goes: a reference, a handle.
    Held,
    /// Memory is lost.
    Memory,
}

/// Something that a driver has left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// What comes of it.
    pub harm: Harm,
    /// The bug check, if nothing worse is left.
    pub code: u32,
    /// Its parameters.
    pub parameters: [u64; 4],
    /// In words.
    pub reason: String,
}

impl Leaving {
    /// `count` things, which Driver Verifier says as it does of pool: bug check 0xC4 with parameter 0x62 (its page).
    #[must_use]
    pub fn counted(harm: Harm, count: u64, reason: impl Into<String>) -> Self {
        const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;
        const NOT_FREED_AT_UNLOAD: u64 = 0x62;
        let parameters = [NOT_FREED_AT_UNLOAD, 0, 0, count];
        Self { harm, code: DRIVER_VERIFIER_DETECTED_VIOLATION, parameters, reason: reason.into() }
    }

    pub(crate) fn stop(&self) -> Stop {
        Stop::BugCheck { code: self.code, parameters: self.parameters }
    }
}
