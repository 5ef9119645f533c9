//! Where a command has its events from, and what it says of what is none, or missing.

use anyhow::Result;

use super::Outcome;
use crate::{
    event::Told,
    output,
    source::{Events, Hints, Kind, Place, Unreadable},
    time::Time,
};

/// So many of what are no events are shown; the others are only counted.
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
    /// Each packet, too, where the driver is asked live: an event for each costs time
    #[arg(long)]
    packets: bool,
}

/// A source and how to read it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct SourceArgs {
    /// Where the events are: a file, - for standard input, or live for the driver as it runs (Windows, as is an .etl file)
    #[arg(long, value_name = "SOURCE", default_value = "live")]
    from: Place,
    #[command(flatten)]
    hints: HintArgs,
}

/// The events of a source. What is none is passed over, and told.
pub(super) struct Input {
    events: Events<'static>,
    passed_over: u64,
    /// What that was: lines, or events that cannot be read.
    are_lines: bool,
    /// Whether events are missing.
    lost: bool,
}

impl SourceArgs {
    pub(super) fn open(&self) -> Result<Input> {
        self.hints.open(&self.from)
    }
}

impl HintArgs {
    pub(super) fn open(self, place: &Place) -> Result<Input> {
        let events = place.open(Hints { kind: self.kind, began: self.began, packets: self.packets })?;
        Ok(Input { events, passed_over: 0, are_lines: false, lost: false })
    }
}

impl Input {
    /// The next event; `None` behind the last.
    pub(super) fn next_told(&mut self) -> Result<Option<Told>> {
        loop {
            match self.events.next() {
                None => return Ok(None),
                Some(Ok(told)) => return Ok(Some(told)),
                Some(Err(error @ (Unreadable::Line { .. } | Unreadable::Event { .. }))) => {
                    self.passed_over += 1;
                    self.are_lines = matches!(error, Unreadable::Line { .. });
                    if self.passed_over <= SHOWN {
                        output::note(format_args!("flowtag: {error}"));
                    }
                }
                Some(Err(error @ (Unreadable::Lost { .. } | Unreadable::Silent { .. }))) => {
                    self.lost |= matches!(error, Unreadable::Lost { .. });
                    output::note(format_args!("flowtag: {error}"));
                }
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// What there is to say at its end.
    pub(super) fn end(self) -> Outcome {
        let Self { events, passed_over, are_lines, lost } = self;
        if passed_over > 0 {
            let what = match (are_lines, passed_over) {
                (true, 1) => "line is no event and was",
                (true, _) => "lines are no events and were",
                (false, 1) => "event cannot be read and was",
                (false, _) => "events cannot be read and were",
            };
            output::note(format_args!("flowtag: {}: {passed_over} {what} passed over", events.name()));
        }
        if passed_over == 0 && !lost { Outcome::Done } else { Outcome::Partly }
    }
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
