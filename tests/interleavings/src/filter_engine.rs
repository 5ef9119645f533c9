//! WFP's flow contexts, as a model: one for each flow and direction; detached at once, given back by the last classify that
//! was handed it. What Associate answers for a flow that has one is left open: the driver must not ask.

use flowtag_on_host::tag::Direction;

use super::{
    Arc, Mutex, MutexGuard,
    model::{Driver, Record},
};

/// What associate answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The engine has the context.
    Success,
    /// The flow has ended.
    Refused,
}

struct Context {
    flow: u64,
    direction: Direction,
    record: Arc<Record>,
    running: u32,
    detached: bool,
}

#[derive(Default)]
struct State {
    contexts: Vec<Context>,
    ended: Vec<u64>,
}

/// The engine.
pub struct FilterEngine(Mutex<State>);

impl FilterEngine {
    /// Without contexts.
    pub fn new() -> Self {
        Self(Mutex::new(State::default()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// `FwpsFlowAssociateContext0`.
    pub fn associate(&self, flow: u64, direction: Direction, record: &Arc<Record>) -> Answer {
        let mut state = self.lock();
        if state.ended.contains(&flow) {
            return Answer::Refused;
        }
        let has_one = state.contexts.iter().any(|context| context.flow == flow && context.direction == direction);
        assert!(!has_one, "Associate on a flow that has a context of this callout");
        state.contexts.push(Context { flow, direction, record: Arc::clone(record), running: 0, detached: false });
        Answer::Success
    }

    /// `FwpsFlowRemoveContext0`: runs flowDeleteFn unless a classify has the context. The answer is not worth having.
    pub fn remove(&self, driver: &Driver, flow: u64, direction: Direction) {
        let record = self.lock().detach(flow, direction);
        if let Some(record) = record {
            driver.flow_delete(&record);
        }
    }

    /// The network ends a flow.
    pub fn end(&self, driver: &Driver, flow: u64) {
        let given_back = {
            let mut state = self.lock();
            state.ended.push(flow);
            [Direction::Out, Direction::In].map(|direction| state.detach(flow, direction))
        };
        for record in given_back.into_iter().flatten() {
            driver.flow_delete(&record);
        }
    }

    /// Another flow begins, with the handle of one that has ended.
    pub fn begin_again(&self, flow: u64) {
        self.lock().ended.retain(|ended| *ended != flow);
    }

    /// Which ways of a flow have a context: out, in. [`None`] once it has ended.
    pub fn ways(&self, flow: u64) -> Option<[bool; 2]> {
        let state = self.lock();
        let ended = state.ended.contains(&flow);
        (!ended).then(|| [Direction::Out, Direction::In].map(|direction| state.find(flow, direction).is_some()))
    }

    /// A transport classify, if the flow has a context.
    pub fn classify(&self, driver: &Driver, flow: u64, direction: Direction) {
        let record = {
            let mut state = self.lock();
            let Some(index) = state.find(flow, direction) else { return };
            state.contexts[index].running += 1;
            Arc::clone(&state.contexts[index].record)
        };
        driver.transport(&record);
        let last = {
            let mut state = self.lock();
            let same = |context: &Context| Arc::ptr_eq(&context.record, &record) && context.direction == direction;
            let index = state.contexts.iter().position(same).expect("a context in use stays");
            let context = &mut state.contexts[index];
            context.running -= 1;
            (context.detached && context.running == 0).then(|| state.contexts.swap_remove(index))
        };
        if last.is_some() {
            driver.flow_delete(&record);
        }
    }

    /// Contexts that have not been given back.
    pub fn contexts(&self) -> usize {
        self.lock().contexts.len()
    }
}

impl State {
    fn find(&self, flow: u64, direction: Direction) -> Option<usize> {
        self.contexts
            .iter()
            .position(|context| context.flow == flow && context.direction == direction && !context.detached)
    }

    /// The record to give back now, if any.
    fn detach(&mut self, flow: u64, direction: Direction) -> Option<Arc<Record>> {
        let index = self.find(flow, direction)?;
        if self.contexts[index].running > 0 {
            self.contexts[index].detached = true;
            return None;
        }
        Some(self.contexts.swap_remove(index).record)
    }
}
