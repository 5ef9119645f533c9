//! The Windows Filtering Platform, simulated: what it promises, what it merely does, and what it may do.
//!
//! - [`layer`]: the layers and what each of them tells.
//! - `policy`, `session`, `management`, `deletion`: the base filtering engine: sub-layers, callouts and filters, in
//!   sessions and transactions (`Fwpm*`).
//! - `bfe_service`, `bfe_state`: its service comes and goes, and who hears of it (`FwpmBfeState*`).
//! - `callout`, `runtime`: callouts registered by drivers (`FwpsCallout*`).
//! - `flow`, `context`: flows and the contexts on them (`FwpsFlow*`).
//! - `values`, `frame`, `arbitration`, `classify`: calling callouts, and what comes of their answers.
//! - [`traffic`]: connections and packets from outside; [`Switches`]: what Windows may do and tests want to see.
//!
//! Each file names the pages that it rests on, and says what is a guess or a simplification; `docs/simulator.md` lists them,
//! with the functions of a disassembly where no page decides. The state is behind one lock, which is never held
//! while driver code runs: a driver may call back into anything, and flowDeleteFn may run inside its own call.

mod abi;
mod arbitration;
mod bfe_service;
mod bfe_state;
mod callout;
mod classify;
pub(crate) mod context;
pub(crate) mod deletion;
mod flow;
mod frame;
mod handed;
pub(crate) mod injection;
mod inputs;
pub mod layer;
pub(crate) mod management;
mod not_modelled;
mod policy;
mod prepared;
pub(crate) mod runtime;
mod session;
pub mod status;
mod subsystem;
mod switches;
#[cfg(test)]
mod tests;
mod touches;
pub mod traffic;
mod values;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

pub use arbitration::{Decision, Verdict};
pub use prepared::{FlowContext, Prepared};
pub use switches::{
    ActionAbove, BfeStop, BusyUntil, DyingFlow, Emptied, ExistingContext, FlowEnd, FlowHandleField, HandleReuse,
    IrqlChoice, PathMemory, PendingAnswer, Removal, SecondContext, Switches, Told, UnknownFlow, WriteRight,
    WrongAnswer,
};
pub use traffic::{Direction, FlowHandle, FlowSpec, Owner, Packet};

use self::{
    bfe_state::Subscriptions,
    callout::Callouts,
    classify::Step,
    flow::{Deletion, FlowId, Flows},
    frame::Frames,
    layer::Layer,
    session::Bfe,
    status::Status,
};
use crate::referee::Watch;

/// The filtering platform of one machine.
#[derive(Debug)]
pub struct Wfp {
    state: Mutex<State>,
    frames: Frames,
    switches: RwLock<Arc<Switches>>,
    answers: Mutex<HashMap<(&'static str, Status), u64>>,
    permitted: AtomicU64,
    blocked: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    bfe: Bfe,
    subscriptions: Subscriptions,
    callouts: Callouts,
    flows: Flows,
    /// The policy in force, by layer, in the order of evaluation.
    steps: HashMap<Layer, Arc<[Step]>>,
    /// What removals that were answered `PENDING` without a classify still owe.
    deferred: VecDeque<Deletion>,
    last_filter_id: u64,
    injection_handles: HashSet<u64>,
    last_injection_handle: u64,
}

/// Looking in from outside.
impl Wfp {
    /// A platform without flows and filters.
    #[must_use]
    pub fn new(watch: Watch, known_callout_flags: u32) -> Self {
        Self {
            state: Mutex::default(),
            frames: Frames::new(watch),
            switches: RwLock::new(Arc::new(Switches { known_callout_flags, ..Switches::default() })),
            answers: Mutex::default(),
            permitted: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
        }
    }

    /// Contexts that are associated or whose flowDeleteFn has not returned.
    #[must_use]
    pub fn contexts(&self) -> u64 {
        self.state().callouts.contexts()
    }

    /// Registered callouts.
    #[must_use]
    pub fn callouts(&self) -> usize {
        self.state().callouts.len()
    }

    /// Live flows, the oldest first.
    #[must_use]
    pub fn flows(&self) -> Vec<FlowHandle> {
        self.state().flows.all_live().into_iter().map(|flow| FlowHandle(flow.handle)).collect()
    }

    /// Whether `flow` is live.
    #[must_use]
    pub fn is_live(&self, flow: FlowHandle) -> bool {
        self.state().flows.live(flow.0).is_some()
    }

    /// Filters in force.
    #[must_use]
    pub fn filters(&self) -> usize {
        self.state().bfe.policy().sizes()[2]
    }

    /// Open sessions with the base filtering engine.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.state().bfe.session_count()
    }

    /// Injection handles that are not destroyed.
    #[must_use]
    pub fn injection_handles(&self) -> usize {
        self.state().injection_handles.len()
    }

    /// Objects that the base filtering engine manages, filters included.
    #[must_use]
    pub fn managed_objects(&self) -> usize {
        self.state().bfe.policy().sizes().iter().sum()
    }

    /// How often `export` has answered `status`, injected failures not counted.
    #[must_use]
    pub fn answers(&self, export: &str, status: Status) -> u64 {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.iter().filter(|((name, answer), _)| *name == export && *answer == status).map(|(_, count)| count).sum()
    }

    /// How many classifications ended so, of those in which any filter took part.
    #[must_use]
    pub fn verdicts(&self, verdict: Verdict) -> u64 {
        self.verdict_counter(verdict).load(Ordering::Relaxed)
    }

    /// The switches as they are.
    #[must_use]
    pub fn switches(&self) -> Arc<Switches> {
        Arc::clone(&self.switches.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes switches; what is being classified goes on with the old ones.
    pub fn set(&self, change: impl FnOnce(&mut Switches)) {
        change(Arc::make_mut(&mut self.switches.write().unwrap_or_else(PoisonError::into_inner)));
    }
}

impl Wfp {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic of a test's thread must not hide the state from the test's report.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn frames(&self) -> &Frames {
        &self.frames
    }

    fn steps(&self, layer: Layer) -> Arc<[Step]> {
        self.state().steps.get(&layer).cloned().unwrap_or_default()
    }

    fn has_deferred(&self) -> bool {
        !self.state().deferred.is_empty()
    }

    fn count_answer(&self, export: &'static str, status: Status) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner).entry((export, status)).or_default() += 1;
    }

    fn count_verdict(&self, verdict: Verdict) {
        self.verdict_counter(verdict).fetch_add(1, Ordering::Relaxed);
    }

    fn verdict_counter(&self, verdict: Verdict) -> &AtomicU64 {
        match verdict {
            Verdict::Permit => &self.permitted,
            Verdict::Block => &self.blocked,
        }
    }

    /// Counts an association; the flow, when the switch says that it ends now.
    fn flow_ends_now(&self, state: &State, handle: u64) -> Option<FlowId> {
        let remaining = self.switches().end_flow_after_associations?;
        self.set(|switches| switches.end_flow_after_associations = remaining.checked_sub(1).filter(|&left| left > 0));
        if remaining > 1 { None } else { state.flows.live(handle) }
    }
}
