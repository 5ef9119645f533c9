//! The columns of the table, and what stands in them.

use super::{
    choice::{Row, Sort},
    snapshot::Snapshot,
};
use crate::output::shown;

const SECOND: u64 = 10_000_000;

/// A column of numbers.
pub(super) struct Column {
    pub(super) sort: Sort,
    pub(super) title: &'static str,
    pub(super) width: usize,
}

const fn column(sort: Sort, title: &'static str, width: usize) -> Column {
    Column { sort, title, width }
}

/// All but the last, which has the names and takes what room there is.
pub(super) const COLUMNS: [Column; 7] = [
    column(Sort::Pid, "PID", 7),
    column(Sort::Flows, "FLOWS", 6),
    column(Sort::OutRate, "OUT/s", 6),
    column(Sort::InRate, "IN/s", 6),
    column(Sort::Out, "OUT", 6),
    column(Sort::In, "IN", 6),
    column(Sort::Age, "AGE", 6),
];
const NAME: &str = "PROCESS";

/// The line above the rows.
pub(super) fn head() -> String {
    line(&COLUMNS.map(|column| column.title.to_owned()), NAME)
}

/// The line of a row. Where rows are opened by keys, `marks` says before its name whether a process is.
pub(super) fn row(row: &Row, snapshot: &Snapshot, marks: bool) -> String {
    let rate = |recent| snapshot.rate(recent).map_or_else(unknown, short);
    let (pid, flows, figures, row_age, name) = match row {
        Row::Process(line) => {
            let name = match line.row.process.name() {
                "" => "-".to_owned(),
                name => shown(name),
            };
            let name = match &line.row.services {
                Some(services) => format!("{name} ({})", shown(services)),
                None => name,
            };
            let name = match (marks, line.is_open) {
                (false, _) => name,
                (true, false) => format!("+ {name}"),
                (true, true) => format!("- {name}"),
            };
            (line.row.process.id.to_string(), line.live.to_string(), line.figures, line.age, name)
        }
        Row::Flow(flow) => {
            let over = if flow.is_over { "(ended) " } else { "" };
            (String::new(), String::new(), flow.figures, flow.age, format!("  {over}{}", flow.text))
        }
    };
    let cells = [
        pid,
        flows,
        rate(figures.recent.sent),
        rate(figures.recent.received),
        short(figures.total.sent),
        short(figures.total.received),
        age(row_age),
    ];
    line(&cells, &name)
}

fn line(cells: &[String; COLUMNS.len()], name: &str) -> String {
    let mut line = String::with_capacity(128);
    for (cell, column) in cells.iter().zip(&COLUMNS) {
        line.extend(std::iter::repeat_n(' ', column.width.saturating_sub(cell.len())));
        line.push_str(cell);
        line.push(' ');
    }
    line.push_str(name);
    line
}

fn unknown() -> String {
    "-".to_owned()
}

/// A number with the three digits that count: `999`, `1.2k`, `12.3k`, `123k`; k is 1000. What is less is left out.
pub(super) fn short(number: u64) -> String {
    let (mut whole, mut rest) = (number, 0);
    for unit in ["", "k", "M", "G", "T", "P"] {
        if whole < 1000 {
            let has_tenths = !unit.is_empty() && whole < 100;
            return if has_tenths { format!("{whole}.{}{unit}", rest / 100) } else { format!("{whole}{unit}") };
        }
        (whole, rest) = (whole / 1000, whole % 1000);
    }
    format!("{whole}E")
}

/// An age with the two largest units that it has.
fn age(units: Option<u64>) -> String {
    let Some(seconds) = units.map(|units| units / SECOND) else { return unknown() };
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if minutes == 0 => format!("{seconds}s"),
        () if hours == 0 => format!("{minutes}m{:02}s", seconds % 60),
        () if days == 0 => format!("{hours}h{:02}m", minutes % 60),
        () if days < 100 => format!("{days}d{:02}h", hours % 24),
        () => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_the_digits_that_count() {
        let numbers = [0, 999, 1000, 1299, 12_399, 99_999, 100_999, 999_999, 1_000_000, u64::MAX];
        let expected = ["0", "999", "1.0k", "1.2k", "12.3k", "99.9k", "100k", "999k", "1.0M", "18E"];
        assert_eq!(numbers.map(short), expected);
    }

    #[test]
    fn an_age_has_its_two_largest_units() {
        let ages = [0, 59, 60, 3599, 3600, 86_399, 86_400, 99 * 86_400, 100 * 86_400];
        let expected = ["0s", "59s", "1m00s", "59m59s", "1h00m", "23h59m", "1d00h", "99d00h", "100d"];
        assert_eq!(ages.map(|seconds| age(Some(seconds * SECOND + SECOND - 1))), expected);
        assert_eq!(age(None), "-");
    }
}
