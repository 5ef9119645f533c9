//! What of a snapshot is shown, and in which order.

use std::{cmp::Ordering, collections::HashSet};

use super::{
    flow::FlowId,
    processes::ProcessId,
    snapshot::{Figures, FlowRow, ProcessRow, Snapshot},
};

/// By what rows are sorted: numbers from the largest, ids and names from the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sort {
    /// What passed lately both ways; where that is the same, in all
    #[default]
    Traffic,
    /// Id of the process
    Pid,
    /// How many flows live
    Flows,
    /// Bytes a second out
    OutRate,
    /// Bytes a second in
    InRate,
    /// Bytes out
    Out,
    /// Bytes in
    In,
    /// The oldest first
    Age,
    /// File name of the program, of a flow whom it is with
    Name,
}

/// What the user has chosen.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// By what rows are sorted.
    pub sort: Sort,
    /// The other way round.
    pub is_reversed: bool,
    /// What a process, or the ends of a flow, have to have in their names; empty for all.
    pub filter: String,
    /// Whether processes are opened into their flows.
    pub all_open: bool,
    /// Those with which it is the other way.
    pub others: HashSet<ProcessId>,
}

/// A row of the table.
#[derive(Clone, Debug)]
pub enum Row<'a> {
    /// A process.
    Process(ProcessLine<'a>),
    /// A flow of the process above.
    Flow(&'a FlowRow),
}

/// A process, with what its flows did that are wanted.
#[derive(Clone, Debug)]
pub struct ProcessLine<'a> {
    /// It, with all of its flows.
    pub row: &'a ProcessRow,
    /// How many of the wanted flows live.
    pub live: usize,
    /// What they did.
    pub figures: Figures,
    /// How old the process is.
    pub age: Option<u64>,
    /// Whether its flows are below.
    pub is_open: bool,
}

/// What stays the same of a row from one snapshot to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowId {
    /// A process.
    Process(ProcessId),
    /// A flow.
    Flow(FlowId),
}

impl Row<'_> {
    /// Which row it is.
    #[must_use]
    pub const fn id(&self) -> RowId {
        match self {
            Self::Process(line) => RowId::Process(line.row.id),
            Self::Flow(row) => RowId::Flow(row.id),
        }
    }
}

impl Choice {
    /// Whether the flows of this process are shown.
    #[must_use]
    pub fn is_open(&self, process: ProcessId) -> bool {
        self.all_open != self.others.contains(&process)
    }

    /// Shows the flows of this process, or not.
    pub fn open(&mut self, process: ProcessId, is_open: bool) {
        if is_open == self.all_open {
            self.others.remove(&process);
        } else {
            self.others.insert(process);
        }
    }

    /// The rows of the table.
    #[must_use]
    pub fn rows<'a>(&self, snapshot: &'a Snapshot) -> Vec<Row<'a>> {
        let filter = self.filter.to_lowercase();
        let lines = snapshot.processes.iter().filter_map(|row| {
            let is_open = self.is_open(row.id);
            line(row, &filter).map(|line| ProcessLine { age: snapshot.age(&row.process), is_open, ..line })
        });
        let mut lines: Vec<_> = lines.collect();
        lines.sort_unstable_by(|one, other| self.compare(&Keys::of_process(one), &Keys::of_process(other)));
        let mut rows = Vec::with_capacity(lines.len());
        for line in lines {
            let first = rows.len() + 1;
            let (process, is_open) = (line.row, line.is_open);
            rows.push(Row::Process(line));
            if is_open {
                let all = has(process, &filter);
                rows.extend(process.flows.iter().filter(|flow| all || flow.text.contains(&filter)).map(Row::Flow));
                rows[first..].sort_unstable_by(|one, other| match (one, other) {
                    (Row::Flow(one), Row::Flow(other)) => self.compare(&Keys::of_flow(one), &Keys::of_flow(other)),
                    _ => Ordering::Equal,
                });
            }
        }
        rows
    }

    fn compare(&self, one: &Keys, other: &Keys) -> Ordering {
        let traffic = || other.recent().cmp(&one.recent()).then(other.total().cmp(&one.total()));
        let ordering = match self.sort {
            Sort::Traffic => traffic(),
            Sort::Pid => one.pid.cmp(&other.pid),
            Sort::Flows => other.flows.cmp(&one.flows),
            Sort::OutRate => other.figures.recent.sent.cmp(&one.figures.recent.sent),
            Sort::InRate => other.figures.recent.received.cmp(&one.figures.recent.received),
            Sort::Out => other.figures.total.sent.cmp(&one.figures.total.sent),
            Sort::In => other.figures.total.received.cmp(&one.figures.total.received),
            Sort::Age => other.age.cmp(&one.age),
            Sort::Name => one.name.cmp(other.name),
        };
        let ordering = if self.is_reversed { ordering.reverse() } else { ordering };
        ordering.then_with(traffic).then_with(|| one.name.cmp(other.name)).then(one.number.cmp(&other.number))
    }
}

/// The process with its flows that have the filter in their names; all if the process has it. `None` if nothing has.
fn line<'a>(row: &'a ProcessRow, filter: &str) -> Option<ProcessLine<'a>> {
    let all = has(row, filter);
    let mut line = ProcessLine { row, live: 0, figures: Figures::default(), age: None, is_open: false };
    if all {
        line.figures.total = row.past;
    }
    let mut any = all;
    for flow in row.flows.iter().filter(|flow| all || flow.text.contains(filter)) {
        line.figures += flow.figures;
        line.live += usize::from(!flow.is_over);
        any = true;
    }
    any.then_some(line)
}

fn has(row: &ProcessRow, filter: &str) -> bool {
    filter.is_empty()
        || row.process.id.to_string() == filter
        || row.process.path.to_lowercase().contains(filter)
        || row.services.as_ref().is_some_and(|services| services.to_lowercase().contains(filter))
}

/// By what a row can be sorted.
struct Keys<'a> {
    pid: u32,
    flows: usize,
    figures: Figures,
    age: Option<u64>,
    name: &'a str,
    number: u64,
}

impl<'a> Keys<'a> {
    fn of_process(line: &ProcessLine<'a>) -> Self {
        let (process, flows, age) = (&line.row.process, line.live, line.age);
        Self { pid: process.id, flows, figures: line.figures, age, name: process.name(), number: process.id.into() }
    }

    fn of_flow(row: &'a FlowRow) -> Self {
        Self { pid: 0, flows: 0, figures: row.figures, age: row.age, name: &row.text, number: row.id.0 }
    }

    const fn recent(&self) -> u64 {
        self.figures.recent.both()
    }

    const fn total(&self) -> u64 {
        self.figures.total.both()
    }
}

#[cfg(test)]
#[path = "choice_tests.rs"]
mod tests;
