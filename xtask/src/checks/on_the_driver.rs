//! Checks that are programs: the subcommands of `flowtag-verify`, on the shipped driver, and others of their kind.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::{Request, Row};
use crate::process;

/// No check takes so long on two processors; one that does hangs.
const LONGEST_QUICK: Duration = Duration::from_mins(15);
/// The same for a full run.
const LONGEST_FULL: Duration = Duration::from_mins(90);

/// Runs one subcommand of `flowtag-verify`.
pub fn run(subcommand: &str, request: &Request) -> Result<Row> {
    let mut command = Command::new(request.flowtag_verify);
    command.arg(subcommand);
    if request.quick {
        command.arg("--quick");
    }
    command.args(request.arguments).env("FLOWTAG_SYS", request.image);
    run_for_row(&mut command, request.quick)
}

/// Runs a program and reads the row that it prints last. Everything else that it prints is shown.
pub fn run_for_row(command: &mut Command, quick: bool) -> Result<Row> {
    let name = format!("{command:?}");
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| format!("start {name}"))?;
    let stdout = child.stdout.take().with_context(|| format!("{name} has no output"))?;
    let limit = if quick { LONGEST_QUICK } else { LONGEST_FULL };
    let deadline = Instant::now() + limit;
    let watch = thread::spawn(move || process::wait_unless(&mut child, || Instant::now() > deadline));

    let mut row = None;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("read what a check prints")?;
        match serde_json::from_str::<Row>(&line) {
            Ok(found) => row = Some(found),
            Err(_) => println!("{line}"),
        }
    }
    let status = watch.join().expect("waiting does not panic")?;
    let Some(status) = status else { bail!("{name} did not end within {limit:?}") };
    let row = row.with_context(|| format!("{name} ended without a result ({status})"))?;
    ensure!(
        status.success() == (row.failures == 0),
        "{name} counts {} failures and yet ended with {status}",
        row.failures
    );
    Ok(row)
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, path::Path};

    use super::*;
    use crate::target::Target;

    /// Runs a shell script as if it were a check.
    fn check(script: &str) -> Result<Row> {
        let arguments = [OsString::from(script)];
        let request = Request {
            quick: false,
            target: Target::default(),
            image: Path::new("flowtag.sys"),
            flowtag_verify: Path::new("/bin/sh"),
            arguments: &arguments,
        };
        run("-c", &request)
    }

    fn row(failures: u64) -> String {
        let verdict = if failures == 0 { "passed" } else { "failed" };
        format!(
            r#"echo '{{"check":"some","cases":9,"distinct":8,"failures":{failures},"seconds":1.5,"status":"{verdict}"}}'"#
        )
    }

    #[test]
    fn the_row_that_a_check_prints_is_its_result() {
        let found = check(&format!("echo something else; {}", row(0))).unwrap();
        assert_eq!((found.cases, found.distinct, found.failures), (9, 8, 0));
    }

    #[test]
    fn failures_are_counted_when_the_check_ends_as_failed() {
        assert_eq!(check(&format!("{}; exit 1", row(2))).unwrap().failures, 2);
    }

    #[test]
    fn a_check_that_prints_no_row_has_broken_down() {
        assert!(check("echo something else").is_err());
    }

    #[test]
    fn a_check_that_is_killed_has_broken_down() {
        assert!(check("kill -9 $$").is_err());
    }

    #[test]
    fn a_check_that_counts_no_failure_and_ends_as_failed_has_broken_down() {
        assert!(check(&format!("{}; exit 1", row(0))).is_err());
    }
}
