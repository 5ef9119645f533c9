//! The names of events and fields, held against docs/events.md, which is where everybody else has them from.

use flowtag_tool::{
    event::{Event, Fields, fields::NAMES},
    source::json,
};

const DOCUMENT: &str = include_str!("../../docs/events.md");

/// The first cells of the rows of the table that follows on these words.
fn table(words: &str) -> Vec<&'static str> {
    let (_, behind) = DOCUMENT.split_once(words).unwrap_or_else(|| panic!("docs/events.md lacks: {words}"));
    let rows = behind.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2).filter_map(|row| row.split('|').nth(1)).map(|cell| cell.trim().trim_matches('`')).collect()
}

/// Each event with the fields that the document gives it, in its order.
fn documented() -> Vec<(&'static str, Vec<&'static str>)> {
    const FLOW: &str = "\n`FlowOpen`, `FlowClose` and `FlowRundown`:";
    const TRAFFIC: &str = "\n`FlowClose` and `FlowRundown` go on with";
    const WHY: &str = "\n`FlowClose` with";
    const PATH: &str = "\nand all three end with";
    const STEP: &str = "\n`LoadFailed`, `Failed` and `Retrying`:";
    const PACKET: &str = "\n`FirstPacket` and `Packet`:";
    let tables: [(&str, &[&str]); 12] = [
        ("FlowOpen", &[FLOW, PATH]),
        ("FlowClose", &[FLOW, TRAFFIC, WHY, PATH]),
        ("FlowRundown", &[FLOW, TRAFFIC, PATH]),
        ("FirstPacket", &[PACKET]),
        ("Packet", &[PACKET]),
        ("Loaded", &["\n`Loaded`:"]),
        ("LoadFailed", &[STEP]),
        ("Failed", &[STEP]),
        ("Retrying", &[STEP]),
        ("Lost", &["\n`Lost`:"]),
        ("Stopping", &["\n`Stopping`:"]),
        ("Totals", &["\n`Totals`:"]),
    ];
    tables.into_iter().map(|(event, words)| (event, words.iter().flat_map(|words| table(words)).collect())).collect()
}

/// A value that a field of this name can have.
fn value(field: &str) -> &'static str {
    match field {
        "ProcessCreateTime" => "\"2026-11-30T07:45:51.1234567Z\"",
        "LocalAddress" | "RemoteAddress" => "\"10.0.0.5:443\"",
        "PackageSid" => "\"S-1-0-0\"",
        "ProcessPath" | "Version" | "Step" | "Kind" => "\"text\"",
        "FlowHandle" | "ProcessStartKey" | "ServiceTag" | "Status" => "\"0x1\"",
        _ => "1",
    }
}

/// A line of JSON with such an event.
fn line(event: &str, fields: &[&str]) -> String {
    let (level, keyword) = documented_kind(event);
    let fields: Vec<_> = fields.iter().map(|field| format!("\"{field}\":{}", value(field))).collect();
    format!(
        "{{\"timestamp\":\"2026-11-30T07:45:51.1234567Z\",\"provider\":\"flowtag\",\"event\":\"{event}\",\"level\":{level},\"opcode\":0,\
         \"keyword\":\"{keyword}\",\"fields\":{{{}}}}}",
        fields.join(",")
    )
}

/// Level and keyword of an event in the first table of events.
fn documented_kind(event: &str) -> (&'static str, &'static str) {
    let start = format!("| `{event}` | ");
    let row = DOCUMENT.lines().find_map(|line| line.strip_prefix(&start)).expect("docs/events.md has the event");
    let mut cells = row.split(" | ");
    let level = cells.next().and_then(|cell| cell.split(',').next()).expect("a level");
    (level, cells.next().expect("a keyword"))
}

#[test]
fn each_documented_event_is_read_and_written_with_its_fields_in_their_order() {
    for (event, fields) in documented() {
        let line = line(event, &fields);
        let told = json::read(&line).unwrap_or_else(|error| panic!("{line}: {error}")).expect("it is ours");
        assert!(!matches!(told.event, Event::Other(_)), "{event} is not known");
        assert_eq!(json::line(&told), line);
    }
}

#[test]
fn an_event_without_one_of_its_documented_fields_is_refused_by_its_name() {
    for (event, fields) in documented() {
        for missing in &fields {
            let others: Vec<_> = fields.iter().copied().filter(|field| field != missing).collect();
            let error = json::read(&line(event, &others)).expect_err("a field is missing").to_string();
            assert!(error.contains(&format!("{event} has no {missing},")), "{error}");
        }
    }
}

#[test]
fn no_field_is_known_that_is_not_documented() {
    let documented: Vec<_> = documented().into_iter().flat_map(|(_, fields)| fields).collect();
    for name in NAMES {
        assert!(documented.contains(name), "docs/events.md has no field {name}");
    }
    assert_eq!(Fields::default().cells().count(), NAMES.len());
}
