//! Goes through the orders of the cases, on one processor.

use std::{
    collections::HashSet,
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex},
};

use anyhow::Context;
use flowtag_simulator::interleave::{
    Crew, Run, Strategy, Waits,
    explore::Explorer,
    order,
    random::{Given, Priorities},
};
use serde::{Deserialize, Serialize};

use super::{case::Case, stage::play};

/// Most threads of a case.
const CREW: usize = 4;
/// Waits of the explored cases: the drain's first sleep may end at any moment.
const EXPLORED_WAITS: Waits = Waits::Early(1);
/// After so many failures of a case its search ends: they tend to be the same one.
const MOST_FAILURES: usize = 3;
/// Runs by chance that go on a case in one go.
const TURN: u64 = 200;

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
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, orders, by_chance, exhausted } = self;
        let all = if *exhausted { "all" } else { "the first" };
        write!(f, "{all} {orders} orders in {runs} runs, {by_chance} more by chance")
    }
}

/// A run that went wrong, in words.
fn describe(case: &Case, run: &Run) -> String {
    let what = run.failure.as_deref().unwrap_or("nothing went wrong");
    let steps = &run.steps[run.steps.len().saturating_sub(30)..];
    let steps: Vec<_> = steps.iter().map(|step| format!("  {}{}", "    ".repeat(step.thread), step.name)).collect();
    format!(
        "schedules: {name}: {what}\nthe last steps, a column for each thread:\n{steps}\nrepeat it with: \
         cargo xtask verify -- schedules --replay '{name}:{trace}'",
        name = case.name,
        steps = steps.join("\n"),
        trace = run.trace()
    )
}

/// Runs one order of a case again.
pub fn replay(case: &Case, trace: &str) -> anyhow::Result<Option<String>> {
    let order = order::read(trace).with_context(|| format!("`{trace}` is no order"))?;
    let crew = Crew::new(CREW, 0);
    let waits = if case.small { EXPLORED_WAITS } else { Waits::AfterOthers };
    let run = play(case, &crew, Arc::new(Mutex::new(Given::new(order))), waits);
    Ok(run.failure.is_some().then(|| describe(case, &run)))
}

/// Searches `cases` until there are `wanted` distinct orders, beginning by chance at `seed`.
pub fn search(cases: &[&Case], wanted: u64, seed: u64, processor: usize) -> Found {
    let mut search = Search { crew: Crew::new(CREW, processor), wanted, seed, found: Found::default() };
    let mut known: Vec<Known> = cases.iter().map(|_| Known::default()).collect();
    let mut small = cases.iter().filter(|case| case.small).count() as u64;
    for (case, known) in cases.iter().zip(&mut known).filter(|(case, _)| case.small) {
        // Half of the orders; what the smaller cases leave of it goes to those behind them.
        let left = (wanted / 2).saturating_sub(search.found.distinct);
        search.explore(case, known, (left / small).max(1));
        small -= 1;
    }
    let mut fruitful = true;
    while fruitful && search.found.distinct < wanted {
        fruitful = false;
        for (case, known) in cases.iter().zip(&mut known) {
            fruitful |= search.meet_by_chance(case, known);
        }
    }
    let explored = cases.iter().zip(&known).map(|(case, known)| (case.name.clone(), known.explored));
    search.found.explored = explored.collect();
    search.found
}

struct Search {
    crew: Crew,
    wanted: u64,
    seed: u64,
    found: Found,
}

/// What is known of a case.
#[derive(Default)]
struct Known {
    orders: HashSet<u64>,
    explored: Explored,
    chances: u64,
    longest: usize,
    failures: usize,
}

impl Search {
    /// Every order of a case, as far as the budget goes.
    fn explore(&mut self, case: &Case, known: &mut Known, most: u64) {
        let explorer = Arc::new(Mutex::new(Explorer::default()));
        loop {
            let strategy: Arc<Mutex<dyn Strategy>> = explorer.clone();
            let mut run = play(case, &self.crew, strategy, EXPLORED_WAITS);
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
            if known.explored.orders >= most || known.failures >= MOST_FAILURES {
                return;
            }
        }
    }

    /// Some orders of a case by chance; false when there was nothing new in them.
    fn meet_by_chance(&mut self, case: &Case, known: &mut Known) -> bool {
        if known.explored.exhausted || known.failures >= MOST_FAILURES {
            return false;
        }
        let before = known.orders.len();
        for _ in 0..TURN {
            if self.found.distinct >= self.wanted {
                break;
            }
            let seed = (self.seed << 32).wrapping_add(known.chances);
            known.chances += 1;
            // Longer than any run so far, at first by a guess.
            let length = known.longest.max(100);
            let falls = 2 + (known.chances % 6) as usize;
            let priorities = Priorities::new(seed, case.threads.len(), length, falls);
            let waits = if case.small { EXPLORED_WAITS } else { Waits::AfterOthers };
            let run = play(case, &self.crew, Arc::new(Mutex::new(priorities)), waits);
            known.longest = known.longest.max(run.steps.len());
            if self.count(case, known, &run) {
                known.explored.by_chance += 1;
            }
        }
        known.orders.len() > before
    }

    /// Counts a run; true if its order is new.
    fn count(&mut self, case: &Case, known: &mut Known, run: &Run) -> bool {
        self.found.runs += 1;
        let new = known.orders.insert(run.identity());
        if new {
            self.found.distinct += 1;
            if self.found.distinct.is_multiple_of(super::workers::STRIDE) {
                println!("{}", super::workers::STRIDE);
                // A parent that is gone needs no progress.
                let _ = io::stdout().flush();
            }
        }
        if run.failure.is_some() {
            known.failures += 1;
            self.found.failures.push(describe(case, run));
        }
        new
    }
}
