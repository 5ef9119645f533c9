use super::*;
use crate::{
    event::Direction::{In, Out},
    top::samples::{Heard, flow, process, traffic},
};

/// Three processes: `a` has the most traffic now, `b` the most in all, `c` the most flows.
fn snapshot() -> Snapshot {
    let mut heard = Heard::default();
    let a = flow(1, process(30, "a.exe"), "10.0.0.1:443");
    let b = flow(2, process(20, "b.exe"), "10.0.0.2:53");
    let c = [3, 4].map(|handle| flow(handle, process(10, "c.exe"), &format!("10.0.0.{handle}:443")));
    heard.rundown(0, &b, traffic(9000, 7, 90_000)).open(1000, &a).open(2000, &c[0]).open(3000, &c[1]);
    heard.packet(3000, &a, Out, 100).packet(3000, &a, In, 50);
    heard.packet(3000, &c[0], Out, 20).packet(3000, &c[1], In, 60);
    heard.snapshot(3000)
}

/// Each row in short: the name of a process, and of a flow the remote end.
fn shown(choice: &Choice, snapshot: &Snapshot) -> Vec<String> {
    let rows = choice.rows(snapshot);
    let texts = rows.iter().map(|row| match row {
        Row::Process(line) => line.row.process.name().trim_end_matches(".exe").to_owned(),
        Row::Flow(flow) => flow.text.split(' ').nth(2).unwrap_or_default().to_owned(),
    });
    texts.collect()
}

fn by(sort: Sort) -> Choice {
    Choice { sort, ..Choice::default() }
}

#[test]
fn rows_are_sorted_by_what_is_chosen() {
    let snapshot = snapshot();
    for (sort, expected) in [
        (Sort::Traffic, ["a", "c", "b"]),
        (Sort::Pid, ["c", "b", "a"]),
        (Sort::Flows, ["c", "a", "b"]),
        (Sort::OutRate, ["a", "c", "b"]),
        (Sort::InRate, ["c", "a", "b"]),
        (Sort::Out, ["b", "a", "c"]),
        (Sort::In, ["c", "a", "b"]),
        (Sort::Name, ["a", "b", "c"]),
    ] {
        assert_eq!(shown(&by(sort), &snapshot), expected, "{sort:?}");
    }
}

#[test]
fn rows_are_sorted_the_other_way_round() {
    let choice = Choice { is_reversed: true, ..by(Sort::Pid) };
    assert_eq!(shown(&choice, &snapshot()), ["a", "b", "c"]);
}

#[test]
fn flows_stand_below_their_process_and_are_sorted_among_themselves() {
    let all_open = Choice { all_open: true, ..by(Sort::Traffic) };
    let expected = ["a", "10.0.0.1:443", "c", "10.0.0.4:443", "10.0.0.3:443", "b", "10.0.0.2:53"];
    assert_eq!(shown(&all_open, &snapshot()), expected);
    let by_age = Choice { sort: Sort::Age, ..all_open };
    assert_eq!(shown(&by_age, &snapshot())[2..5], ["c", "10.0.0.3:443", "10.0.0.4:443"]);
}

#[test]
fn one_process_is_opened_and_closed_among_the_others() {
    let snapshot = snapshot();
    let c = snapshot.processes.iter().find(|row| row.process.id == 10).expect("it is there").id;
    let mut choice = by(Sort::Name);
    choice.open(c, true);
    assert_eq!(shown(&choice, &snapshot), ["a", "b", "c", "10.0.0.3:443", "10.0.0.4:443"]);
    choice.open(c, false);
    assert_eq!(shown(&choice, &snapshot), ["a", "b", "c"]);
    choice.all_open = true;
    choice.open(c, false);
    assert_eq!(shown(&choice, &snapshot), ["a", "10.0.0.1:443", "b", "10.0.0.2:53", "c"]);
}

#[test]
fn a_filter_takes_processes_by_name_path_and_id() {
    for filter in ["b.exe", "B.EXE", r"harddiskvolume3\b", "20"] {
        let choice = Choice { filter: filter.into(), all_open: true, ..Choice::default() };
        assert_eq!(shown(&choice, &snapshot()), ["b", "10.0.0.2:53"], "{filter}");
    }
}

#[test]
fn a_filter_takes_flows_by_their_ends_and_counts_only_these() {
    let choice = Choice { filter: "0.3:443".into(), all_open: true, ..Choice::default() };
    let snapshot = snapshot();
    let rows = choice.rows(&snapshot);
    assert_eq!(shown(&choice, &snapshot), ["c", "10.0.0.3:443"]);
    let Row::Process(line) = &rows[0] else { panic!("no process is first") };
    assert_eq!((line.live, line.figures.total.sent, line.figures.total.received), (1, 20, 0));
}

#[test]
fn what_nothing_fits_shows_nothing() {
    let choice = Choice { filter: "nowhere".into(), ..Choice::default() };
    assert!(choice.rows(&snapshot()).is_empty());
}

#[test]
fn what_flows_did_that_are_gone_is_counted_for_their_process() {
    let curl = flow(1, process(7, "curl.exe"), "10.0.0.1:443");
    let mut heard = Heard::default();
    let snapshot = heard.close(0, &curl, traffic(5, 6, 0)).snapshot(60_000);
    let rows = Choice::default();
    let rows = rows.rows(&snapshot);
    let [Row::Process(line)] = &rows[..] else { panic!("not one process: {rows:?}") };
    assert_eq!((line.live, line.figures.total.both()), (0, 11));
}
