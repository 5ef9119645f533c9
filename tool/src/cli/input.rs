//! Where a command has its events from, and what it says of lines that are none.

use anyhow::Result;

use super::Outcome;
use crate::{
    event::Told,
    output,
    source::{Events, Hints, Kind, Place, Unreadable},
    time::Time,
};

/// So many lines that are no events are shown; the others are only counted.
const SHOWN: u64 = 5;

/// How to read a source.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct HintArgs {
    /// What the source holds, where its first line does not tell
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// When a saved log of trace lines began: its lines say only how long after that they were seen
    #[arg(long, value_name = "TIME")]
    began: Option<Time>,
}

/// A source and how to read it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct SourceArgs {
    /// Where the events are: a file, - for standard input, or live for the driver as it runs (Windows)
    #[arg(long, value_name = "SOURCE", default_value = "live")]
    from: Place,
    #[command(flatten)]
    hints: HintArgs,
}

/// The events of a source. Lines that are none are passed over, and told.
pub(super) struct Input {
    events: Events<'static>,
    passed_over: u64,
}

impl SourceArgs {
    pub(super) fn open(&self) -> Result<Input> {
        self.hints.open(&self.from)
    }

    /// Where the events are, and how to read them.
    pub(super) fn place(&self) -> (Place, Hints) {
        (self.from.clone(), self.hints.hints())
    }
}

impl HintArgs {
    pub(super) fn open(self, place: &Place) -> Result<Input> {
        Ok(Input { events: place.open(self.hints())?, passed_over: 0 })
    }

    const fn hints(self) -> Hints {
        Hints { kind: self.kind, began: self.began }
    }
}

impl Input {
    /// The next event; `None` behind the last.
    pub(super) fn next_told(&mut self) -> Result<Option<Told>> {
        loop {
            match self.events.next() {
                None => return Ok(None),
                Some(Ok(told)) => return Ok(Some(told)),
                Some(Err(error @ Unreadable::Line { .. })) => {
                    self.passed_over += 1;
                    if self.passed_over <= SHOWN {
                        output::note(format_args!("flowtag: {error}"));
                    }
                }
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// What there is to say at its end.
    pub(super) fn end(self) -> Outcome {
        told(self.events.name(), self.passed_over)
    }
}

/// Says how many lines of a source were passed over, if any were.
pub(super) fn told(source: &str, passed_over: u64) -> Outcome {
    if passed_over == 0 {
        return Outcome::Done;
    }
    let lines = if passed_over == 1 { "line is no event and was" } else { "lines are no events and were" };
    output::note(format_args!("flowtag: {source}: {passed_over} {lines} passed over"));
    Outcome::Partly
}

impl Outcome {
    /// Something is missing if it is in either.
    pub(super) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Done, Self::Done) => Self::Done,
            _ => Self::Partly,
        }
    }
}
