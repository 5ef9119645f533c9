//! The table of all rows, and the line for programs.

use serde_json::{Map, Value};

use crate::checks::{Row, Status};

/// The figures that the line for programs always has.
const FIGURES: [&str; 7] =
    ["fault_points", "fault_pairs", "schedules", "stress_flows", "fuzz_inputs", "mutants", "mutants_caught"];

/// The checks whose verdicts the line for programs names: each takes something from outside the repository.
const VERDICTS: [&str; 6] = ["miri", "thread_sanitizer", "third_party", "wine", "speakeasy", "arm64"];

/// Prints the rows below each other.
pub fn print(rows: &[Row]) {
    println!("{:<14} {:>12} {:>12} {:>9} {:>9}", "check", "cases", "distinct", "failures", "seconds");
    for row in rows {
        let Row { check, cases, distinct, failures, seconds, status, .. } = row;
        let note = if *status == Status::NotRun { "  not run" } else { "" };
        println!("{check:<14} {cases:>12} {distinct:>12} {failures:>9} {seconds:>9.1}{note}");
    }
}

/// The line for programs: the sum of each figure, and of the failures.
pub fn json(rows: &[Row]) -> String {
    let mut line = Map::new();
    for name in FIGURES {
        let sum: u64 = rows.iter().filter_map(|row| row.figures.get(name)).sum();
        line.insert(name.to_owned(), sum.into());
    }
    for name in VERDICTS {
        let status = rows.iter().find(|row| row.check == name).map_or(Status::NotRun, |row| row.status);
        line.insert(name.to_owned(), status.name().into());
    }
    line.insert("failures".to_owned(), rows.iter().map(|row| row.failures).sum::<u64>().into());
    Value::Object(line).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn parsed(rows: &[Row]) -> Value {
        serde_json::from_str(&json(rows)).unwrap()
    }

    #[test]
    fn figures_of_all_rows_are_added() {
        let rows = ["one", "other"].map(|name| Row::new(name, Instant::now(), 1, 1, 0).with("fuzz_inputs", 21));
        assert_eq!(parsed(&rows)["fuzz_inputs"], 42);
    }

    #[test]
    fn a_figure_that_no_check_gave_is_zero() {
        assert_eq!(parsed(&[])["fault_pairs"], 0);
    }

    #[test]
    fn failures_of_all_rows_are_added() {
        let rows = [1, 2].map(|failures| Row::new("some", Instant::now(), 9, 9, failures));
        assert_eq!(parsed(&rows)["failures"], 3);
    }

    #[test]
    fn a_check_from_outside_that_was_not_run_has_not_passed() {
        let line = parsed(&[Row::new("wine", Instant::now(), 2, 2, 0), Row::new("arm64", Instant::now(), 2, 2, 1)]);
        let verdicts = VERDICTS.map(|name| line[name].as_str().unwrap());
        assert_eq!(verdicts, ["not run", "not run", "not run", "passed", "not run", "failed"]);
    }
}
