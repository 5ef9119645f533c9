//! The service of the base filtering engine stops and starts: what vanishes, and in which order.
//!
//! Win32 "Object Management": objects go with the service. Guesses: what else goes ([`BfeStop`]), and the order. `STOP_PENDING` is
//! told while everything is there still; then sessions die and filters vanish, of which notifyFn hears while its callout is
//! registered; then contexts go, when no filter leads a new classify to them; then callouts. `STOPPED` is reached and told last,
//! so that who hears of it finds it so. All of it runs on the thread that stops the service, which begins at `PASSIVE_LEVEL`;
//! flowDeleteFn is called at the IRQL of the switch `irql`, as at the end of a flow.
//!
//! A service stops only while it runs, and starts only when it has stopped: the service control manager refuses all else (Win32,
//! "System Error Codes": `ERROR_SERVICE_CANNOT_ACCEPT_CTRL`, `ERROR_SERVICE_NOT_ACTIVE`, `ERROR_SERVICE_ALREADY_RUNNING`).

use super::{
    BfeStop,
    bfe_state::{self, ServiceState},
    context, management,
};
use crate::{
    computer::{Cpu, Machine},
    interleave::{self, Touches},
    referee::BugCheck,
};

impl Machine {
    /// The base filtering engine stops, if it runs: sessions die and objects vanish, and what else the switch says: [`BfeStop`].
    /// Who has subscribed hears of it before and afterwards.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn stop_bfe(&self) -> Result<(), BugCheck> {
        self.run(|cpu| {
            if !leave(cpu, ServiceState::Running, ServiceState::StopPending) {
                return;
            }
            interleave::point("the filter engine stops", Touches::EVERYTHING);
            let _ = management::change_policy(cpu, |state| {
                state.bfe.end_all();
                Ok(())
            });
            end_more(cpu);
            leave(cpu, ServiceState::StopPending, ServiceState::Stopped);
        })
    }

    /// The base filtering engine starts again, if it has stopped, without any object, and tells who has subscribed.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn start_bfe(&self) -> Result<(), BugCheck> {
        self.run(|cpu| {
            if leave(cpu, ServiceState::Stopped, ServiceState::StartPending) {
                leave(cpu, ServiceState::StartPending, ServiceState::Running);
            }
        })
    }

    /// Whether the base filtering engine runs.
    #[must_use]
    pub fn bfe_runs(&self) -> bool {
        self.wfp().state().bfe.runs()
    }

    /// A system thread tells all states that [`Told::Later`](super::Told::Later) has left untold; returns how many, when it has.
    /// Not for interleavings, where that thread has no seat.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn tell_bfe_states(&self) -> Result<usize, BugCheck> {
        self.run(bfe_state::tell_untold)
    }
}

/// The service goes from one state to the next, and tells of it, unless it is in another one.
fn leave(cpu: &Cpu, state: ServiceState, next: ServiceState) -> bool {
    let left = cpu.machine().wfp().state().bfe.leave(state, next);
    if left {
        bfe_state::tell(cpu, next);
    }
    left
}

/// Callouts end before contexts do, so that none takes another one meanwhile; each goes when its last one has.
fn end_more(cpu: &Cpu) {
    let wfp = cpu.machine().wfp();
    let ends = wfp.switches().bfe_stop;
    if ends == BfeStop::KeepsCallouts {
        return;
    }
    if ends == BfeStop::EndsCallouts {
        interleave::point("callouts end with the filter engine", Touches::EVERYTHING);
        wfp.state().callouts.end_all();
    }
    context::end_all(cpu);
    context::let_ended_callouts_go(cpu);
}
