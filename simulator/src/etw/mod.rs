//! Event tracing: providers that drivers register, sessions that listen to them, and a decoder of what they write.
//!
//! - `register`, `write`: the exports. - `state`, `notify`: who listens to whom, and how providers hear of it.
//! - [`session`](Session), [`event`](Event), [`json`]: what consumers want, and what they get.
//! - [`tracelogging`]: the format of the events, read by itself.
//! - [`switches`]: what is not documented, or done otherwise.
//!
//! Where a function of Windows is named as *one build*, its doings were read from listings of a disassembly, by others.

mod event;
mod handed;
pub mod json;
mod notify;
mod register;
mod session;
mod state;
mod status;
pub mod switches;
mod touches;
pub mod tracelogging;
mod write;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::{event::Event, session::Session};
use self::{
    state::{Notice, State, Unseen},
    switches::Switches,
};
use crate::{
    computer::{Call, Cpu, Export, Handed, Machine, Subsystem},
    interleave::Touches,
    referee::{BugCheck, Harm, Leaving},
};

/// A session that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionId(u64);

/// Event tracing on one machine.
#[derive(Debug, Default)]
pub struct Etw {
    state: Mutex<State>,
    switches: Mutex<Switches>,
}

impl Etw {
    /// What a session has got since this was asked last.
    ///
    /// # Panics
    /// When there is no such session.
    #[must_use]
    pub fn events(&self, session: SessionId) -> Vec<Event> {
        self.state().session(session.0).expect("a session of this machine").take()
    }

    /// How many events a session has lost: its buffers were full, or the event was too large (`EventsLost`).
    ///
    /// # Panics
    /// When there is no such session.
    #[must_use]
    pub fn lost(&self, session: SessionId) -> u64 {
        self.state().session(session.0).expect("a session of this machine").lost()
    }

    /// How many providers are registered.
    #[must_use]
    pub fn registrations(&self) -> usize {
        self.state().registrations.len()
    }

    /// Changes how it behaves.
    pub fn set(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.switches.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn switches(&self) -> Switches {
        *self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subsystem for Etw {
    fn exports(&self) -> &'static [&'static [Export]] {
        &[register::EXPORTS, write::EXPORTS]
    }

    fn hands(&self) -> &'static [&'static [Handed]] {
        &[handed::HANDED]
    }

    fn time_passes(&self, cpu: &Cpu) {
        notify::tell_all(cpu);
    }

    /// Bug check 0xC4, 0xDD: "An attempt was made to unload a driver without calling `EtwUnregister`".
    fn left(&self, machine: &Machine) -> Vec<Leaving> {
        let image = machine.image().map_or(0, |image| image.range().start);
        let left = |handle, caller, reason: &str| Leaving {
            harm: Harm::Crash,
            code: 0xC4,
            parameters: [0xDD, caller, image, handle],
            reason: reason.into(),
        };
        let state = self.state();
        let registered = state.registrations.iter().map(|registration| {
            let what = "the driver left a provider registered: the next change of a session would call unloaded code";
            left(registration.handle, registration.caller, what)
        });
        let unseen = state.unseen.iter().map(|&Unseen { handle, caller }| {
            let what = "the driver has called EtwUnregister as the last thing of all: the return address is not its own, \
                        and Driver Verifier takes the provider for registered";
            left(handle, caller, what)
        });
        registered.chain(unseen).collect()
    }

    fn touches(&self, call: &Call<'_>) -> Option<Touches> {
        Some(touches::of(call))
    }

    fn refuses(&self, call: &Call<'_>) {
        if call.name() == register::REGISTER {
            register::refuse(call);
        }
    }
}

impl Machine {
    /// Event tracing.
    #[must_use]
    pub fn etw(&self) -> &Etw {
        self.part()
    }

    /// Starts a session. The providers that it wants hear of it, now or when they are registered.
    ///
    /// # Errors
    /// The bug check, if the machine has or gets one meanwhile.
    pub fn start_session(&self, wanted: Session) -> Result<SessionId, BugCheck> {
        self.run(|cpu| {
            let provider = wanted.clone();
            notify::change(cpu, |state| {
                let id = state.next();
                state.sessions.push(session::Running::new(id, wanted));
                state.notify(|id| provider.wants(id), Notice::Changed);
                SessionId(id)
            })
        })
    }

    /// Changes what a session wants.
    ///
    /// # Errors
    /// The bug check, if the machine has or gets one meanwhile.
    ///
    /// # Panics
    /// When there is no such session.
    pub fn change_session(&self, session: SessionId, change: impl FnOnce(&mut Session)) -> Result<(), BugCheck> {
        self.run(|cpu| {
            notify::change(cpu, |state| {
                let running = state.session(session.0).expect("a session of this machine");
                let before = running.wanted.clone();
                change(&mut running.wanted);
                let after = running.wanted.clone();
                state.notify(|id| before.wants(id) || after.wants(id), Notice::Changed);
            });
        })
    }

    /// Stops a session. What it has got can still be read.
    ///
    /// # Errors
    /// The bug check, if the machine has or gets one meanwhile.
    ///
    /// # Panics
    /// When there is no such session.
    pub fn stop_session(&self, session: SessionId) -> Result<(), BugCheck> {
        self.run(|cpu| {
            notify::change(cpu, |state| {
                let running = state.session(session.0).expect("a session of this machine");
                running.stopped = true;
                let wanted = running.wanted.clone();
                state.notify(|id| wanted.wants(id), Notice::Changed);
            });
        })
    }

    /// Has the providers that a session has enabled write what they know: `EVENT_CONTROL_CODE_CAPTURE_STATE`.
    ///
    /// # Errors
    /// The bug check, if the machine has or gets one meanwhile.
    ///
    /// # Panics
    /// When there is no such session.
    pub fn capture_state(&self, session: SessionId) -> Result<(), BugCheck> {
        self.run(|cpu| {
            notify::change(cpu, |state| {
                let wanted = state.session(session.0).expect("a session of this machine").wanted.clone();
                state.notify(|id| wanted.wants(id), Notice::CaptureState(session.0));
            });
        })
    }

    /// Tells providers what [`AtRegistration::Later`](switches::AtRegistration::Later) has put off.
    ///
    /// # Errors
    /// The bug check, if the machine has or gets one meanwhile.
    pub fn deliver_notices(&self) -> Result<(), BugCheck> {
        self.run(|cpu| notify::change(cpu, |_| ()))
    }
}

#[cfg(test)]
pub(crate) mod tests;
