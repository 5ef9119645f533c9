//! The framework's own verifier: what it complains of, and how that shows.
//!
//! KMDF's fxverifier.h, `FxVerifierDbgBreakPoint`: a breakpoint. Without a debugger that is an exception that nobody handles,
//! bug check 0x1E with `STATUS_BREAKPOINT`. Which driver is verified: globals.cpp, `FxRegistrySettingsInitialize`.

use super::{Kmdf, objects::State};
use crate::{
    computer::{Call, Cpu},
    kernel::registry::{Registry, Value},
};

/// An exception of driver code that nobody handles.
const KMODE_EXCEPTION_NOT_HANDLED: u32 = 0x1E;
const STATUS_BREAKPOINT: u64 = 0x8000_0003;
const STATUS_INVALID_DEVICE_REQUEST: u64 = 0xC000_0010;

/// The first framework that looks for its settings by opening `Parameters`, which the first start makes only afterwards.
const LOOKS_IN_PARAMETERS: u32 = 33;
/// The first version of a driver that Driver Verifier turns the framework's verifier on for.
const FOLLOWS_DRIVER_VERIFIER: u32 = 9;

/// When the framework verifies a driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verified {
    /// Always, as soon as it has been created.
    #[default]
    Always,
    /// As under `verifier /standard`: the registry may forbid it, a driver of KMDF 1.7 or older is not verified, and KMDF 1.33
    /// forgets it at a start that finds no `Parameters` key.
    Standard,
    /// Only if the registry wants it: no Driver Verifier.
    Registry,
}

/// The framework's behaviour where it has a choice, and where the simulator is stricter than it is.
#[derive(Clone, Copy, Debug)]
pub struct Switches {
    /// When the framework verifies a driver.
    pub verified: Verified,
    /// Whether a call above the IRQL that its page allows stops the machine. The framework itself looks only at functions for
    /// `PASSIVE_LEVEL`, and only when it verifies the driver.
    pub irql_limits: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self { verified: Verified::default(), irql_limits: true }
    }
}

/// How one driver is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verifier {
    /// Its calls are checked.
    pub(super) on: bool,
    /// Complaints are breakpoints; otherwise they are only printed.
    breaks: bool,
}

impl Verifier {
    /// That of a driver of KMDF 1.`minor` with the service key `service`, on a framework 1.`framework`.
    pub(super) fn of(switches: Switches, registry: &Registry, service: &str, [framework, minor]: [u32; 2]) -> Self {
        let found = framework < LOOKS_IN_PARAMETERS || registry.has_key(&format!(r"{service}\Parameters"));
        let setting = |name| match registry.get(&format!(r"{service}\Parameters\Wdf"), name) {
            Some(Value::Dword(value)) => Some(value != 0),
            _ => None,
        };
        let on = match switches.verified {
            Verified::Always => true,
            Verified::Standard => found && setting("VerifierOn").unwrap_or(minor >= FOLLOWS_DRIVER_VERIFIER),
            Verified::Registry => setting("VerifierOn").unwrap_or(false),
        };
        Self { on, breaks: setting("DbgBreakOnError").unwrap_or(on) }
    }
}

impl Kmdf {
    /// Changes switches; a driver that has been created goes on as it was.
    pub fn set(&self, change: impl FnOnce(&mut Switches)) {
        self.with(|state| change(&mut state.switches));
    }

    pub(super) fn verifier(&self) -> Verifier {
        let of_client = |state: &mut State| state.client.as_ref().map(|client| client.verifier);
        self.with(of_client).unwrap_or_default()
    }
}

/// Says what the driver does wrong; stops the machine unless the driver is not verified. Then the framework goes on.
pub(super) fn complain(cpu: &Cpu, text: impl Into<String>) {
    if cpu.machine().kmdf().verifier().breaks {
        let text = format!("KMDF's verifier: {}", text.into());
        cpu.bug_check(KMODE_EXCEPTION_NOT_HANDLED, [STATUS_BREAKPOINT, 0, 0, 0], text);
    }
}

/// Whether the driver that calls is verified.
pub(super) fn is_on(call: &Call<'_>) -> bool {
    call.machine.kmdf().verifier().on
}

/// The framework's own look at the IRQL of a function for `PASSIVE_LEVEL`: KMDF's fxverifier.h, `FxVerifierCheckIrqlLevel`. It
/// is reached only without [`Switches::irql_limits`].
pub(super) fn check_passive(call: &Call<'_>) -> Result<(), u64> {
    let irql = call.cpu.irql();
    if irql == crate::computer::Irql::PASSIVE || !is_on(call) {
        return Ok(());
    }
    complain(call.cpu, format!("{} was called at {irql}; it is allowed at PASSIVE_LEVEL", call.name()));
    Err(STATUS_INVALID_DEVICE_REQUEST)
}
