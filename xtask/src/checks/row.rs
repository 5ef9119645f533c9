//! What one check found: a row of the table.

use std::{collections::BTreeMap, time::Instant};

use serde::Deserialize;

/// One check's result. `flowtag-verify` prints it as the last line of its output.
#[derive(Deserialize)]
pub struct Row {
    /// The check's name.
    pub check: String,
    /// Cases that ran.
    pub cases: u64,
    /// How many of them differ: faults, schedules, flows, inputs.
    pub distinct: u64,
    /// Cases that failed.
    pub failures: u64,
    /// How long it took.
    pub seconds: f64,
    /// The verdict.
    pub status: Status,
    /// Figures with names of their own, such as `fault_points`.
    #[serde(default)]
    pub figures: BTreeMap<String, u64>,
}

/// A check's verdict.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Status {
    /// Nothing failed.
    #[serde(rename = "passed")]
    Passed,
    /// Something failed, or the check itself did.
    #[serde(rename = "failed")]
    Failed,
    /// What it needs cannot be had here: neither good nor bad.
    #[serde(rename = "not run")]
    NotRun,
}

impl Status {
    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotRun => "not run",
        }
    }
}

impl Row {
    /// The row of a check that ran from `start` until now.
    pub fn new(check: &str, start: Instant, cases: u64, distinct: u64, failures: u64) -> Self {
        Self {
            check: check.to_owned(),
            cases,
            distinct,
            failures,
            seconds: start.elapsed().as_secs_f64(),
            status: if failures == 0 { Status::Passed } else { Status::Failed },
            figures: BTreeMap::new(),
        }
    }

    /// The row of a check that could not run here, and why.
    pub fn not_run(check: &str, start: Instant, why: &str) -> Self {
        eprintln!("{check} was not run: {why}");
        Self { status: Status::NotRun, ..Self::new(check, start, 0, 0, 0) }
    }

    /// With a figure of its own name.
    pub fn with(mut self, name: &str, figure: u64) -> Self {
        self.figures.insert(name.to_owned(), figure);
        self
    }
}
