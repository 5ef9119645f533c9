//! `flowtag export-names`.

use std::collections::{HashMap, hash_map::Entry};

use anyhow::Result;

use super::{input::SourceArgs, outcome::Outcome};
use crate::{
    event::{Process, number::Hex},
    output::Unwritable,
    time::Time,
};

const EXAMPLES: &str = "\
Example:
  flowtag export-names --from flows.jsonl > processes.csv

The columns are ProcessId, ProcessStartKey, ProcessCreateTime, ParentProcessId and ProcessPath, as docs/events.md has them, and
Name, FirstSeen and LastSeen: the file name, and the times of the first and of the last event about a flow of the process.";

/// Write the processes that own flows as a table (CSV), in the order in which they were heard of.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    source: SourceArgs,
}

const COLUMNS: [&str; 8] = [
    "ProcessId",
    "ProcessStartKey",
    "ProcessCreateTime",
    "ParentProcessId",
    "Name",
    "ProcessPath",
    "FirstSeen",
    "LastSeen",
];

/// A process, and from when to when it was heard of.
struct Row {
    process: Process,
    first: Option<Time>,
    last: Option<Time>,
}

pub(super) fn run(arguments: &Args) -> Result<Outcome> {
    let mut input = arguments.source.open()?;
    let mut rows: Vec<Row> = Vec::new();
    let mut places: HashMap<Process, usize> = HashMap::new();
    while let Some(told) = input.next_told()? {
        let Some(flow) = told.event.flow() else { continue };
        match places.entry(flow.process.clone()) {
            Entry::Occupied(place) => rows[*place.get()].last = told.time,
            Entry::Vacant(place) => {
                place.insert(rows.len());
                rows.push(Row { process: flow.process.clone(), first: told.time, last: told.time });
            }
        }
    }
    let mut table = csv::Writer::from_writer(std::io::stdout().lock());
    write(&mut table, &rows).map_err(crate::log::unwritable)?;
    table.flush().map_err(Unwritable::from)?;
    Ok(input.end())
}

fn write<W: std::io::Write>(table: &mut csv::Writer<W>, rows: &[Row]) -> csv::Result<()> {
    table.write_record(COLUMNS)?;
    for Row { process, first, last } in rows {
        let time = |time: &Option<Time>| time.map(|time| time.to_string()).unwrap_or_default();
        let known = |is_known: bool, text: String| if is_known { text } else { String::new() };
        table.write_record([
            process.id.to_string(),
            known(process.start_key != 0, Hex(process.start_key).to_string()),
            known(process.created.0 != 0, process.created.to_string()),
            known(process.parent != 0, process.parent.to_string()),
            process.name().to_owned(),
            process.path.clone(),
            time(first),
            time(last),
        ])?;
    }
    Ok(())
}
