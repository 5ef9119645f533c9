//! A bug check as it is shown: the stop code, what happened, and where the driver was. Where the simulator is at its own end,
//! that stands there instead, without a stop code: Windows would have gone on.

use std::{fmt, sync::Arc};

use super::names::bug_check_name;
use crate::image::Frame;

/// A machine's last words. Cheap to clone.
#[derive(Clone)]
pub struct BugCheck(Arc<Report>);

/// Why a machine stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// As Windows would, or as the referee wants it.
    BugCheck {
        /// The stop code.
        code: u32,
        /// Its parameters.
        parameters: [u64; 4],
    },
    /// The simulator lacks something.
    NotModelled,
}

struct Report {
    stop: Stop,
    reason: String,
    besides: Vec<String>,
    frames: Vec<Frame>,
    seed: u64,
    repeat: Option<String>,
}

impl BugCheck {
    pub(crate) fn new(
        stop: Stop,
        reason: String,
        besides: Vec<String>,
        frames: Vec<Frame>,
        (seed, repeat): (u64, Option<String>),
    ) -> Self {
        Self(Arc::new(Report { stop, reason, besides, frames, seed, repeat }))
    }

    /// Whether the simulator lacks something, which says nothing about the driver.
    #[must_use]
    pub fn is_not_modelled(&self) -> bool {
        self.0.stop == Stop::NotModelled
    }

    /// The stop code; 0, which is none of Windows, when the simulator lacks something.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self.0.stop {
            Stop::BugCheck { code, .. } => code,
            Stop::NotModelled => 0,
        }
    }

    /// The four parameters.
    #[must_use]
    pub fn parameters(&self) -> [u64; 4] {
        match self.0.stop {
            Stop::BugCheck { parameters, .. } => parameters,
            Stop::NotModelled => [0; 4],
        }
    }

    /// What happened, in words.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What was found at the same time and is less bad, the worst first.
    #[must_use]
    pub fn besides(&self) -> &[String] {
        &self.0.besides
    }

    /// The driver's stack, innermost first.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.0.frames
    }
}

impl fmt::Display for BugCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { stop, reason, besides, frames, seed, repeat } = &*self.0;
        match *stop {
            Stop::BugCheck { code, parameters: [p1, p2, p3, p4] } => {
                let name = bug_check_name(code);
                writeln!(f, "*** STOP {code:#010X} {name} ({p1:#x}, {p2:#x}, {p3:#x}, {p4:#x})\n    {reason}")?;
            }
            Stop::NotModelled => {
                writeln!(f, "*** {reason}")?;
                writeln!(
                    f,
                    "    that says nothing about the driver; how to add it to the model: docs/architecture.md"
                )?;
            }
        }
        for finding in besides {
            writeln!(f, "    besides: {finding}")?;
        }
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
