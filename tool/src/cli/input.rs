//! Where a command has its events from, and what it says of what is none, or missing.

use anyhow::Result;

use super::outcome::Outcome;
use crate::{
    event::Told,
    output,
    source::{Events, Gaps, Hints, Kind, Place},
    time::Time,
};

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
    gaps: Gaps,
}

impl SourceArgs {
    pub(super) fn open(&self) -> Result<Input> {
        self.hints.open(&self.from)
    }

    /// Where the events are, and how to read them.
    pub(super) const fn place(&self) -> (&Place, Hints) {
        (&self.from, self.hints.hints())
    }
}

impl HintArgs {
    pub(super) fn open(self, place: &Place) -> Result<Input> {
        Ok(Input { events: place.open(self.hints())?, gaps: Gaps::default() })
    }

    const fn hints(self) -> Hints {
        Hints { kind: self.kind, began: self.began, packets: self.packets }
    }
}

impl Input {
    /// The next event; `None` behind the last.
    pub(super) fn next_told(&mut self) -> Result<Option<Told>> {
        loop {
            match self.events.next() {
                None => return Ok(None),
                Some(Ok(told)) => return Ok(Some(told)),
                Some(Err(wrong)) => {
                    if let Some(said) = self.gaps.count(wrong)? {
                        output::note(format_args!("flowtag: {said}"));
                    }
                }
            }
        }
    }

    /// What there is to say at its end.
    pub(super) fn end(self) -> Outcome {
        end(self.events.name(), &self.gaps)
    }
}

/// Says how much of a source was passed over, if anything was.
pub(super) fn end(source: &str, gaps: &Gaps) -> Outcome {
    if let Some(summary) = gaps.summary() {
        output::note(format_args!("flowtag: {source}: {summary}"));
    }
    if gaps.is_empty() { Outcome::Done } else { Outcome::Partly }
}
