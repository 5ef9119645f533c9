//! The table that threads sit at: one goes at a time, and whoever comes to a point says what its next step is.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::touches::Touches;

/// A run with more steps never ends.
const MOST_STEPS: usize = 20_000;

/// One step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who went.
    pub thread: usize,
    /// What it went to do.
    pub name: &'static str,
    /// What it touched.
    pub touches: Touches,
}

/// Who goes next.
pub trait Strategy: Send {
    /// One of those that are ready.
    fn choose(&mut self, choice: &Choice) -> usize;

    /// The step that was chosen has ended: what it touched is known.
    fn ended(&mut self, step: &Step);
}

/// A strategy that goes through the orders of a case, one run after the other.
pub trait Explores: Strategy {
    /// Prepares the next run; false when there are no more orders.
    fn next_run(&mut self) -> bool;

    /// Whether a run has gone another way than its choices said: the case is not repeatable.
    fn strayed(&self) -> bool;
}

/// Who can go next.
pub struct Choice<'a> {
    /// These, at least one.
    pub ready: &'a [usize],
    /// Who went before, and may be among them.
    pub last: Option<usize>,
    /// That one has come to a wait for time, so that taking its turn away is no preemption.
    pub yields: bool,
}

/// What a thread waits for before its next step.
pub(super) enum Until {
    /// Nothing.
    Now,
    /// This.
    Ready(Box<dyn Fn() -> bool + Send>),
    /// Time passes: see [`Waits`].
    Later,
}

/// When a wait for time may end while others could go on. It always ends when nobody else can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// As often as this in a run, at any moment: what may happen depends on the order of the steps alone, so that it
    /// can be explored, and there is an end to it.
    Early(usize),
    /// As soon as somebody else has gone on.
    AfterOthers,
}

/// The next step of a thread.
pub(super) struct Intent {
    pub(super) name: &'static str,
    pub(super) touches: Touches,
    pub(super) until: Until,
}

enum Place {
    /// Not there yet.
    Empty,
    Waiting {
        intent: Intent,
        since: usize,
    },
    Going,
    Gone,
}

/// Why a run cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// Everybody waits for somebody.
    Stuck,
    /// It has gone on for too long.
    Endless,
    /// Another thread has failed.
    Failed,
}

pub(super) struct Table {
    state: Mutex<State>,
    /// One for each seat.
    calls: Vec<Condvar>,
    all_gone: Condvar,
}

struct State {
    places: Vec<Place>,
    turn: Option<usize>,
    steps: Vec<Step>,
    strategy: Arc<Mutex<dyn Strategy>>,
    /// Says what the driver's memory holds; another number means that something has been written.
    memory: Option<Box<dyn Fn() -> u64 + Send>>,
    memory_before: u64,
    waits: Waits,
    halt: Option<Halt>,
}

impl Table {
    pub(super) fn new(
        seats: usize,
        strategy: Arc<Mutex<dyn Strategy>>,
        memory: Option<Box<dyn Fn() -> u64 + Send>>,
        waits: Waits,
    ) -> Self {
        let memory_before = memory.as_ref().map_or(0, |memory| memory());
        let state = State {
            places: (0..seats).map(|_| Place::Empty).collect(),
            turn: None,
            steps: Vec::new(),
            strategy,
            memory,
            memory_before,
            waits,
            halt: None,
        };
        Self { state: Mutex::new(state), calls: (0..seats).map(|_| Condvar::new()).collect(), all_gone: Condvar::new() }
    }

    /// The thread at `seat` has come to a point; returns when it is its turn.
    pub(super) fn arrive(&self, seat: usize, intent: Intent) -> Result<(), Halt> {
        let mut state = self.state();
        state.end_step(seat);
        let since = state.steps.len();
        state.places[seat] = Place::Waiting { intent, since };
        self.pass_on(&mut state);
        while state.turn != Some(seat) {
            state = self.calls[seat].wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let halt = state.halt;
        if let Place::Waiting { intent, .. } = std::mem::replace(&mut state.places[seat], Place::Going) {
            state.steps.push(Step { thread: seat, name: intent.name, touches: intent.touches });
        }
        halt.map_or(Ok(()), Err)
    }

    /// The thread at `seat` has nothing more to do, or has failed.
    pub(super) fn leave(&self, seat: usize, failed: bool) {
        let mut state = self.state();
        state.end_step(seat);
        state.places[seat] = Place::Gone;
        if failed {
            state.halt.get_or_insert(Halt::Failed);
        }
        self.pass_on(&mut state);
    }

    /// Waits until all are gone; returns the steps they took.
    pub(super) fn wait(&self) -> Vec<Step> {
        let mut state = self.state();
        while !state.places.iter().all(|place| matches!(place, Place::Gone)) {
            state = self.all_gone.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut state.steps)
    }

    fn pass_on(&self, state: &mut State) {
        if state.places.iter().any(|place| matches!(place, Place::Empty)) {
            return;
        }
        match state.next() {
            Some(next) => {
                let last = state.turn.replace(next);
                if last != Some(next) {
                    self.calls[next].notify_one();
                }
            }
            None => self.all_gone.notify_one(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who goes next; `None` when all are gone.
    fn next(&mut self) -> Option<usize> {
        if self.steps.len() > MOST_STEPS {
            self.halt.get_or_insert(Halt::Endless);
        }
        let waiting = || {
            self.places.iter().enumerate().filter_map(|(seat, place)| match place {
                Place::Waiting { intent, since } => Some((seat, intent, *since)),
                _ => None,
            })
        };
        let first = waiting().next()?.0;
        if self.halt.is_some() {
            return Some(first);
        }
        let mut ready: Vec<usize> = Vec::new();
        let mut early: Vec<usize> = Vec::new();
        let mut late: Vec<usize> = Vec::new();
        for (seat, intent, since) in waiting() {
            match &intent.until {
                Until::Now => ready.push(seat),
                Until::Ready(is_ready) if is_ready() => ready.push(seat),
                Until::Ready(_) => {}
                Until::Later => {
                    let may_end = match self.waits {
                        Waits::Early(left) => left > 0,
                        Waits::AfterOthers => self.steps.len() > since,
                    };
                    if may_end { early.push(seat) } else { late.push(seat) }
                }
            }
        }
        let others_can = !ready.is_empty();
        ready.extend_from_slice(&early);
        if ready.is_empty() {
            ready = late;
        }
        ready.sort_unstable();
        if ready.is_empty() {
            self.halt = Some(Halt::Stuck);
            return Some(first);
        }
        let yields = self.turn.is_some_and(|last| early.contains(&last));
        let next = self.strategy().choose(&Choice { ready: &ready, last: self.turn, yields });
        if let Waits::Early(left) = &mut self.waits
            && others_can
            && early.contains(&next)
        {
            *left -= 1;
        }
        Some(next)
    }

    /// The step of the thread at `seat` is over, if it was going.
    fn end_step(&mut self, seat: usize) {
        if !matches!(self.places[seat], Place::Going) {
            return;
        }
        let Some(step) = self.steps.last_mut() else { return };
        if step.touches.may_change_driver_memory()
            && let Some(memory) = &self.memory
        {
            let now = memory();
            if now != self.memory_before {
                step.touches = step.touches.and(Touches::DRIVER_MEMORY);
                self.memory_before = now;
            }
        }
        let step = *step;
        self.strategy().ended(&step);
    }

    fn strategy(&self) -> MutexGuard<'_, dyn Strategy + 'static> {
        self.strategy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
