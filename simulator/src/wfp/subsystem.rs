//! The platform as a part of the computer: its exports, and what it says of a driver's faults and leavings.

use super::{Wfp, bfe_state, context, deletion, frame::Place, injection, management, not_modelled, runtime, touches};
use crate::{
    computer::{Call, Cpu, Export, Finding, Handed, Machine, Subsystem},
    interleave::Touches,
};

const DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS: u32 = 0xCE;

impl Subsystem for Wfp {
    fn exports(&self) -> &'static [&'static [Export]] {
        &[
            bfe_state::EXPORTS,
            context::EXPORTS,
            deletion::EXPORTS,
            injection::EXPORTS,
            management::EXPORTS,
            not_modelled::EXPORTS,
            runtime::EXPORTS,
        ]
    }

    fn time_passes(&self, cpu: &Cpu) {
        context::deliver_deferred_in_time(cpu);
    }

    /// Why an access to `address` faults, when that is memory that a classify handed out.
    fn hands(&self) -> &'static [&'static [Handed]] {
        &[super::handed::HANDED]
    }

    fn explain(&self, _: &Machine, address: u64) -> Option<Finding> {
        /// Bug check: a driver touched pageable memory at raised IRQL.
        const IRQL_NOT_LESS_OR_EQUAL: u32 = 0xD1;
        /// Bug check: a driver touched memory that it had given back.
        const FREED_MEMORY: u32 = 0xD5;
        /// Bug check: a driver read beyond a block.
        const BEYOND_END: u32 = 0xD6;
        let (code, text) = match self.frames.find(address)? {
            Place::Closed => (FREED_MEMORY, "what a classify is told is valid only until its classifyFn returns"),
            Place::Guard => (BEYOND_END, "that is behind the end of the process path"),
            Place::Open => (IRQL_NOT_LESS_OR_EQUAL, "the process path is in pageable memory"),
        };
        Some(Finding { code, text: text.into() })
    }

    fn check_unload(&self, cpu: &Cpu) {
        let callouts = self.callouts();
        if callouts > 0 {
            cpu.bug_check(
                DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS,
                [0, 0, 0, callouts as u64],
                format!(
                    "the driver left with {callouts} callouts registered: the next packet would call unloaded code"
                ),
            );
        }
        let subscriptions = self.state().subscriptions.len();
        if subscriptions > 0 {
            cpu.bug_check(
                DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS,
                [0, 0, 0, subscriptions as u64],
                "the driver left subscribed to the filter engine's state: the next change would call unloaded code",
            );
        }
        let handles = self.injection_handles();
        if handles > 0 {
            cpu.left_behind(handles as u64, format!("the driver left with {handles} injection handles"));
        }
    }

    fn touches(&self, call: &Call<'_>) -> Option<Touches> {
        Some(touches::of(call))
    }
}

impl Machine {
    /// The filtering platform.
    #[must_use]
    pub fn wfp(&self) -> &Wfp {
        self.part()
    }
}
