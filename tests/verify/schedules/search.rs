//! Goes through the orders of the cases.

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::Context;
use flowtag_simulator::interleave::{
    Crew, Run, Strategy, Waits,
    explore::Explorer,
    order,
    random::{Given, Priorities},
};
use indicatif::ProgressBar;

use super::{case::Case, stage::play};

/// Most threads of a case.
const CREW: usize = 4;
/// Processors that search at once.
const WORKERS: usize = 2;
/// Waits of the explored cases: the drain's first sleep may end at any moment.
const EXPLORED_WAITS: Waits = Waits::Early(1);
/// Of the distinct orders, this part is explored, the others meet by chance.
const EXPLORED_SHARE: u64 = 2;
/// After so many failures of a case its search ends: they tend to be the same one.
const MOST_FAILURES: usize = 3;
/// Runs by chance that go on a case in one go.
const TURN: u64 = 200;

/// How much to search.
pub struct Budget {
    /// Distinct orders.
    pub wanted: u64,
    /// Where chance begins.
    pub seed: u64,
}

/// What came of it.
pub struct Found {
    /// All runs, repeated orders among them.
    pub runs: u64,
    /// Distinct orders.
    pub distinct: u64,
    /// Cases of which every order has been seen.
    pub exhausted: u64,
    /// What went wrong.
    pub failures: Vec<Failure>,
    /// How far each case was explored.
    pub explored: Vec<Explored>,
}

/// How far a case was explored.
#[derive(Clone, Copy, Default)]
pub struct Explored {
    runs: u64,
    orders: u64,
    by_chance: u64,
    exhausted: bool,
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, orders, by_chance, exhausted } = self;
        let all = if *exhausted { "all" } else { "the first" };
        write!(f, "{all} {orders} orders in {runs} runs, {by_chance} more by chance")
    }
}

/// An order that goes wrong.
pub struct Failure {
    case: String,
    run: Run,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, run } = self;
        writeln!(f, "schedules: {case}: {}", run.failure.as_deref().unwrap_or("nothing went wrong"))?;
        writeln!(f, "the last steps:")?;
        for step in &run.steps[run.steps.len().saturating_sub(30)..] {
            writeln!(f, "  {:indent$}{}: {}", "", step.thread, step.name, indent = 4 * step.thread)?;
        }
        write!(f, "repeat it with: cargo xtask verify -- schedules --replay '{case}:{}'", run.trace())
    }
}

/// What workers share.
struct Search<'a> {
    cases: &'a [&'a Case],
    budget: &'a Budget,
    bar: &'a ProgressBar,
    next: AtomicUsize,
    distinct: AtomicU64,
    runs: AtomicU64,
    progress: Vec<Mutex<Progress>>,
}

/// What is known of a case.
#[derive(Default)]
struct Progress {
    seen: HashSet<u64>,
    explored: Explored,
    turns: u64,
    length: usize,
    failures: Vec<Failure>,
}

/// Searches the cases.
pub fn search(cases: &[&Case], budget: &Budget, bar: &ProgressBar) -> Found {
    let progress = cases.iter().map(|_| Mutex::default()).collect();
    let (next, distinct, runs) = Default::default();
    let search = Search { cases, budget, bar, next, distinct, runs, progress };
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let search = &search;
            scope.spawn(move || search.work(worker));
        }
    });
    let mut found = Found {
        runs: search.runs.into_inner(),
        distinct: search.distinct.into_inner(),
        exhausted: 0,
        failures: Vec::new(),
        explored: Vec::new(),
    };
    for progress in search.progress {
        let progress = progress.into_inner().unwrap();
        found.exhausted += u64::from(progress.explored.exhausted);
        found.failures.extend(progress.failures);
        found.explored.push(progress.explored);
    }
    found
}

/// Runs one order of a case again.
pub fn replay(case: &Case, trace: &str) -> anyhow::Result<Option<Failure>> {
    let order = order::read(trace).with_context(|| format!("`{trace}` is no order"))?;
    let crew = Crew::new(CREW, 0);
    let waits = if case.small { EXPLORED_WAITS } else { Waits::AfterOthers };
    let run = play(case, &crew, Arc::new(Mutex::new(Given::new(order))), waits);
    Ok(run.failure.is_some().then(|| Failure { case: case.name.clone(), run }))
}

impl Search<'_> {
    /// Explores case after case, then has threads meet by chance until there are enough orders.
    fn work(&self, worker: usize) {
        let crew = Crew::new(CREW, worker);
        while let Some(&case) = self.cases.get(self.next.load(Ordering::Relaxed)) {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            if at < self.cases.len() && case.small {
                self.explore(at, &crew);
            }
        }
        let mut fruitless = 0;
        while self.distinct.load(Ordering::Relaxed) < self.budget.wanted && fruitless < 3 * self.cases.len() {
            let at = self.next.fetch_add(1, Ordering::Relaxed) % self.cases.len();
            fruitless = if self.meet_by_chance(at, &crew) { 0 } else { fruitless + 1 };
        }
    }

    /// Every order of a case, up to its share of the budget.
    fn explore(&self, at: usize, crew: &Crew) {
        let case = self.cases[at];
        let small = self.cases.iter().filter(|case| case.small).count() as u64;
        let most = self.budget.wanted / EXPLORED_SHARE / small.max(1);
        let explorer = Arc::new(Mutex::new(Explorer::default()));
        let mut progress = self.progress[at].lock().unwrap();
        loop {
            let strategy: Arc<Mutex<dyn Strategy>> = explorer.clone();
            let run = play(case, crew, strategy, EXPLORED_WAITS);
            let mut explorer = explorer.lock().unwrap();
            let mut run = run;
            if explorer.strayed() {
                run.failure.get_or_insert_with(|| "the same order went another way the second time".into());
            }
            progress.explored.runs += 1;
            let failed = run.failure.is_some();
            if self.count(case, &mut progress, run) {
                progress.explored.orders += 1;
            }
            if !explorer.next_run() {
                progress.explored.exhausted = !failed;
                return;
            }
            if progress.explored.orders >= most.max(1) || progress.failures.len() >= MOST_FAILURES {
                return;
            }
        }
    }

    /// Some orders of a case by chance; false when there was nothing new in them.
    fn meet_by_chance(&self, at: usize, crew: &Crew) -> bool {
        let case = self.cases[at];
        let Ok(mut progress) = self.progress[at].try_lock() else { return true };
        if progress.explored.exhausted || progress.failures.len() >= MOST_FAILURES {
            return false;
        }
        let before = progress.seen.len();
        for _ in 0..TURN {
            let seed = self.budget.seed.wrapping_mul(1 << 32).wrapping_add(progress.turns);
            progress.turns += 1;
            // Longer than any run so far, at first by a guess.
            let length = progress.length.max(100);
            let falls = 2 + progress.turns as usize % 6;
            let priorities = Priorities::new(seed, case.threads.len(), length, falls);
            let waits = if case.small { EXPLORED_WAITS } else { Waits::AfterOthers };
            let run = play(case, crew, Arc::new(Mutex::new(priorities)), waits);
            progress.length = progress.length.max(run.steps.len());
            if self.count(case, &mut progress, run) {
                progress.explored.by_chance += 1;
            }
            if self.distinct.load(Ordering::Relaxed) >= self.budget.wanted {
                break;
            }
        }
        progress.seen.len() > before
    }

    /// Counts a run; true if its order is new.
    fn count(&self, case: &Case, progress: &mut Progress, run: Run) -> bool {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let new = progress.seen.insert(run.identity());
        if new {
            self.distinct.fetch_add(1, Ordering::Relaxed);
            self.bar.inc(1);
        }
        if run.failure.is_some() && progress.failures.len() < MOST_FAILURES {
            progress.failures.push(Failure { case: case.name.clone(), run });
        }
        new
    }
}
