//! One row of an export table: how a function is called, how it fails, and what it does.

use super::{Call, Irql};

const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;

/// One export.
#[derive(Debug)]
pub struct Export {
    /// The module it is imported from (`ntoskrnl.exe`), or the name of a table that a driver is handed instead.
    pub module: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The highest IRQL at which it may be called.
    pub max_irql: Irql,
    /// How it fails when a test wants it to.
    pub fails: Fails,
    /// What it does.
    pub run: fn(&Call<'_>) -> u64,
}

/// How an export reports failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fails {
    /// It cannot fail.
    Never,
    /// By returning NULL.
    Null,
    /// By returning FALSE.
    False,
    /// By an NTSTATUS; these are the documented ones, the likeliest first.
    Status(&'static [u32]),
}

impl Export {
    /// An export that drivers import for paths which nothing here takes: it binds, and stops the machine when it is called.
    #[must_use]
    pub const fn not_modelled(module: &'static str, name: &'static str) -> Self {
        Self { module, name, max_irql: Irql::HIGH, fails: Fails::Never, run: stop }
    }
}

fn stop(call: &Call<'_>) -> u64 {
    let text = format!("the driver called {}, which the simulator knows by name only", call.name());
    call.bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, [0, call.caller(), 0, 0], text)
}

impl Fails {
    /// What the driver sees when the call fails, with `status` where there is a choice.
    pub(super) fn value(self, status: Option<u32>) -> u64 {
        match self {
            Self::Status(documented) => {
                let status = status.or(documented.first().copied());
                u64::from(status.expect("an export that fails by status lists one"))
            }
            Self::Null | Self::False | Self::Never => 0,
        }
    }
}
