//! The recorded budget: counts that may not rise.

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context, Result};

use crate::counts::Counted;

/// What stands above the counts in the file.
const HEADING: &str = "\
# What each operation may cost, counted on the release image. `cargo xtask bench --check`, a part of `cargo xtask test`,
# fails where a count is above its line here; `cargo xtask bench --record` writes the file anew.
";

/// Writes `counted` as the budget.
pub fn record(path: &Path, counted: &Counted) -> Result<()> {
    let text = toml::to_string(counted).context("the counts as TOML")?;
    fs::write(path, format!("{HEADING}\n{text}")).with_context(|| format!("write {}", path.display()))?;
    println!("{} has the counts of {} operations.", path.display(), counted.len());
    Ok(())
}

/// Compares `counted` with the budget and says what is above, and what could be lowered.
pub fn check(path: &Path, counted: &Counted) -> Result<ExitCode> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let budget: Counted = toml::from_str(&text).with_context(|| format!("{} is no budget", path.display()))?;
    let Comparison { above, below } = compare(&budget, counted);
    for line in &below {
        println!("{line}: `cargo xtask bench --record` would lower the budget");
    }
    for line in &above {
        eprintln!("{line}");
    }
    if above.is_empty() {
        println!("{} operations are within {}.", counted.len(), path.display());
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("The driver costs more than {} allows. If it must: `cargo xtask bench --record`.", path.display());
    Ok(ExitCode::FAILURE)
}

/// How counts differ from the budget, a line each.
#[derive(Debug, Default, PartialEq, Eq)]
struct Comparison {
    above: Vec<String>,
    below: Vec<String>,
}

fn compare(budget: &Counted, counted: &Counted) -> Comparison {
    let mut comparison = Comparison::default();
    for (operation, counts) in counted {
        let Some(allowed) = budget.get(operation) else {
            comparison.above.push(format!("{operation}: not in the budget"));
            continue;
        };
        for ((name, old), (_, new)) in allowed.named().into_iter().zip(counts.named()) {
            let line = format!("{operation}: {name} {old} -> {new}");
            match new.cmp(&old) {
                std::cmp::Ordering::Greater => comparison.above.push(line),
                std::cmp::Ordering::Less => comparison.below.push(line),
                std::cmp::Ordering::Equal => {}
            }
        }
    }
    let gone = budget.keys().filter(|operation| !counted.contains_key(*operation));
    comparison.above.extend(gone.map(|operation| format!("{operation}: in the budget, but no longer counted")));
    comparison
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::Counts;

    const LIFE: Counts = Counts { instructions: 500, imports: 11, pool_allocations: 1, irql_pairs: 2 };

    fn one(counts: Counts) -> Counted {
        Counted::from([("flow_life".to_owned(), counts)])
    }

    #[test]
    fn equal_counts_are_within_the_budget() {
        assert_eq!(compare(&one(LIFE), &one(LIFE)), Comparison::default());
    }

    #[test]
    fn one_more_lock_is_named_with_the_old_and_the_new_figure() {
        let with_lock = Counts { irql_pairs: 3, ..LIFE };
        assert_eq!(compare(&one(LIFE), &one(with_lock)).above, ["flow_life: irql_pairs 2 -> 3"]);
    }

    #[test]
    fn fewer_instructions_are_no_failure() {
        let faster = Counts { instructions: 400, ..LIFE };
        let Comparison { above, below } = compare(&one(LIFE), &one(faster));
        assert_eq!((above.len(), below), (0, vec!["flow_life: instructions 500 -> 400".to_owned()]));
    }

    #[test]
    fn an_operation_that_the_budget_lacks_is_a_failure() {
        assert_eq!(compare(&Counted::new(), &one(LIFE)).above, ["flow_life: not in the budget"]);
    }

    #[test]
    fn an_operation_that_is_no_longer_counted_is_a_failure() {
        assert_eq!(compare(&one(LIFE), &Counted::new()).above, ["flow_life: in the budget, but no longer counted"]);
    }
}
