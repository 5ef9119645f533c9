//! What a part of Windows says of itself to be plugged into the computer.

use std::any::Any;

use super::{Call, Cpu, Export, Finding, Handed, Machine};
use crate::{interleave::Touches, referee::Leaving};

/// A part of Windows: the kernel's own services, the driver framework, the filtering platform, or one that a test makes up.
///
/// The type that implements it is the part's state on one machine. [`Machine::part`] gives it to whoever asks for that type;
/// a part that is asked for by many adds a method of its own to [`Machine`].
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use flowtag_simulator::{
///     Machine, Options,
///     computer::{Call, Export, Fails, Irql, Subsystem, argument},
/// };
///
/// /// A beeper, with one import.
/// #[derive(Default)]
/// struct Beeper {
///     beeps: AtomicU32,
/// }
///
/// const EXPORTS: &[Export] =
///     &[Export { module: "HAL.dll", name: "HalMakeBeep", max_irql: Irql::HIGH, fails: Fails::False, run: beep, inputs: &[] }
///         .with(&[argument(0, "Frequency").ignored("nobody hears it")])];
///
/// fn beep(call: &Call<'_>) -> u64 {
///     call.machine.part::<Beeper>().beeps.fetch_add(1, Ordering::Relaxed);
///     1
/// }
///
/// impl Subsystem for Beeper {
///     fn exports(&self) -> &'static [&'static [Export]] {
///         &[EXPORTS]
///     }
/// }
///
/// let machine = Machine::new(Options { also: vec![|| Box::new(Beeper::default())], ..Options::default() });
/// let import = machine.imports().address("HAL.dll", "HalMakeBeep").unwrap();
/// assert_eq!(machine.run(|cpu| cpu.call(import, "HalMakeBeep", &[440])).unwrap(), 1);
/// assert_eq!(machine.part::<Beeper>().beeps.load(Ordering::Relaxed), 1);
/// ```
pub trait Subsystem: Any + Send + Sync {
    /// The tables of its exports, one for each family.
    fn exports(&self) -> &'static [&'static [Export]] {
        &[]
    }

    /// A table of functions that drivers are handed instead of importing them: the module that its exports are listed under,
    /// and the functions in their order. One that is not exported stops the machine by its name when it is called.
    fn function_table(&self) -> Option<(&'static str, &'static [&'static str])> {
        None
    }

    /// Where what it hands to drivers comes from, one row for each value.
    fn hands(&self) -> &'static [&'static [Handed]] {
        &[]
    }

    /// Driver code waits, and meanwhile other threads of Windows get on: what is due.
    fn time_passes(&self, cpu: &Cpu) {
        let _ = cpu;
    }

    /// What it knows about an address at which the driver faulted.
    fn explain(&self, machine: &Machine, address: u64) -> Option<Finding> {
        let _ = (machine, address);
        None
    }

    /// The driver has left, or its entry point has failed: what is still there of it. The worst is a bug check.
    fn left(&self, machine: &Machine) -> Vec<Leaving> {
        let _ = machine;
        Vec::new()
    }

    /// What a call of one of its exports touches of the state that threads share; `None` for nothing: then the driver code
    /// behind the call belongs to the same step. It may say too much, never too little.
    fn touches(&self, call: &Call<'_>) -> Option<Touches> {
        let _ = call;
        Some(Touches::EVERYTHING)
    }

    /// A call of one of its exports fails, since a test wants it to: what it does to the driver's memory all the same.
    fn refuses(&self, call: &Call<'_>) {
        let _ = call;
    }

    /// Whether a call above its export's limit is left to the export, which knows what Windows makes of it.
    fn checks_irql_itself(&self, call: &Call<'_>) -> bool {
        let _ = call;
        false
    }

    /// A number that says what the memory holds that the part has given to the driver.
    fn driver_memory(&self) -> u64 {
        0
    }
}
