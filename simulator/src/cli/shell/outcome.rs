//! What comes of a command of the shell.

use crate::referee::BugCheck;

/// How a command ended, worst last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Well.
    #[default]
    Done = 0,
    /// It failed as it would on Windows.
    Failed = 1,
    /// It was typed wrongly, or names a file that cannot be used.
    Unusable = 2,
    /// The machine has stopped with a bug check.
    BugCheck = 3,
}

/// What a command prints, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The text, with a line end where it is not empty.
    pub text: String,
    /// How it ended.
    pub exit: Exit,
}

impl Output {
    pub(in crate::cli::shell) fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit: Exit::Done }
    }

    pub(in crate::cli::shell) fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit: Exit::Failed }
    }

    pub(in crate::cli::shell) fn unusable(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit: Exit::Unusable }
    }

    pub(in crate::cli::shell) fn bug_check(bug_check: &BugCheck) -> Self {
        let hint = "  the machine has stopped; `restart` starts it again, its services and registry as they were";
        Self { text: format!("{bug_check}\n{hint}\n"), exit: Exit::BugCheck }
    }
}
