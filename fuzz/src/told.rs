//! What holds for every event that was read, whatever it was read from.

use flowtag_tool::{
    event::Told,
    flows::{Answer, Life, Lives, TOLERANCE, Table},
    log::Format,
    source::json,
};

/// Panics unless each of these events is written as it was read, and each flow that they tell of has its packets.
pub(crate) fn hold(all: &[Told]) {
    for told in all {
        one(told);
    }
    lives(all);
}

/// Panics unless an event can be written, and read again.
pub(crate) fn one(told: &Told) {
    let line = json::line(told);
    assert!(!line.contains('\n'), "{line}");
    let again = json::read(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(again.as_ref(), Some(told), "{line}");

    let text = Format::Text.line(told);
    let shown = text.strip_suffix('\n').expect("a line ends");
    assert!(!shown.contains(char::is_control), "a terminal obeys {shown:?}");

    let [columns, cells] = [Format::Csv.head(), Format::Csv.line(told)].map(|row| cells(&row));
    assert_eq!((columns.len(), cells[1].as_str()), (cells.len(), told.event.name()));
}

fn cells(row: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(row.as_bytes());
    let mut rows = reader.records().map(|record| record.expect("it is CSV"));
    let cells = rows.next().expect("a row").iter().map(ToOwned::to_owned).collect();
    assert!(rows.next().is_none(), "one row");
    cells
}

/// A packet that a flow sends while it lives is its owner's, or two fit; it is never nobody's.
fn lives(all: &[Told]) {
    let mut lives = Lives::default();
    for told in all {
        lives.hear(told);
    }
    let known: Vec<Life> = lives.all().to_vec();
    let table = Table::new(lives, TOLERANCE);
    for life in &known {
        for time in [life.opened, life.closed] {
            match table.at(&life.tuple, time).source {
                Answer::Nobody => panic!("nobody's at {time}: {life:?}"),
                Answer::Several => {}
                Answer::Owner(owner) => {
                    let fits = |other: &Life| other.owner == owner && other.tuple.is(&life.tuple);
                    assert!(known.iter().any(fits), "{owner:?} has no flow like {life:?}");
                }
            }
        }
    }
}
