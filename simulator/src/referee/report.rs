//! A bug check as it is shown: the stop code, what happened, and where the driver was.

use std::{fmt, sync::Arc};

use super::names::bug_check_name;
use crate::image::Frame;

/// A machine's last words. Cheap to clone.
#[derive(Clone)]
pub struct BugCheck(Arc<Report>);

struct Report {
    code: u32,
    parameters: [u64; 4],
    reason: String,
    frames: Vec<Frame>,
    seed: u64,
    repeat: Option<String>,
}

impl BugCheck {
    pub(crate) fn new(
        code: u32,
        parameters: [u64; 4],
        reason: String,
        frames: Vec<Frame>,
        (seed, repeat): (u64, Option<String>),
    ) -> Self {
        Self(Arc::new(Report { code, parameters, reason, frames, seed, repeat }))
    }

    /// The stop code.
    #[must_use]
    pub fn code(&self) -> u32 {
        self.0.code
    }

    /// The four parameters.
    #[must_use]
    pub fn parameters(&self) -> [u64; 4] {
        self.0.parameters
    }

    /// What happened, in words.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The driver's stack, innermost first.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.0.frames
    }
}

impl fmt::Display for BugCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { code, parameters: [p1, p2, p3, p4], reason, frames, seed, repeat } = &*self.0;
        writeln!(f, "*** STOP {code:#010X} {} ({p1:#x}, {p2:#x}, {p3:#x}, {p4:#x})", bug_check_name(*code))?;
        writeln!(f, "    {reason}")?;
        for frame in frames {
            match frame {
                Frame::Driver { function, place: Some(place) } => writeln!(f, "    at {place} in {function}")?,
                Frame::Driver { function, place: None } => writeln!(f, "    at {function}")?,
                Frame::Import(name) => writeln!(f, "    -- {name}, called by the driver")?,
            }
        }
        write!(f, "    seed {seed}")?;
        if let Some(repeat) = repeat {
            write!(f, "\n    repeat with: {repeat}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for BugCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for BugCheck {}
