//! The kernel's own services: pool, time, processes, the registry, debug output, and what else `ntoskrnl.exe` and the HAL
//! export.
//!
//! Each family of exports is a file with a table `EXPORTS`; [`Kernel`] puts them together.

pub mod debug_print;
pub mod device_object;
pub mod driver_object;
pub mod error_log;
mod not_modelled;
pub mod pool;
pub mod processes;
mod queued_spin_lock;
pub mod raise_lower;
pub mod registry;
pub mod rundown;
mod system;
#[cfg(test)]
mod tests;
pub mod time;
mod touches;
pub(crate) mod unicode_string;

pub use touches::{DEVICES, RUNDOWN};

use self::{
    debug_print::DebugPrint,
    device_object::DeviceObjects,
    error_log::ErrorLog,
    pool::{Pool, PoolKind},
    processes::{Processes, Requestor},
    queued_spin_lock::SpinLocks,
    raise_lower::IrqlChanges,
    registry::Registry,
    time::{Clock, ClockKind},
};
use crate::{
    computer::{Call, Export, Finding, Handed, Machine, Subsystem},
    interleave::Touches,
    referee::Leaving,
};

/// The kernel of one machine.
pub struct Kernel {
    pool: Pool,
    clock: Clock,
    registry: Registry,
    debug_print: DebugPrint,
    device_objects: DeviceObjects,
    error_log: ErrorLog,
    processes: Processes,
    spin_locks: SpinLocks,
    irql_changes: IrqlChanges,
    version: Version,
}

/// What tells one machine's kernel from another's.
#[derive(Debug)]
pub struct Configuration {
    /// Where pool blocks live.
    pub pool: PoolKind,
    /// Which time it lives in.
    pub clock: ClockKind,
    /// What was written to it before.
    pub registry: Registry,
    /// Which version it says it is.
    pub version: Version,
    /// Who knows which process sent an IRP.
    pub requestor: Requestor,
    /// How often the computer was booted before.
    pub boots: u64,
}

/// The version of a system: major, minor and build number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub [u32; 3]);

impl Kernel {
    /// The kernel of a machine that starts.
    #[must_use]
    pub fn new(configuration: Configuration) -> Self {
        let Configuration { pool, clock, registry, version, requestor, boots } = configuration;
        let clock = Clock::new(clock);
        Self {
            pool: Pool::new(pool),
            debug_print: DebugPrint::with_filter(&registry),
            device_objects: DeviceObjects::default(),
            registry,
            error_log: ErrorLog::default(),
            processes: Processes::new(requestor, boots + 1, clock.system_time()),
            clock,
            spin_locks: SpinLocks::default(),
            irql_changes: IrqlChanges::default(),
            version,
        }
    }
}

impl Subsystem for Kernel {
    fn exports(&self) -> &'static [&'static [Export]] {
        &[
            debug_print::EXPORTS,
            error_log::EXPORTS,
            not_modelled::EXPORTS,
            pool::calls::EXPORTS,
            pool::with_tag::EXPORTS,
            processes::TABLES[0],
            processes::TABLES[1],
            processes::TABLES[2],
            processes::TABLES[3],
            processes::TABLES[4],
            queued_spin_lock::EXPORTS,
            raise_lower::EXPORTS,
            rundown::EXPORTS,
            system::EXPORTS,
            time::EXPORTS,
            unicode_string::EXPORTS,
        ]
    }

    fn hands(&self) -> &'static [&'static [Handed]] {
        &[driver_object::HANDED, processes::HANDED[0], processes::HANDED[1]]
    }

    fn explain(&self, machine: &Machine, address: u64) -> Option<Finding> {
        self.pool.explain(address, &|address| machine.place(address))
    }

    fn left(&self, machine: &Machine) -> Vec<Leaving> {
        processes::left(machine).into_iter().chain(pool::calls::left(machine)).collect()
    }

    fn touches(&self, call: &Call<'_>) -> Option<Touches> {
        touches::of(call)
    }

    fn driver_memory(&self) -> u64 {
        self.pool.contents()
    }
}

impl Machine {
    fn kernel(&self) -> &Kernel {
        self.part()
    }

    /// The pool.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.kernel().pool
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.kernel().clock
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.kernel().registry
    }

    /// What the driver prints.
    #[must_use]
    pub fn debug_print(&self) -> &DebugPrint {
        &self.kernel().debug_print
    }

    /// What the driver writes to the event log.
    #[must_use]
    pub fn error_log(&self) -> &ErrorLog {
        &self.kernel().error_log
    }

    /// Processes, as drivers count them.
    #[must_use]
    pub fn processes(&self) -> &Processes {
        &self.kernel().processes
    }

    /// How often the driver changed the IRQL.
    #[must_use]
    pub fn irql_changes(&self) -> &IrqlChanges {
        &self.kernel().irql_changes
    }
}
