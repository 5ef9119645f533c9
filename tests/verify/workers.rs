//! Many cases on all processors, each of which may panic.

use std::{
    cell::RefCell,
    panic::{self, AssertUnwindSafe},
    sync::{
        Mutex, Once,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use indicatif::ProgressBar;

/// Runs every case, some at once; what came of each, in the order of the cases: its value, or what its panic said.
pub fn run<C: Sync, T: Send>(cases: &[C], bar: &ProgressBar, run: impl Fn(&C) -> T + Sync) -> Vec<Result<T, String>> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::with_capacity(cases.len()));
    let work = || {
        while let (index, Some(case)) = take(&next, cases) {
            let outcome = caught(|| run(case));
            outcomes.lock().unwrap().push((index, outcome));
            bar.inc(1);
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap();
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn take<'a, C>(next: &AtomicUsize, cases: &'a [C]) -> (usize, Option<&'a C>) {
    let index = next.fetch_add(1, Ordering::Relaxed);
    (index, cases.get(index))
}

/// Runs `f`; what its panic said, if it panicked. Nothing is printed.
pub fn caught<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    thread_local! {
        /// What the last panic said; `None` where panics are none of our business.
        static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |said| {
            if SAID.with_borrow_mut(|slot| slot.as_mut().map(|slot| *slot = said.to_string())).is_none() {
                before(said);
            }
        }));
    });
    SAID.set(Some(String::new()));
    let outcome = panic::catch_unwind(AssertUnwindSafe(f));
    let said = SAID.take().unwrap_or_default();
    outcome.map_err(|_| said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_its_outcome_in_its_place() {
        let cases: Vec<u32> = (0..100).collect();
        let outcomes = run(&cases, &ProgressBar::hidden(), |case| {
            assert_ne!(*case, 50, "fifty");
            case + 1
        });
        assert_eq!(outcomes[49], Ok(50));
        assert!(outcomes[50].as_ref().unwrap_err().contains("fifty"));
        assert_eq!(outcomes[99], Ok(100));
    }
}
