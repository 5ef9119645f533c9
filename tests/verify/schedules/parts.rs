//! The search in parts, one for each worker process.

use anyhow::anyhow;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use super::{Arguments, case::Case, cases, search, search::Found};
use crate::workers;

/// What a worker is asked: to search its part of the cases.
#[derive(Serialize, Deserialize)]
struct Part {
    /// Only the cases with this in their names.
    case: String,
    /// How many distinct orders all parts are to have.
    wanted: u64,
    seed: u64,
    /// Which part it is.
    number: usize,
    /// How many parts there are.
    of: usize,
}

/// Searches the part that the check asks for.
pub fn work() -> anyhow::Result<()> {
    workers::serve(|part: &Part| {
        let cases = cases::named(&part.case);
        let mine: Vec<&Case> = cases.iter().skip(part.number).step_by(part.of).collect();
        let orders = (part.wanted * mine.len() as u64).div_ceil(cases.len().max(1) as u64);
        search::search(&mine, orders, part.seed)
    })
}

/// Has workers search, and puts together what they find.
pub fn search(arguments: &Arguments, wanted: u64, bar: &ProgressBar) -> anyhow::Result<Found> {
    let of = workers::processors();
    let part = |number| Part { case: arguments.case.clone(), wanted, seed: arguments.seed, number, of };
    let parts: Vec<Part> = (0..of).map(part).collect();
    let mut all = Found::default();
    for found in workers::ask("schedules", &parts, bar)? {
        let found: Found = found.map_err(|said| anyhow!("a part of the cases was not searched: {said}"))?;
        all.runs += found.runs;
        all.distinct += found.distinct;
        all.failures.extend(found.failures);
        all.explored.extend(found.explored);
    }
    all.explored.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(all)
}
