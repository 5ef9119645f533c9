//! `cargo xtask verify`: every check of the life of a flow, and one table of what they found.
//!
//! A check is a function that gives a [`Row`]. Those on the shipped driver are subcommands of `flowtag-verify`, each a
//! process of its own. A check that breaks down is a failed row: the others run, and the table comes.

mod table;

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::{
    checks::{Request, Row, Status, on_hosts, on_the_driver},
    fuzzing, host_checks, mutants,
};

/// One check.
struct Check {
    /// Its name, in the table and on the command line.
    name: &'static str,
    /// Whether `--quick` runs it too.
    in_quick: bool,
    /// Runs it.
    run: fn(&Request) -> Result<Row>,
}

/// All checks, in the order in which they run.
const CHECKS: &[Check] = &[
    Check { name: "faults", in_quick: true, run: |request| on_the_driver::run("faults", request) },
    Check { name: "schedules", in_quick: true, run: |request| on_the_driver::run("schedules", request) },
    Check { name: "stress", in_quick: true, run: |request| on_the_driver::run("stress", request) },
    Check { name: "loom", in_quick: true, run: host_checks::loom },
    Check { name: "shuttle", in_quick: true, run: host_checks::shuttle },
    Check { name: "miri", in_quick: false, run: host_checks::miri },
    Check { name: "thread_sanitizer", in_quick: false, run: host_checks::thread_sanitizer },
    Check { name: "fuzz", in_quick: true, run: fuzzing::check },
    Check { name: "third_party", in_quick: true, run: |request| on_the_driver::run("third-party", request) },
    Check { name: "wine", in_quick: true, run: |request| on_hosts::run("wine", request) },
    Check { name: "speakeasy", in_quick: true, run: |request| on_hosts::run("speakeasy", request) },
    Check { name: "arm64", in_quick: true, run: |request| on_hosts::run("arm64", request) },
    Check { name: "mutants", in_quick: true, run: mutants::check },
];

/// Runs all checks, or only the one named; prints the table, and with `json` the line for programs.
pub fn run(request: &Request, only: Option<&str>, json: bool) -> Result<()> {
    let chosen: Vec<_> = match only {
        Some(name) => vec![find(name)?],
        None => CHECKS.iter().filter(|check| check.in_quick || !request.quick).collect(),
    };
    let rows: Vec<Row> = chosen.into_iter().map(|check| row_of(check, request)).collect();
    table::print(&rows);
    if json {
        println!("{}", table::json(&rows));
    }
    let failed: Vec<_> = rows.iter().filter(|row| row.status == Status::Failed).map(|row| row.check.as_str()).collect();
    ensure!(failed.is_empty(), "failed: {} (see above)", failed.join(", "));
    Ok(())
}

fn find(name: &str) -> Result<&'static Check> {
    let same = |check: &&Check| check.name == name.replace('-', "_");
    CHECKS.iter().find(same).with_context(|| {
        let names: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
        format!("there is no check “{name}”; there are {}", names.join(", "))
    })
}

/// The check's row; a failed one when the check itself breaks down.
fn row_of(check: &Check, request: &Request) -> Row {
    eprintln!("{}…", check.name);
    let start = Instant::now();
    let row = (check.run)(request).unwrap_or_else(|error| {
        eprintln!("error: the check {} broke down: {error:#}", check.name);
        Row::new(check.name, start, 0, 0, 1)
    });
    // The table comes after an hour, if nobody ends the run before.
    eprintln!("{}: {}, {} cases in {:.0} s", row.check, row.status.name(), row.cases, row.seconds);
    row
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use anyhow::bail;

    use super::*;
    use crate::target::Target;

    fn found(check: &Check) -> Row {
        let nowhere = Path::new("");
        let (image, flowtag_verify) = (nowhere, nowhere);
        row_of(check, &Request { quick: true, target: Target::default(), image, flowtag_verify, arguments: &[] })
    }

    #[test]
    fn a_check_that_breaks_down_is_a_failed_row() {
        let row = found(&Check { name: "some", in_quick: true, run: |_| bail!("broken") });
        assert!(row.status == Status::Failed && row.failures == 1);
    }

    #[test]
    fn a_check_is_found_by_its_name_with_dash_or_underscore() {
        assert!(["third-party", "third_party"].iter().all(|name| find(name).is_ok()));
    }

    #[test]
    fn an_unknown_check_is_refused() {
        assert!(find("some").is_err());
    }
}
