//! Events as a table: time, name, and a column for every field that docs/events.md has, empty where an event has it not.

use crate::event::{Told, fields};

/// The names of the columns.
pub(super) fn head() -> String {
    row(["timestamp", "event"].into_iter().chain(fields::NAMES.iter().copied()).map(ToOwned::to_owned))
}

/// An event.
pub(super) fn line(told: &Told) -> String {
    let time = told.time.map(|time| time.to_string()).unwrap_or_default();
    let fields = told.event.fields();
    row([time, told.event.name().to_owned()].into_iter().chain(fields.cells()))
}

fn row(cells: impl Iterator<Item = String>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Memory takes all of it.
    let _ = writer.write_record(cells.map(String::into_bytes));
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Loaded, Lost};

    fn cells(row: &str) -> Vec<String> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(row.as_bytes());
        let record = reader.records().next().expect("a row").expect("it is CSV");
        record.iter().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn each_row_has_a_cell_for_each_column() {
        let columns = cells(&head());
        let event = Event::Lost(Lost { kind: "busy, \"very\"".into(), status: 0xc000_009a });
        let time = "2026-11-30T07:45:51.1234567Z".parse().ok();
        let row = cells(&line(&Told { time, event }));
        assert_eq!(
            (columns.len(), &columns[..2]),
            (row.len(), ["timestamp".to_owned(), "event".to_owned()].as_slice())
        );
        let told: Vec<_> = columns.iter().zip(&row).filter(|(_, cell)| !cell.is_empty()).collect();
        let expected = [
            ("timestamp", "2026-11-30T07:45:51.1234567Z"),
            ("event", "Lost"),
            ("Kind", "busy, \"very\""),
            ("Status", "0xc000009a"),
        ];
        let told: Vec<_> = told.iter().map(|(column, cell)| (column.as_str(), cell.as_str())).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn an_event_without_a_time_has_an_empty_cell_for_it() {
        let event = Event::Loaded(Loaded { version: "0.1.0".into(), trace_level: 2, max_flows: 16 });
        assert!(line(&Told { time: None, event }).starts_with(",Loaded,0.1.0,2,16,"));
    }
}
