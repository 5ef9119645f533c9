//! Make every import fail from every place that calls it.
//!
//! One run without faults tells the places: the call stacks of all imports that can fail. Then the scenario runs once
//! for each place, each of the first calls from there, and each way in which the call can fail; on a machine of its own
//! each time. Places that only a fault leads to (undoing a start that failed) are swept too, behind the fault that led
//! there. The full run goes on with pairs of faults.

mod fault;
mod places;
mod points;
mod scenario;

use std::time::Instant;

use clap::Args;
use serde::{Deserialize, Serialize};

use self::{fault::Fault, places::Places, scenario::Seen};
use crate::{
    caught::caught,
    report::{Report, progress},
    workers,
};

/// So many failures are told in full.
const TOLD: u64 = 10;

/// How to check.
#[derive(Args)]
pub struct Arguments {
    /// No pairs of faults
    #[arg(long)]
    quick: bool,
    /// Chooses the machine's randomness and the pairs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many pairs of faults
    #[arg(long, default_value_t = 10_000)]
    pairs: usize,
    /// Run only with these faults, as a failure's report names them: import@stack#nth=status, joined by +; or with `none`
    #[arg(long, value_parser = read_case)]
    replay: Option<Case>,
}

/// The faults of one run of the scenario.
type Case = Vec<Fault>;

/// What a worker is asked: to run the scenario once.
#[derive(Serialize, Deserialize)]
struct Question {
    case: Case,
    seed: u64,
}

/// Runs the scenario as the check asks.
pub fn work() -> anyhow::Result<()> {
    workers::serve(|question: &Question| {
        let seen = scenario::run(&question.case, question.seed);
        workers::report_progress(1);
        seen
    })
}

/// Runs the check.
pub fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    let start = Instant::now();
    let mut sweep = Sweep { seed: arguments.seed, places: Places::default(), cases: 0, distinct: 0, failures: 0 };
    if let Some(case) = &arguments.replay {
        // In this process, so that a debugger meets the driver.
        let seen = caught(|| scenario::run(case, arguments.seed));
        sweep.cases = 1;
        sweep.distinct = sweep.judge(case, seen).into();
        return Ok(sweep.report(start));
    }

    sweep.run(vec![Case::new()])?;
    let mut points = Vec::new();
    loop {
        let wave = sweep.places.take_unswept();
        if wave.is_empty() || sweep.failures > 0 {
            break;
        }
        points.extend(wave.iter().cloned());
        sweep.run(wave)?;
    }
    sweep.places.print();

    let mut pairs = 0;
    if !arguments.quick && sweep.failures == 0 {
        let singles: Vec<_> = points.iter().filter(|case| case.len() == 1).map(|case| case[0]).collect();
        let chosen = points::pairs(&singles, arguments.pairs, arguments.seed);
        pairs = sweep.run(chosen.into_iter().map(Case::from).collect())?;
    }
    let figures =
        [("fault_points", points.len() as u64), ("fault_stacks", sweep.places.len() as u64), ("fault_pairs", pairs)];
    Ok(figures.into_iter().fold(sweep.report(start), |report, (name, figure)| report.with(name, figure)))
}

struct Sweep {
    seed: u64,
    places: Places,
    cases: u64,
    /// Cases in which every fault struck.
    distinct: u64,
    failures: u64,
}

impl Sweep {
    /// Runs the scenario once with the faults of each case; in how many every fault struck.
    fn run(&mut self, cases: Vec<Case>) -> anyhow::Result<u64> {
        let questions: Vec<_> = cases.into_iter().map(|case| Question { case, seed: self.seed }).collect();
        let bar = progress("faults", questions.len() as u64);
        let outcomes = workers::ask::<_, Seen>("faults", &questions, &bar)?;
        bar.finish_and_clear();

        let mut struck = 0;
        for (Question { case, .. }, outcome) in questions.iter().zip(outcomes) {
            struck += u64::from(self.judge(case, outcome));
        }
        self.cases += questions.len() as u64;
        self.distinct += struck;
        Ok(struck)
    }

    /// Notes what came of a case; whether every fault struck.
    fn judge(&mut self, case: &Case, outcome: Result<Seen, String>) -> bool {
        match outcome {
            Ok(seen) => {
                self.places.add(case, seen.stacks);
                if seen.struck == case.len() {
                    return true;
                }
                if case.len() < 2 {
                    self.fail(case, "the call that was to fail did not come: the scenario is not repeatable");
                }
            }
            Err(said) => self.fail(case, &said),
        }
        false
    }

    fn fail(&mut self, case: &Case, said: &str) {
        self.failures += 1;
        if self.failures <= TOLD {
            eprintln!("failed with {}", if case.is_empty() { "no fault at all" } else { "these faults:" });
            for fault in case {
                eprintln!("    {fault}\n        called at {}", self.places.describe(fault.at.stack));
            }
            eprintln!("{said}\nrepeat with: {}\n", replay(case, self.seed));
        } else if self.failures == TOLD + 1 {
            eprintln!("more failures are only counted");
        }
    }

    fn report(&self, start: Instant) -> Report {
        Report::new("faults", start, self.cases, self.distinct, self.failures)
    }
}

/// What stands for no fault.
const NONE: &str = "none";

/// The command that runs the case again: on the same image, since another one has other stacks.
fn replay(case: &Case, seed: u64) -> String {
    format!("cargo xtask verify -- faults --seed {seed} --replay '{}'", written(case))
}

fn written(case: &Case) -> String {
    let faults: Vec<_> = case.iter().map(Fault::to_string).collect();
    if faults.is_empty() { NONE.to_owned() } else { faults.join("+") }
}

fn read_case(text: &str) -> anyhow::Result<Case> {
    if text == NONE { Ok(Case::new()) } else { text.split('+').map(str::parse).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_read_as_it_is_written() {
        for text in
            ["none", "ExAllocatePool2@0123456789abcdef#1", "ExAllocatePool2@01#1+FwpmEngineOpen0@02#8=0xc000009a"]
        {
            let case = read_case(text).unwrap();
            assert_eq!(read_case(&written(&case)).unwrap(), case);
            assert_eq!(case.len(), text.matches('@').count());
        }
    }
}
