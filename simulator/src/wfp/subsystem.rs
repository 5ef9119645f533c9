//! The platform as a part of the computer: its exports, and what it says of a driver's faults and leavings.

use super::{Wfp, bfe_state, context, deletion, frame::Place, injection, management, not_modelled, runtime, touches};
use crate::{
    computer::{Call, Cpu, Export, Finding, Handed, Machine, Subsystem},
    interleave::Touches,
    referee::{Harm, Leaving},
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

    fn left(&self, _: &Machine) -> Vec<Leaving> {
        let (callouts, handles) = (self.callouts(), self.injection_handles());
        let subscriptions = self.state().subscriptions.len();
        let called = |count: usize, what: &str| {
            (count > 0).then(|| Leaving {
                harm: Harm::Crash,
                code: DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS,
                parameters: [0, 0, 0, count as u64],
                reason: format!("the driver left {what} would call unloaded code"),
            })
        };
        let registered = called(callouts, &format!("with {callouts} callouts registered: the next packet"));
        let subscribed = called(subscriptions, "subscribed to the filter engine's state: the next change");
        let text = format!("the driver left with {handles} injection handles");
        let injecting = (handles > 0).then(|| Leaving::counted(Harm::Held, handles as u64, text));
        registered.into_iter().chain(subscribed).chain(injecting).collect()
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
