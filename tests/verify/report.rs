//! What a check found, as `cargo xtask verify` reads it.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// A row of the table of `cargo xtask verify`.
#[derive(Debug, Serialize)]
pub struct Report {
    check: &'static str,
    cases: u64,
    distinct: u64,
    failures: u64,
    seconds: f64,
    status: Status,
    /// Figures with names of their own, such as `fault_points`.
    figures: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Status {
    #[serde(rename = "passed")]
    Passed,
    #[serde(rename = "failed")]
    Failed,
    /// Something outside the repository was missing: neither good nor bad.
    #[serde(rename = "not run")]
    NotRun,
}

impl Report {
    /// The row of a check that ran from `start` until now: how many cases, how many of them distinct, how many failed.
    pub fn new(check: &'static str, start: Instant, cases: u64, distinct: u64, failures: u64) -> Self {
        let status = if failures == 0 { Status::Passed } else { Status::Failed };
        let seconds = start.elapsed().as_secs_f64();
        Self { check, cases, distinct, failures, seconds, status, figures: BTreeMap::new() }
    }

    /// The row of a check that could not run, for want of something outside the repository.
    pub fn not_run(check: &'static str, start: Instant) -> Self {
        Self { status: Status::NotRun, ..Self::new(check, start, 0, 0, 0) }
    }

    /// With a figure of its own name.
    pub fn with(mut self, name: &'static str, figure: u64) -> Self {
        self.figures.insert(name, figure);
        self
    }

    /// Prints the row as the last line of standard output; the exit code says whether nothing failed.
    pub fn finish(&self) -> anyhow::Result<ExitCode> {
        println!("{}", serde_json::to_string(self)?);
        Ok(if self.status == Status::Failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// A progress bar over `length` steps; nothing where standard error is no terminal.
pub fn progress(check: &'static str, length: u64) -> ProgressBar {
    let template = format!("{check:11} {{pos}}/{{len}} {{wide_bar}} {{eta}} {{msg}}");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(length).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
