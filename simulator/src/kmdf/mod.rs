//! The Kernel-Mode Driver Framework, as far as a non-PnP driver with a control device uses it: objects and their life,
//! the device, its files, and the requests that programs send.
//!
//! Handles are numbers that no memory lies behind, so that a driver that looks into them faults.

mod attributes;
#[cfg(test)]
mod attributes_tests;
pub mod bind;
pub(crate) mod completion;
pub mod control_device;
pub mod device;
pub mod device_init;
#[cfg(test)]
mod device_init_tests;
pub mod driver;
#[cfg(test)]
mod driver_tests;
#[cfg(test)]
mod facts;
pub(crate) mod file;
mod file_config;
mod handed;
#[cfg(test)]
mod input_tests;
mod inputs;
#[cfg(test)]
mod io_rig;
#[cfg(test)]
mod io_tests;
mod life;
#[cfg(test)]
mod life_tests;
pub(crate) mod names;
mod not_modelled;
pub mod object_context;
mod objects;
pub mod queue;
mod queue_config;
#[cfg(test)]
mod queue_tests;
pub mod registry;
#[cfg(test)]
mod registry_tests;
pub mod request;
pub mod request_memory;
#[cfg(test)]
mod rig;
mod string;
pub(crate) mod system_buffer;
pub mod table;
#[cfg(test)]
mod tests;
mod verifier;
#[cfg(test)]
mod verifier_tests;
pub mod work_item;

pub use objects::Kmdf;
pub use verifier::{Switches, Verified};

use crate::{
    computer::{Call, Export, Fails, Handed, Irql, Machine, Subsystem},
    interleave::{Part, Touches},
    referee::{Harm, Leaving},
};

/// What the exports of the function table are listed under: drivers are handed it, and import nothing.
pub const WDF: &str = "WDF";

const WDF_VIOLATION: u32 = 0x10D;
/// Parameter 1 of [`WDF_VIOLATION`]: a required parameter is NULL.
const REQUIRED_PARAMETER_IS_NULL: u64 = 4;
/// Parameter 1 of [`WDF_VIOLATION`]: a handle is not of the type that it should be.
const INVALID_HANDLE: u64 = 5;

/// Parameter 1 of [`WDF_VIOLATION`]: the object does not allow the operation.
const OBJECT_ERROR: u64 = 7;

const STATUS_SUCCESS: u64 = 0;
const STATUS_INFO_LENGTH_MISMATCH: u64 = 0xC000_0004;
const STATUS_INVALID_PARAMETER: u64 = 0xC000_000D;
const STATUS_INSUFFICIENT_RESOURCES: u32 = 0xC000_009A;

const fn row(name: &'static str, max_irql: Irql, fails: Fails, run: fn(&Call<'_>) -> u64) -> Export {
    Export { module: WDF, name, max_irql, fails, run, inputs: &[] }
}

/// A pointer argument that must not be NULL.
fn required(call: &Call<'_>, argument: usize) -> u64 {
    not_null(call, call.arg(argument), argument)
}

/// The same for what the driver's pointer leads to. KMDF's fxverifierbugcheck.cpp, `FxVerifierNullBugCheck`.
fn not_null(call: &Call<'_>, pointer: u64, argument: usize) -> u64 {
    if pointer == 0 {
        call.bug_check(
            WDF_VIOLATION,
            [REQUIRED_PARAMETER_IS_NULL, 0, call.caller(), 0],
            format!("{} was given NULL for parameter {argument}, which is required", call.name()),
        );
    }
    pointer
}

/// Reports a handle (or a `WDFDEVICE_INIT`) that is none.
fn invalid_handle(call: &Call<'_>, handle: u64, wanted: &str) -> ! {
    call.bug_check(
        WDF_VIOLATION,
        [INVALID_HANDLE, handle, 0, 0],
        format!("{} was given {handle:#x}, which is not a live {wanted}", call.name()),
    )
}

/// The framework's objects; the contexts of some lie in the driver's memory.
const FRAMEWORK: Touches = Touches::writing(Part::numbered(6)).and_driver_memory();

impl Subsystem for Kmdf {
    fn exports(&self) -> &'static [&'static [Export]] {
        &[
            bind::EXPORTS,
            control_device::EXPORTS,
            device::EXPORTS,
            device_init::EXPORTS,
            driver::EXPORTS,
            file_config::EXPORTS,
            not_modelled::EXPORTS,
            object_context::EXPORTS,
            queue::EXPORTS,
            queue_config::EXPORTS,
            registry::EXPORTS,
            request::EXPORTS,
            request_memory::EXPORTS,
            work_item::EXPORTS,
        ]
    }

    fn hands(&self) -> &'static [&'static [Handed]] {
        &[handed::HANDED]
    }

    fn function_table(&self) -> Option<(&'static str, &'static [&'static str])> {
        Some((WDF, table::functions()))
    }

    fn left(&self, _: &Machine) -> Vec<Leaving> {
        let text = "the driver left without unbinding from the framework (WdfVersionUnbind)";
        let objects = self.object_count() as u64;
        self.is_bound().then(|| Leaving::counted(Harm::Kept, objects, text)).into_iter().collect()
    }

    fn checks_irql_itself(&self, call: &Call<'_>) -> bool {
        call.name().starts_with("Wdf") && !self.with(|state| state.switches.irql_limits)
    }

    fn touches(&self, call: &Call<'_>) -> Option<Touches> {
        let of_framework = call.name().starts_with("Wdf") && !call.may_be_made_to_fail();
        Some(if of_framework { FRAMEWORK } else { Touches::EVERYTHING })
    }
}

impl Machine {
    /// The driver framework.
    #[must_use]
    pub fn kmdf(&self) -> &Kmdf {
        self.part()
    }
}
