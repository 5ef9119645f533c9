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
    stay_on,
};
use serde::{Deserialize, Serialize};

use super::{case::Case, stage::play};

/// Most threads of a case.
const CREW: usize = 4;
/// Waits of the explored cases: the drain's first sleep may end at any moment.
const EXPLORED_WAITS: Waits = Waits::Early(1);
/// After so many failures of a case its search ends, since they tend to be the same one; after so many of all, the
/// whole search.
const MOST_FAILURES_OF_A_CASE: usize = 2;
const MOST_FAILURES: usize = 8;
/// Orders of a case that are explored before the next one's turn comes; twice as many the next time.
const FIRST_TURN: u64 = 10;
/// Runs by chance that a case gets in one go, as long as they find new orders.
const CHANCES: u64 = 200;

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
    let crew = Crew::new(CREW);
    let waits = if case.small { EXPLORED_WAITS } else { Waits::AfterOthers };
    let run = play(case, &crew, Arc::new(Mutex::new(Given::new(order))), waits);
    Ok(run.failure.is_some().then(|| describe(case, &run)))
}

/// Searches `cases` until there are `wanted` distinct orders, beginning by chance at `seed`.
pub fn search(cases: &[&Case], wanted: u64, seed: u64, processor: usize) -> Found {
    stay_on(processor);
    let mut search = Search { crew: Crew::new(CREW), wanted, seed, found: Found::default() };
    let mut known: Vec<Known> = cases.iter().map(|_| Known::default()).collect();
    // Three quarters are explored, so that small cases are seen to their ends; the rest meet by chance.
    let mut turn = FIRST_TURN;
    let mut fruitful = true;
    while fruitful && search.found.distinct < wanted / 4 * 3 {
        fruitful = false;
        for (case, known) in cases.iter().zip(&mut known).filter(|(case, _)| case.small) {
            if search.found.distinct < wanted / 4 * 3 {
                fruitful |= search.explore(case, known, turn);
            }
        }
        turn *= 2;
    }
    fruitful = true;
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
struct Known {
    orders: HashSet<u64>,
    explored: Explored,
    explorer: Arc<Mutex<Explorer>>,
    /// Runs by chance so far, and how many come next.
    chances: u64,
    next_chances: u64,
    longest: usize,
    failures: usize,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            orders: HashSet::new(),
            explored: Explored::default(),
            explorer: Arc::default(),
            chances: 0,
            next_chances: CHANCES,
            longest: 0,
            failures: 0,
        }
    }
}

impl Search {
    fn may_go_on(&self, known: &Known) -> bool {
        let given_up = known.failures >= MOST_FAILURES_OF_A_CASE || self.found.failures.len() >= MOST_FAILURES;
        !known.explored.exhausted && !given_up
    }

    /// The next orders of a case, so many at most; false when there are no more.
    fn explore(&mut self, case: &Case, known: &mut Known, most: u64) -> bool {
        let enough = known.explored.orders + most;
        while self.may_go_on(known) && known.explored.orders < enough {
            let strategy: Arc<Mutex<dyn Strategy>> = known.explorer.clone();
            let mut run = play(case, &self.crew, strategy, EXPLORED_WAITS);
            let explorer = Arc::clone(&known.explorer);
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
                return false;
            }
        }
        self.may_go_on(known)
    }

    /// Some orders of a case by chance; false when there was nothing new in them.
    fn meet_by_chance(&mut self, case: &Case, known: &mut Known) -> bool {
        let before = known.orders.len();
        for _ in 0..known.next_chances {
            if self.found.distinct >= self.wanted || !self.may_go_on(known) {
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
        let new = (known.orders.len() - before) as u64;
        // A case that repeats itself gets fewer runs the next time.
        known.next_chances = (2 * new).clamp(1, CHANCES);
        new > 0
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
