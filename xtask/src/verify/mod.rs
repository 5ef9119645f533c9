//! `cargo xtask verify`: every check of the life of a flow, and one table of what they found.
//!
//! A check is a function that gives a [`Row`]. Those on the shipped driver are subcommands of `flowtag-verify`, each a
//! process of its own. A check that breaks down is a failed row: the others run, and the table comes.

mod table;

use std::{
    thread::{self, ScopedJoinHandle},
    time::Instant,
};

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
    /// Whether it leaves a processor idle for much of its time: it runs beside those that come after it.
    beside: bool,
    /// Runs it.
    run: fn(&Request) -> Result<Row>,
}

impl Check {
    /// One that wants the machine for itself.
    const fn alone(name: &'static str, run: fn(&Request) -> Result<Row>) -> Self {
        Self { name, in_quick: true, beside: false, run }
    }

    /// The same, for a full run only.
    const fn in_full(name: &'static str, run: fn(&Request) -> Result<Row>) -> Self {
        Self { in_quick: false, ..Self::alone(name, run) }
    }

    /// One that leaves a processor idle for much of its time.
    const fn beside(name: &'static str, run: fn(&Request) -> Result<Row>) -> Self {
        Self { beside: true, ..Self::alone(name, run) }
    }
}

/// All checks, in the order in which they begin. Wine waits; fuzzing begins with a build of minutes, most of which is two large
/// crates, one after the other; and each mutant is built by one processor.
const CHECKS: &[Check] = &[
    Check::alone("faults", |request| on_the_driver::run("faults", request)),
    Check::alone("schedules", |request| on_the_driver::run("schedules", request)),
    Check::alone("stress", |request| on_the_driver::run("stress", request)),
    Check::alone("loom", host_checks::loom),
    Check::alone("shuttle", host_checks::shuttle),
    Check::in_full("miri", host_checks::miri),
    Check::in_full("thread_sanitizer", host_checks::thread_sanitizer),
    Check::beside("wine", |request| on_hosts::run("wine", request)),
    Check::beside("fuzz", fuzzing::check),
    Check::alone("third_party", |request| on_the_driver::run("third-party", request)),
    Check::alone("speakeasy", |request| on_hosts::run("speakeasy", request)),
    Check::alone("arm64", |request| on_hosts::run("arm64", request)),
    Check::alone("mutants", mutants::check),
];

/// Runs all checks, or only the one named; prints the table, and with `json` the line for programs.
pub fn run(request: &Request, only: Option<&str>, json: bool) -> Result<()> {
    let chosen: Vec<_> = match only {
        Some(name) => vec![find(name)?],
        None => CHECKS.iter().filter(|check| check.in_quick || !request.quick).collect(),
    };
    let rows = rows(&chosen, request);
    table::print(&rows);
    if json {
        println!("{}", table::json(&rows));
    }
    let failed: Vec<_> = rows.iter().filter(|row| row.status == Status::Failed).map(|row| row.check.as_str()).collect();
    ensure!(failed.is_empty(), "failed: {} (see above)", failed.join(", "));
    Ok(())
}

/// Runs checks; their rows, in their order.
fn rows(checks: &[&Check], request: &Request) -> Vec<Row> {
    thread::scope(|scope| {
        let begun: Vec<_> = checks
            .iter()
            .map(|check| {
                let run = || row_of(check, request);
                if check.beside { Begun::Runs(scope.spawn(run)) } else { Begun::Ended(run()) }
            })
            .collect();
        begun.into_iter().map(Begun::row).collect()
    })
}

/// A check that has begun.
enum Begun<'scope> {
    Ended(Row),
    Runs(ScopedJoinHandle<'scope, Row>),
}

impl Begun<'_> {
    /// Waits for its row.
    fn row(self) -> Row {
        match self {
            Self::Ended(row) => row,
            Self::Runs(thread) => thread.join().expect("a check does not panic"),
        }
    }
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
    use std::{
        path::Path,
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };

    use anyhow::bail;

    use super::*;
    use crate::target::Target;

    fn rows_of(checks: &[&Check]) -> Vec<Row> {
        let nowhere = Path::new("");
        let (image, flowtag_verify) = (nowhere, nowhere);
        rows(checks, &Request { quick: true, target: Target::default(), image, flowtag_verify, arguments: &[] })
    }

    fn row(name: &str) -> Row {
        Row::new(name, Instant::now(), 1, 1, 0)
    }

    #[test]
    fn a_check_that_breaks_down_is_a_failed_row() {
        let found = rows_of(&[&Check::alone("some", |_| bail!("broken"))]);
        assert!(found[0].status == Status::Failed && found[0].failures == 1);
    }

    #[test]
    fn a_check_that_waits_runs_beside_the_next_and_has_its_row_before_it() {
        static NEXT_RUNS: AtomicBool = AtomicBool::new(false);
        let waits = Check::beside("waits", |_| {
            let start = Instant::now();
            while !NEXT_RUNS.load(Ordering::Relaxed) {
                ensure!(start.elapsed() < Duration::from_secs(20), "the next check does not run");
                thread::yield_now();
            }
            Ok(row("waits"))
        });
        let next = Check::alone("next", |_| {
            NEXT_RUNS.store(true, Ordering::Relaxed);
            Ok(row("next"))
        });
        let found = rows_of(&[&waits, &next]).into_iter().map(|row| (row.check, row.failures));
        assert_eq!(found.collect::<Vec<_>>(), [("waits".to_owned(), 0), ("next".to_owned(), 0)]);
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
