//! Making imports fail: the n-th call of an import, or the n-th that comes from one place in the driver.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use super::{Imports, call_stack::CallStack};

/// Which calls fail, and how often each import was called.
#[derive(Debug)]
pub struct Faults {
    imports: Arc<Imports>,
    calls: Vec<AtomicU64>,
    planned: Mutex<Vec<Fault>>,
    /// How many are planned: most machines have none, and need not lock.
    count: AtomicUsize,
    stacks: Mutex<Stacks>,
    /// Calls are told apart by their stacks, which costs a walk of the stack for each.
    watching: AtomicBool,
}

#[derive(Debug)]
struct Fault {
    import: usize,
    /// The first call that fails, counted from 1 for the machine's whole life.
    from: u64,
    /// How many calls from there on fail.
    times: u64,
    status: Option<u32>,
}

/// One call that fails, named by where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackFault {
    /// The [`CallStack::id`] of the call.
    pub stack: u64,
    /// Which call from there fails, counted from 1 for the machine's whole life.
    pub nth: u64,
    /// What it returns, where it returns an NTSTATUS.
    pub status: Option<u32>,
}

#[derive(Debug, Default)]
struct Stacks {
    /// How often each import was called from where, by [`CallStack::id`].
    seen: BTreeMap<u64, (CallStack, u64)>,
    planned: Vec<StackFault>,
    struck: Vec<StackFault>,
}

/// A call that must fail.
pub(super) struct Strike {
    /// The status asked for.
    pub(super) status: Option<u32>,
}

impl Faults {
    /// Nothing fails yet.
    pub(super) fn new(imports: Arc<Imports>) -> Self {
        Self {
            calls: (0..imports.count()).map(|_| AtomicU64::new(0)).collect(),
            planned: Mutex::default(),
            count: AtomicUsize::new(0),
            stacks: Mutex::default(),
            watching: AtomicBool::new(false),
            imports,
        }
    }

    /// Makes the `nth` call of `import` from now on fail (1 is the next), with `status` where it returns an NTSTATUS.
    ///
    /// # Panics
    /// When the simulator has no such import.
    pub fn fail(&self, import: &str, nth: u64, status: Option<u32>) {
        self.fail_times(import, nth, 1, status);
    }

    /// Like [`Self::fail`], for `times` calls in a row.
    ///
    /// # Panics
    /// When the simulator has no such import.
    pub fn fail_times(&self, import: &str, nth: u64, times: u64, status: Option<u32>) {
        let import = self.number(import);
        let from = self.calls[import].load(Ordering::Relaxed) + nth;
        self.planned.lock().unwrap().push(Fault { import, from, times, status });
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells the calls of imports that can fail apart by their stacks from now on, and makes these ones fail.
    pub fn watch_stacks(&self, planned: &[StackFault]) {
        self.stacks().planned.extend(planned);
        self.watching.store(true, Ordering::Relaxed);
    }

    /// The places that called imports that can fail since [`Self::watch_stacks`], and how often.
    #[must_use]
    pub fn stacks_seen(&self) -> Vec<(CallStack, u64)> {
        self.stacks().seen.values().cloned().collect()
    }

    /// Those of the calls planned by stack that have failed.
    #[must_use]
    pub fn struck(&self) -> Vec<StackFault> {
        self.stacks().struck.clone()
    }

    /// How often `import` was called so far.
    ///
    /// # Panics
    /// When the simulator has no such import.
    #[must_use]
    pub fn calls(&self, import: &str) -> u64 {
        self.calls[self.number(import)].load(Ordering::Relaxed)
    }

    /// How often imports were called so far, all together.
    #[must_use]
    pub fn all_calls(&self) -> u64 {
        self.calls.iter().map(|calls| calls.load(Ordering::Relaxed)).sum()
    }

    /// Whether calls of `import` are counted until one fails, so that their order matters.
    pub(super) fn counts(&self, import: usize) -> bool {
        self.count.load(Ordering::Relaxed) > 0
            && self.planned.lock().unwrap().iter().any(|fault| fault.import == import)
    }

    /// Counts a call; says how it must fail, if it must. `stack` is where it comes from, for imports that can fail.
    pub(super) fn strikes(&self, import: usize, stack: impl FnOnce() -> Option<CallStack>) -> Option<Strike> {
        let call = self.calls[import].fetch_add(1, Ordering::Relaxed) + 1;
        if self.watching.load(Ordering::Relaxed)
            && let Some(stack) = stack()
            && let Some(strike) = self.stacks().called_from(stack)
        {
            return Some(strike);
        }
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let planned = self.planned.lock().unwrap();
        planned
            .iter()
            .find(|fault| {
                fault.import == import && (fault.from..fault.from.saturating_add(fault.times)).contains(&call)
            })
            .map(|fault| Strike { status: fault.status })
    }

    fn number(&self, import: &str) -> usize {
        self.imports.number(import).unwrap_or_else(|| panic!("the simulator has no import named {import}"))
    }

    fn stacks(&self) -> MutexGuard<'_, Stacks> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stacks {
    fn called_from(&mut self, stack: CallStack) -> Option<Strike> {
        let id = stack.id();
        let (_, calls) = self.seen.entry(id).or_insert((stack, 0));
        *calls += 1;
        let fault = *self.planned.iter().find(|fault| fault.stack == id && fault.nth == *calls)?;
        self.struck.push(fault);
        Some(Strike { status: fault.status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults() -> Faults {
        Faults::new(Arc::clone(crate::windows::imports()))
    }

    fn stack(frames: &[u32]) -> CallStack {
        CallStack { import: "ExAllocatePool2".into(), frames: frames.to_vec() }
    }

    fn call(faults: &Faults, frames: &[u32]) -> Option<u32> {
        let import = faults.number("ExAllocatePool2");
        faults.strikes(import, || Some(stack(frames))).map(|strike| strike.status.unwrap())
    }

    #[test]
    fn the_nth_call_from_one_place_fails_whatever_comes_from_others() {
        let faults = faults();
        faults.watch_stacks(&[StackFault { stack: stack(&[1, 2]).id(), nth: 2, status: Some(7) }]);
        let outcomes = [&[1, 2], &[1, 3], &[1, 3], &[1, 2], &[1, 2]].map(|frames| call(&faults, frames));
        assert_eq!(outcomes, [None, None, None, Some(7), None]);
        assert_eq!(faults.struck().len(), 1);
    }

    #[test]
    fn the_places_and_their_calls_are_counted() {
        let faults = faults();
        call(&faults, &[1]);
        faults.watch_stacks(&[]);
        for frames in [&[1], &[2], &[1]] {
            call(&faults, frames);
        }
        let mut seen = faults.stacks_seen();
        seen.sort();
        assert_eq!(seen, [(stack(&[1]), 2), (stack(&[2]), 1)]);
    }
}
