//! What comes of judging a claim.

use std::fmt::Write;

use serde::Serialize;

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Word {
    /// It is so.
    Pass,
    /// It is not.
    Fail,
    /// It was not seen.
    Unknown,
}

/// The verdict, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The verdict.
    pub word: Word,
    /// What was seen.
    pub seen: String,
}

/// So many problems are told; of more their number.
const TOLD: usize = 3;

impl Finding {
    /// It was not seen, since this was not.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self { word: Word::Unknown, seen: why.into() }
    }

    /// It is so, if it is.
    pub fn of(is_so: bool, seen: impl Into<String>) -> Self {
        Self { word: if is_so { Word::Pass } else { Word::Fail }, seen: seen.into() }
    }

    /// Of `count` things, called `what`, these are not as they should be.
    pub fn count(count: usize, what: &str, problems: &[String]) -> Self {
        if count == 0 {
            return Self::unknown(format!("no {what}"));
        }
        let good = count - problems.len().min(count);
        if problems.is_empty() {
            return Self::of(true, format!("{good} of {count} {what}"));
        }
        let mut seen = format!("{good} of {count} {what}; {}", problems[..problems.len().min(TOLD)].join("; "));
        if problems.len() > TOLD {
            let _ = write!(seen, "; and {} more", problems.len() - TOLD);
        }
        Self::of(false, seen)
    }
}
