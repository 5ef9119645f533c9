//! What Driver Verifier would catch, and how it is reported.

pub(crate) mod crash;
pub(crate) mod guard;
mod names;
mod report;
pub(crate) mod signals;
pub(crate) mod watchdog;

use std::{
    panic,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

pub use report::{BugCheck, Frame};

use crate::kernel::Cpu;

/// How closely a machine watches its driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watch {
    /// As Driver Verifier does, and more closely.
    #[default]
    Closely,
    /// What a classify hands out is not taken away afterwards, and the driver's pointers are taken as they are: to do
    /// otherwise costs more than the driver itself. A bad pointer crashes the process. For measurements.
    Loosely,
}

/// The payload that unwinds a CPU of a machine that has bug checked.
pub(crate) struct MachineDied;

/// The judge of one machine: the first bug check stands.
#[derive(Debug, Default)]
pub struct Referee {
    verdict: OnceLock<BugCheck>,
    dead: Arc<AtomicBool>,
}

impl Referee {
    /// The bug check that stopped the machine, if one has.
    #[must_use]
    pub fn verdict(&self) -> Option<BugCheck> {
        self.verdict.get().cloned()
    }

    pub(crate) fn dead_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.dead)
    }

    fn record(&self, verdict: BugCheck) {
        if self.verdict.set(verdict).is_ok() {
            self.dead.store(true, Ordering::Release);
        }
    }
}

/// Stops the machine: records why, with the driver's stack, and unwinds this CPU. The others follow at their next import.
pub fn bug_check(cpu: &Cpu, code: u32, parameters: [u64; 4], reason: impl Into<String>) -> ! {
    let frames = report::frames_of_imports(cpu);
    stop(cpu, code, parameters, reason.into(), frames)
}

fn stop(cpu: &Cpu, code: u32, parameters: [u64; 4], reason: String, frames: Vec<Frame>) -> ! {
    let machine = cpu.machine();
    machine.referee().record(BugCheck::new(code, parameters, reason, frames, machine.options()));
    panic::resume_unwind(Box::new(MachineDied))
}
