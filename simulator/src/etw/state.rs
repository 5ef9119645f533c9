//! Who is registered, who listens, and what is to be told to whom.

use std::{
    collections::VecDeque,
    thread::{self, ThreadId},
};

use super::{
    session::Running,
    switches::{AllLevels, Switches},
    tracelogging::Provider,
};

/// Handles are counted from here; nothing is ever mapped there.
const FIRST_HANDLE: u64 = 0x0E7E_0000_0000;
const HANDLE_STEP: u64 = 16;

/// All there is on one machine.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) registrations: Vec<Registration>,
    pub(super) sessions: Vec<Running>,
    /// The enable callbacks that run: whose, and on which thread.
    running: Vec<(u64, ThreadId)>,
    /// Registrations that ended without Driver Verifier's seeing whose they were.
    pub(super) unseen: Vec<Unseen>,
    /// How many registrations and sessions there have ever been.
    made: u64,
}

/// A provider that is registered.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) handle: u64,
    pub(super) id: u128,
    pub(super) callback: u64,
    pub(super) context: u64,
    /// Where `EtwRegister` was called from.
    pub(super) caller: u64,
    /// What `EtwSetInformation` was given, and what that says.
    pub(super) traits: Option<(Vec<u8>, Provider)>,
    /// What it has not been told yet.
    notices: VecDeque<Notice>,
    /// Calls of `EtwWriteTransfer` that run.
    pub(super) writing: u32,
}

/// A registration that Driver Verifier believes to be there still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unseen {
    pub(super) handle: u64,
    pub(super) caller: u64,
}

/// Why a provider is called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// Who wants it, or how much, has changed.
    Changed,
    /// This session wants its state.
    CaptureState(u64),
}

/// A call of an enable callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Callback {
    pub(super) function: u64,
    pub(super) context: u64,
    /// `EVENT_CONTROL_CODE_*` of evntcons.h.
    pub(super) code: u32,
    pub(super) level: u8,
    pub(super) any: u64,
    pub(super) all: u64,
}

/// `EVENT_CONTROL_CODE_DISABLE_PROVIDER`, `_ENABLE_PROVIDER` and `_CAPTURE_STATE` of evntcons.h.
const DISABLE: u32 = 0;
const ENABLE: u32 = 1;
const CAPTURE_STATE: u32 = 2;

impl State {
    /// A number that none was given before.
    pub(super) fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// Registers a provider; returns its handle.
    pub(super) fn register(&mut self, id: u128, callback: u64, context: u64, caller: u64) -> u64 {
        let handle = FIRST_HANDLE + self.next() * HANDLE_STEP;
        let mut registration =
            Registration { handle, id, callback, context, caller, traits: None, notices: VecDeque::new(), writing: 0 };
        if self.listeners(id).next().is_some() {
            registration.notices.push_back(Notice::Changed);
        }
        self.registrations.push(registration);
        handle
    }

    /// The registration with this handle.
    pub(super) fn registration(&mut self, handle: u64) -> Option<&mut Registration> {
        self.registrations.iter_mut().find(|registration| registration.handle == handle)
    }

    /// Ends a registration.
    pub(super) fn unregister(&mut self, handle: u64) -> Option<Registration> {
        let index = self.registrations.iter().position(|registration| registration.handle == handle)?;
        Some(self.registrations.remove(index))
    }

    /// The sessions that have enabled a provider.
    fn listeners(&self, id: u128) -> impl Iterator<Item = &Running> {
        self.sessions.iter().filter(move |session| !session.stopped && session.wanted.wants(id))
    }

    /// The session with this id.
    pub(super) fn session(&mut self, id: u64) -> Option<&mut Running> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }

    /// Notes that every provider that `wants` concerns has to hear of something.
    pub(super) fn notify(&mut self, wants: impl Fn(u128) -> bool, notice: Notice) {
        for registration in self.registrations.iter_mut().filter(|registration| wants(registration.id)) {
            registration.notices.push_back(notice);
        }
    }

    /// The handles of all who have not been told everything.
    pub(super) fn untold(&self) -> Vec<u64> {
        let untold = self.registrations.iter().filter(|registration| !registration.notices.is_empty());
        untold.map(|registration| registration.handle).collect()
    }

    /// What its enable callback is to be told next, unless that runs: then whoever runs it goes on. It runs from now on.
    pub(super) fn begin_callback(&mut self, handle: u64, switches: Switches) -> Option<Callback> {
        if self.running.iter().any(|&(running, _)| running == handle) {
            return None;
        }
        loop {
            let registration = self.registration(handle)?;
            let notice = registration.notices.pop_front()?;
            let (id, function, context) = (registration.id, registration.callback, registration.context);
            let Some((code, level, any, all)) = self.told(id, notice, switches) else { continue };
            if function != 0 {
                self.running.push((handle, thread::current().id()));
                return Some(Callback { function, context, code, level, any, all });
            }
        }
    }

    /// The enable callback has returned.
    pub(super) fn end_callback(&mut self, handle: u64) {
        self.running.retain(|&(running, _)| running != handle);
    }

    /// The thread on which the enable callback of a registration runs.
    pub(super) fn runs_on(&self, handle: u64) -> Option<ThreadId> {
        self.running.iter().find(|&&(running, _)| running == handle).map(|&(_, thread)| thread)
    }

    /// Control code, level and keywords: those of all sessions together, the least restrictive (evntprov.h at
    /// `PENABLECALLBACK`; one build, `EtwpComputeRegEntryEnableInfo`). A session that has gone wants no state any more.
    fn told(&self, id: u128, notice: Notice, switches: Switches) -> Option<(u32, u8, u64, u64)> {
        let code = match notice {
            Notice::Changed => ENABLE,
            Notice::CaptureState(session) => {
                self.listeners(id).find(|listener| listener.id == session)?;
                CAPTURE_STATE
            }
        };
        // One build, EtwpEnableGuid: 0 counts as all levels and as all keywords.
        let level_of = |level| if level == 0 { u8::MAX } else { level };
        let all_of = |any| if any == 0 { u64::MAX } else { any };
        let combined = self.listeners(id).map(|listener| &listener.wanted).fold(None, |combined, wanted| {
            let (level, any, all) = combined.unwrap_or((0, 0, u64::MAX));
            Some((level_of(wanted.level).max(level), all_of(wanted.any) | any, wanted.all & all))
        });
        // One build, EtwpSendDataBlock: nothing is enabled when nobody listens.
        let Some((level, any, all)) = combined else { return Some((DISABLE, 0, 0, 0)) };
        let said_zero = self.listeners(id).any(|listener| listener.wanted.level == 0);
        let level = if said_zero && switches.all_levels == AllLevels::Zero { 0 } else { level };
        Some((code, level, any, all))
    }
}
