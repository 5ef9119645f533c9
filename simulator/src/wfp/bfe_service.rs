//! The service of the base filtering engine stops and starts: what vanishes, and in which order.
//!
//! Win32 "Object Management": objects go with the service. Guesses: what else goes ([`BfeStop`]), and the order. `STOP_PENDING` is
//! told while everything is there still; then sessions die and filters vanish, of which notifyFn hears while its callout is
//! registered; then contexts go, when no filter leads a new classify to them; then callouts. `STOPPED` is told last, so that who
//! hears of it finds it so. All of it runs on the thread that stops the service, which begins at `PASSIVE_LEVEL`; flowDeleteFn
//! is called at the IRQL of the switch `irql`, as at the end of a flow.

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
    /// The base filtering engine stops: sessions die and objects vanish, and what else the switch says: [`BfeStop`]. Who has
    /// subscribed hears of it before and afterwards.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn stop_bfe(&self) -> Result<(), BugCheck> {
        self.run(|cpu| {
            reach(cpu, ServiceState::StopPending);
            interleave::point("the filter engine stops", Touches::EVERYTHING);
            let _ = management::change_policy(cpu, |state| {
                state.bfe.stop();
                Ok(())
            });
            end_more(cpu);
            bfe_state::tell(cpu, ServiceState::Stopped);
        })
    }

    /// The base filtering engine starts again, without any object, and tells who has subscribed.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn start_bfe(&self) -> Result<(), BugCheck> {
        self.run(|cpu| {
            reach(cpu, ServiceState::StartPending);
            reach(cpu, ServiceState::Running);
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

fn reach(cpu: &Cpu, state: ServiceState) {
    cpu.machine().wfp().state().bfe.reach(state);
    bfe_state::tell(cpu, state);
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
