//! One row of an export table: how a function is called, how it fails, what it does, and what becomes of what it is given.

use super::{Call, Input, Irql};

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
    /// What becomes of what it is given: every argument, and every field of what one points at.
    pub inputs: &'static [Input],
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
        Self { module, name, max_irql: Irql::HIGH, fails: Fails::Never, run: stop, inputs: &[] }
    }

    /// It, with what becomes of what it is given.
    #[must_use]
    pub const fn with(self, inputs: &'static [Input]) -> Self {
        Self { inputs, ..self }
    }

    /// Whether it is known by name only.
    #[must_use]
    pub fn is_known_by_name_only(&self) -> bool {
        std::ptr::fn_addr_eq(self.run, stop as fn(&Call<'_>) -> u64)
    }
}

fn stop(call: &Call<'_>) -> u64 {
    call.not_modelled(call.name())
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
