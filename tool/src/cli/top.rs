//! `flowtag top`.

use std::{
    env,
    io::{self, IsTerminal},
    mem,
    time::Duration,
};

use anyhow::Result;

use super::{
    input::{SourceArgs, end},
    outcome::Outcome,
};
use crate::{
    output::{self, Unwritable},
    source::{Hints, Place},
    top::{Choice, Colors, Feed, Screen, Services, Sort, once, run as show},
};

/// Live events have no end: so many seconds of them are a table.
const LIVE_SECONDS: u64 = 4;

const EXAMPLES: &str = "\
Examples:
  flowtag top --from flows.jsonl
  flowtag top --from flows.jsonl --once --flows --sort in
  flowtag top --from flows.jsonl --once --filter 93.184.216.34

Keys: q ends; Enter opens a process into its flows, e all of them; s and S sort by the next column or the one before, r the other way
round; / filters by name, path, process id, protocol, address or port; p holds what is shown. The rates are those of the last four
seconds, the totals those since each flow was tagged. A file may grow meanwhile.";

/// Show who has the traffic: processes and their flows, as they are now.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Print the table as it is behind the last event, and end; also where the output is no terminal
    #[arg(long)]
    once: bool,
    /// Print it after so many seconds, if the events have no end by then; of live events after 4
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    /// By what rows are sorted
    #[arg(long, value_enum, default_value_t)]
    sort: Sort,
    /// The other way round
    #[arg(long)]
    reverse: bool,
    /// Only processes whose path has this in it or whose id it is, and flows whose ends have it
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// With the flows of each process
    #[arg(long)]
    flows: bool,
}

pub(super) fn run(arguments: &Args) -> Result<Outcome> {
    let (place, hints) = arguments.source.place();
    // Without them there are no rates.
    let hints = Hints { packets: true, ..hints };
    let choice = Choice {
        sort: arguments.sort,
        is_reversed: arguments.reverse,
        filter: arguments.filter.clone(),
        all_open: arguments.flows,
        ..Choice::default()
    };
    let asked = place.clone();
    let mut services = Services::new(move || asked.running_services());
    let name = place.to_string();
    let feed = if arguments.once || !io::stdout().is_terminal() {
        let feed = Feed::start(place.open(hints)?);
        let seconds = arguments.wait.or((*place == Place::Live).then_some(LIVE_SECONDS));
        feed.wait(seconds.map(Duration::from_secs));
        feed.stop();
        let mut heard = feed.heard();
        let now = heard.model.newest();
        let mut snapshot = heard.model.snapshot(now);
        services.name(&mut snapshot);
        output::print(&once(&choice, &snapshot))?;
        drop(heard);
        feed
    } else {
        let feed = Feed::start(place.follow(hints)?);
        let shown = show(&feed, &name, services, Screen::new(choice), colors());
        feed.stop();
        shown.map_err(Unwritable::from)?;
        feed
    };
    let mut heard = feed.heard();
    for note in &heard.notes {
        output::note(format_args!("flowtag: {note}"));
    }
    if let Some(failed) = mem::take(&mut heard.failed) {
        return Err(failed.into());
    }
    Ok(end(&name, &heard.gaps))
}

/// As <https://no-color.org> has it.
fn colors() -> Colors {
    let is_asked = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if is_asked { Colors::None } else { Colors::Some }
}
