use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::{Buffer, Cell},
};

use super::*;
use crate::{
    event::{
        Direction::{In, Out},
        Flow, Process,
    },
    top::{
        keys::Action,
        samples::{Heard, flow, process, traffic},
    },
};

/// Curl has a flow that lives and one that ended, ssh one that is older.
fn snapshot() -> Snapshot {
    let curl = [1, 2].map(|handle| flow(handle, process(4242, "curl.exe"), "93.184.216.34:443"));
    let ssh = Flow { direction: In, ..flow(3, process(812, "ssh.exe"), "[2001:db8::1]:22") };
    let mut heard = Heard::default();
    heard.rundown(0, &ssh, traffic(1_234_567, 99, 3_700_000)).open(0, &curl[0]).open(0, &curl[1]);
    heard.packet(500, &curl[0], Out, 600).packet(1000, &curl[0], In, 20_000).packet(1500, &curl[1], Out, 50);
    heard.close(1500, &curl[1], traffic(50, 0, 1500));
    heard.snapshot(2000)
}

fn status() -> Status {
    Status { source: "flows.jsonl".into(), ..Status::default() }
}

fn drawn(screen: &mut Screen, status: &Status, colors: Colors, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, screen, &snapshot(), status, colors)).unwrap();
    terminal.backend().buffer().clone()
}

/// What is on the screen, line by line.
fn lines(buffer: &Buffer) -> Vec<String> {
    let width = buffer.area().width.into();
    let lines = buffer.content().chunks(width).map(|line| line.iter().map(Cell::symbol).collect::<String>());
    lines.map(|line| line.trim_end().to_owned()).collect()
}

fn shown(actions: &[Action], width: u16, height: u16) -> Vec<String> {
    let mut screen = Screen::default();
    for action in actions {
        drawn(&mut screen, &status(), Colors::Some, width, height);
        screen.act(*action, &snapshot());
    }
    lines(&drawn(&mut screen, &status(), Colors::Some, width, height))
}

#[test]
fn processes_are_shown_by_traffic() {
    assert_eq!(
        shown(&[], 100, 7),
        [
            "flows.jsonl: 2 processes, 2 flows, out 325/s, in 10.0k/s; by traffic",
            "    PID  FLOWS  OUT/s   IN/s    OUT     IN    AGE PROCESS",
            "   4242      1    325  10.0k    650  20.0k    12s + curl.exe",
            "    812      1      0      0   1.2M     99    12s + ssh.exe",
            "",
            "",
            "q quit  Enter open  e all  s sort  r reverse  / filter  p pause  arrows move",
        ]
    );
}

#[test]
fn a_process_opens_into_its_flows() {
    assert_eq!(
        shown(&[Action::All], 110, 8)[2..7],
        [
            "   4242      1    325  10.0k    650  20.0k    12s - curl.exe",
            "                  300  10.0k    600  20.0k     2s   tcp to 93.184.216.34:443 from 10.0.0.5:50123",
            "                   25      0     50      0     1s   (ended) tcp to 93.184.216.34:443 from 10.0.0.5:50123",
            "    812      1      0      0   1.2M     99    12s - ssh.exe",
            "                    0      0   1.2M     99  1h01m   tcp from [2001:db8::1]:22 to 10.0.0.5:50123",
        ]
    );
}

#[test]
fn what_has_no_room_is_cut_off_and_the_last_line_stays() {
    assert_eq!(
        shown(&[Action::All], 60, 4),
        [
            "flows.jsonl: 2 processes, 2 flows, out 325/s, in 10.0k/s; by",
            "    PID  FLOWS  OUT/s   IN/s    OUT     IN    AGE PROCESS",
            "   4242      1    325  10.0k    650  20.0k    12s - curl.exe",
            "q quit  Enter open  e all  s sort  r reverse  / filter  p pa",
        ]
    );
    for (width, height) in [(1, 1), (3, 2), (10, 3)] {
        shown(&[Action::All, Action::Down, Action::Filter], width, height);
    }
}

#[test]
fn the_first_line_says_how_it_is_shown() {
    let mut screen = Screen::default();
    for action in [Action::Pause, Action::NextSort, Action::Reverse] {
        screen.act(action, &snapshot());
    }
    let status = Status { passed_over: 1, has_ended: true, ..status() };
    assert_eq!(
        lines(&drawn(&mut screen, &status, Colors::None, 200, 4))[0],
        "flows.jsonl: 2 processes, 2 flows, out 325/s, in 10.0k/s; by pid, reversed; paused; ended; 1 passed over"
    );
}

#[test]
fn a_filter_is_seen_as_it_is_typed_and_as_long_as_it_holds() {
    let typed = [Action::Filter, Action::Type('s'), Action::Type('s')];
    let lines = shown(&typed, 100, 5);
    assert_eq!(lines[2..], ["    812      1      0      0   1.2M     99    12s + ssh.exe", "", "filter: ss"]);
    let lines = shown(&[&typed[..], &[Action::Keep]].concat(), 100, 5);
    assert!(lines[4].starts_with("filter: ss  Esc all  q quit"), "{lines:?}");
}

#[test]
fn the_selected_row_is_shown_the_other_way_round_whether_there_are_colors_or_not() {
    for colors in [Colors::Some, Colors::None] {
        let mut screen = Screen::default();
        drawn(&mut screen, &status(), colors, 80, 6);
        screen.act(Action::Down, &snapshot());
        let buffer = drawn(&mut screen, &status(), colors, 80, 6);
        let reversed: Vec<_> = (0..6).filter(|&y| buffer[(79, y)].modifier.contains(Modifier::REVERSED)).collect();
        assert_eq!(reversed, [2]);
    }
}

#[test]
fn colors_are_only_there_where_they_are_wanted() {
    let mut screen = Screen::default();
    screen.act(Action::All, &snapshot());
    for (colors, expected) in [(Colors::Some, true), (Colors::None, false)] {
        let buffer = drawn(&mut screen, &status(), colors, 100, 8);
        let colored = buffer.content().iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
        assert_eq!(colored, expected, "{colors:?}");
    }
}

#[test]
fn titles_are_underlined_by_which_rows_are_sorted() {
    let underlined = |sort| {
        let mut screen = Screen::new(Choice { sort, ..Choice::default() });
        let buffer = drawn(&mut screen, &status(), Colors::None, 60, 4);
        let cells = (0..60).filter(|&x| buffer[(x, 1)].modifier.contains(Modifier::UNDERLINED));
        cells.map(|x| buffer[(x, 1)].symbol()).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(underlined(Sort::Traffic), "OUT/s IN/s");
    assert_eq!(underlined(Sort::Pid), "PID");
    assert_eq!(underlined(Sort::Age), "AGE");
    assert_eq!(underlined(Sort::Name), "PROCESS");
}

#[test]
fn what_a_path_holds_is_not_obeyed_by_the_terminal() {
    let odd = flow(1, Process { path: "a\x1b[2Jb".into(), ..process(7, "") }, "10.0.0.1:1");
    let snapshot = Heard::default().open(0, &odd).snapshot(0);
    assert!(columns::row(&Choice::default().rows(&snapshot)[0], &snapshot, true).ends_with(r"+ a\u{1b}[2Jb"));
}

#[test]
fn of_a_process_without_a_path_a_dash_is_its_name() {
    let nameless = flow(1, Process { path: String::new(), ..process(7, "") }, "10.0.0.1:1");
    let snapshot = Heard::default().open(0, &nameless).snapshot(0);
    assert!(columns::row(&Choice::default().rows(&snapshot)[0], &snapshot, false).ends_with(" -"));
}

#[test]
fn the_page_has_the_table_as_it_is_printed() {
    const PAGE: &str = include_str!("../../../docs/tool.md");
    let choice = Choice { all_open: true, filter: "curl".into(), ..Choice::default() };
    let printed = crate::top::once(&choice, &snapshot());
    assert_eq!(printed.lines().count(), 4);
    assert!(PAGE.contains(&format!("```\n{printed}```")), "{printed}");
}

#[test]
fn as_long_as_there_is_nothing_to_show_it_says_why() {
    let status = Status { note: Some("live: the driver does not run. Waiting for its events".into()), ..status() };
    let mut terminal = Terminal::new(TestBackend::new(60, 4)).unwrap();
    let nothing = Snapshot::default();
    terminal.draw(|frame| draw(frame, &mut Screen::default(), &nothing, &status, Colors::None)).unwrap();
    assert_eq!(lines(terminal.backend().buffer())[2], "live: the driver does not run. Waiting for its events");
    assert!(!lines(&drawn(&mut Screen::default(), &status, Colors::None, 60, 6)).concat().contains("Waiting"));
}
