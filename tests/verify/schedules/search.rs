//! Goes through the orders of the cases, on one processor.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex},
};

use anyhow::Context;
use flowtag_simulator::interleave::{
    Crew, Explores, Run, Waits,
    bounded::Bounded,
    explore::Explorer,
    order,
    random::{Given, Priorities},
};
use serde::{Deserialize, Serialize};

use super::{case::Case, stage::play};
use crate::workers;

/// Most threads of a case.
const CREW: usize = 4;
/// Waits of the explored cases: the drain's first sleep may end at any moment.
const EXPLORED_WAITS: Waits = Waits::Early(1);
/// After so many failures of a case its search ends, since they tend to be the same one; after so many of all, the
/// whole search.
const MOST_FAILURES_OF_A_CASE: usize = 2;
const MOST_FAILURES: usize = 8;
/// Runs by chance in one go. A case of which most runs in one go repeat an order has no more of them: others have more to
/// show for the time.
const CHANCES: u64 = 200;
const TOO_FEW_NEW: u64 = CHANCES / 2;
/// Distinct orders between two signs of progress.
const STRIDE: u64 = 50;

/// What one processor finds.
#[derive(Default, Serialize, Deserialize)]
pub struct Found {
    /// All runs, repeated orders among them.
    pub runs: u64,
    /// Distinct orders.
    pub distinct: u64,
    /// What went wrong, in words.
    pub failures: Vec<String>,
    /// How far each case was explored, by its name.
    pub explored: Vec<(String, Explored)>,
}

/// How far a case was explored.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct Explored {
    runs: u64,
    orders: u64,
    by_chance: u64,
    /// Every order has been seen.
    pub exhausted: bool,
    /// Every order with so many preemptions has been seen; `None` where only chance chose.
    pub preemptions: Option<usize>,
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, orders, by_chance, .. } = self;
        write!(f, "{orders} orders in {runs} runs, {by_chance} more by chance: {}", self.how_far())
    }
}

impl Explored {
    /// Which orders of the case have been seen, in words.
    pub fn how_far(&self) -> String {
        match self.preemptions {
            _ if self.exhausted => "all orders".to_owned(),
            Some(1) => "all orders with at most 1 preemption".to_owned(),
            Some(preemptions) => format!("all orders with at most {preemptions} preemptions"),
            None => "orders by chance, and some with few preemptions".to_owned(),
        }
    }
}

/// A run that went wrong, in words.
fn describe(case: &Case, run: &Run) -> String {
    let what = run.failure.as_deref().unwrap_or("nothing went wrong");
    let steps = &run.steps[run.steps.len().saturating_sub(30)..];
    let steps: Vec<_> = steps.iter().map(|step| format!("  {}{}", "    ".repeat(step.thread), step.name)).collect();
    format!(
        "schedules: {name}: {what}\nthe last steps, a column for each thread:\n{steps}\nrepeat with: \
         cargo xtask verify -- schedules --replay '{name}:{trace}'",
        name = case.name,
        steps = steps.join("\n"),
        trace = run.trace()
    )
}

/// Runs one order of a case again.
pub fn replay(case: &Case, trace: &str) -> anyhow::Result<Option<String>> {
    let order = order::read(trace).with_context(|| format!("`{trace}` is no order"))?;
    let crew = Crew::new(CREW);
    let waits = if case.small { EXPLORED_WAITS } else { Waits::AfterOthers };
    let run = play(case, &crew, Arc::new(Mutex::new(Given::new(order))), waits);
    Ok(run.failure.is_some().then(|| describe(case, &run)))
}

/// A case's part of the search. Hardly a run of a large case repeats an order, so that these get about as many as all the
/// others.
fn weight(case: &Case) -> u64 {
    if case.small { 1 } else { 7 }
}

/// Searches `cases` until there are `wanted` distinct orders, beginning by chance at `seed`.
pub fn search(cases: &[&Case], wanted: u64, seed: u64) -> Found {
    let mut search =
        Search { crew: Crew::new(CREW), seed, progress: workers::report_progress, found: Found::default() };
    for (index, case) in cases.iter().enumerate() {
        // What the small ones do not need goes to those behind them.
        let left = wanted.saturating_sub(search.found.distinct);
        let share = (left * weight(case)).div_ceil(cases[index..].iter().map(|case| weight(case)).sum());
        let mut known = Known::default();
        if case.small {
            // Three threads have more orders than anybody can run. With two, most of the share is for an attempt to come
            // to the end of them all.
            if case.threads.len() == 2 {
                search.explore(case, &mut known, &Arc::new(Mutex::new(Explorer::default())), share / 5 * 3);
            }
            // What is left then is for orders with few preemptions, and a tenth of the share for chance.
            let bounded = Arc::new(Mutex::new(Bounded::default()));
            search.explore(case, &mut known, &bounded, share / 10 * 9);
            known.explored.preemptions = bounded.lock().unwrap().complete();
        }
        search.meet_by_chance(case, &mut known, share);
        search.found.explored.push((case.name.clone(), known.explored));
    }
    search.found
}

struct Search {
    crew: Crew,
    seed: u64,
    /// Is told of every [`STRIDE`] orders.
    progress: fn(u64),
    found: Found,
}

/// What is known of a case.
#[derive(Default)]
struct Known {
    orders: HashSet<u64>,
    explored: Explored,
    longest: usize,
    failures: usize,
}

impl Search {
    fn may_go_on(&self, known: &Known) -> bool {
        let given_up = known.failures >= MOST_FAILURES_OF_A_CASE || self.found.failures.len() >= MOST_FAILURES;
        !known.explored.exhausted && !given_up
    }

    /// The orders of a case as `explorer` finds them, until so many are known or all.
    fn explore<E: Explores + 'static>(
        &mut self,
        case: &Case,
        known: &mut Known,
        explorer: &Arc<Mutex<E>>,
        enough: u64,
    ) {
        while self.may_go_on(known) && known.explored.orders < enough {
            let mut run = play(case, &self.crew, explorer.clone(), EXPLORED_WAITS);
            let mut explorer = explorer.lock().unwrap();
            if explorer.strayed() {
                run.failure.get_or_insert_with(|| "the same order went another way the second time".into());
            }
            known.explored.runs += 1;
            if self.count(case, known, &run) {
                known.explored.orders += 1;
            }
            if !explorer.next_run() {
                known.explored.exhausted = known.failures == 0;
                return;
            }
        }
    }

    /// Orders of a case by chance, until there are `wanted` or too few that are new.
    fn meet_by_chance(&mut self, case: &Case, known: &mut Known, wanted: u64) {
        let mut chances = 0;
        let mut new = CHANCES;
        while new > TOO_FEW_NEW {
            new = 0;
            for _ in 0..CHANCES {
                if known.orders.len() as u64 >= wanted || !self.may_go_on(known) {
                    return;
                }
                let seed = (self.seed << 32).wrapping_add(chances);
                chances += 1;
                // Longer than any run so far, at first by a guess.
                let length = known.longest.max(100);
                let falls = 2 + (chances % 6) as usize;
                let priorities = Priorities::new(seed, case.threads.len(), length, falls);
                let waits = if case.small { EXPLORED_WAITS } else { Waits::AfterOthers };
                let run = play(case, &self.crew, Arc::new(Mutex::new(priorities)), waits);
                if self.count(case, known, &run) {
                    known.explored.by_chance += 1;
                    new += 1;
                }
            }
        }
    }

    /// Counts a run; true if its order is new.
    fn count(&mut self, case: &Case, known: &mut Known, run: &Run) -> bool {
        self.found.runs += 1;
        known.longest = known.longest.max(run.steps.len());
        let new = known.orders.insert(run.identity());
        if new {
            self.found.distinct += 1;
            if self.found.distinct.is_multiple_of(STRIDE) {
                (self.progress)(STRIDE);
            }
        }
        if run.failure.is_some() {
            known.failures += 1;
            self.found.failures.push(describe(case, run));
        }
        new
    }
}

#[cfg(all(test, feature = "driver"))]
mod tests {
    use super::{super::cases, *};

    /// All orders of a case.
    fn orders<E: Explores + Default + 'static>(case: &Case) -> HashSet<u64> {
        let mut search = Search { crew: Crew::new(CREW), seed: 0, progress: |_| {}, found: Found::default() };
        let mut known = Known::default();
        search.explore(case, &mut known, &Arc::new(Mutex::new(E::default())), u64::MAX);
        assert!(known.explored.exhausted, "{:?}", search.found.failures);
        known.orders
    }

    #[test]
    fn both_explorers_find_the_same_orders() {
        let cases = cases::all();
        for name in ["send and receive", "send on a flow that ends", "a flow ends twice"] {
            let case = cases.iter().find(|case| case.name == name).expect("the case");
            assert_eq!(orders::<Explorer>(case), orders::<Bounded>(case), "{name}");
        }
    }
}
