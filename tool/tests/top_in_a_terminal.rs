//! `flowtag top` in a real terminal: a pane of tmux (Debian's package tmux).

#![cfg(unix)]

#[expect(dead_code, reason = "each test program needs a part of it")]
mod made;
#[expect(dead_code, reason = "each test program needs a part of it")]
mod terminal;

use std::{fs::File, io::Write, path::Path};

use flowtag_tool::{
    event::{
        Direction::{In, Out},
        Told,
    },
    source::json,
};
use made::{LOCAL, REMOTE, flow, jsonl, open, packet};
use terminal::Terminal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_flowtag");
const KEYS: &str = "q quit  Enter open  e all  s sort  r reverse  / filter  p pause  arrows move";

/// Two processes: one of them has more traffic, the other one more flows.
fn events() -> Vec<Told> {
    vec![
        open(0, flow(1, 7, LOCAL, REMOTE)),
        open(0, flow(2, 8, "10.0.0.5:50124", "10.0.0.9:22")),
        open(0, flow(3, 8, "10.0.0.5:50125", "10.0.0.9:22")),
        packet(500_000, 1, 7, Out, 3000),
        packet(1_000_000, 1, 7, In, 200),
        packet(2_000_000, 2, 8, Out, 50),
    ]
}

/// It runs on these events, which have an end, so that time stands still behind it.
fn top(width: u16, height: u16, variables: &str) -> (Terminal, tempfile::NamedTempFile) {
    let file = jsonl(&events());
    let path = file.path().display();
    let command = format!("{variables} {PROGRAM} top --from - < {path}; echo \"ended with $?\"; sleep 600");
    (Terminal::new(width, height, &command), file)
}

#[test]
fn keys_select_open_sort_and_filter_what_the_screen_shows() {
    let (terminal, _file) = top(100, 8, "");
    let first = [
        "standard input: 2 processes, 3 flows, out 1.5k/s, in 100/s; by traffic; ended",
        "    PID  FLOWS  OUT/s   IN/s    OUT     IN    AGE PROCESS",
        "      7      1   1.5k    100   3.0k    200 45m53s + program 7.exe",
        "      8      2     25      0     50      0 45m53s + program 8.exe",
        "",
        "",
        "",
        KEYS,
    ];
    terminal.shows(&first);
    terminal.press(&["Down", "Down", "Enter"]);
    terminal.shows(&[
        first[0],
        first[1],
        first[2],
        "      8      2     25      0     50      0 45m53s - program 8.exe",
        "                   25      0     50      0     2s   udp to 10.0.0.9:22 from 10.0.0.5:50124",
        "                    0      0      0      0     2s   udp to 10.0.0.9:22 from 10.0.0.5:50125",
        "",
        KEYS,
    ]);
    terminal.press(&["s", "s", "Left"]);
    let by_flows = [
        "standard input: 2 processes, 3 flows, out 1.5k/s, in 100/s; by flows; ended",
        first[1],
        first[3],
        first[2],
        "",
        "",
        "",
        KEYS,
    ];
    terminal.shows(&by_flows);
    terminal.press(&["/", "7", "Enter"]);
    let filtered = format!("filter: 7  Esc all  {KEYS}");
    terminal.shows(&[by_flows[0], first[1], first[2], "", "", "", "", &filtered]);
    terminal.press(&["Escape"]);
    terminal.shows(&by_flows);
    terminal.press(&["q"]);
    terminal.has("ended with 0");
    assert!(!terminal.lines().iter().any(|line| line.contains("PROCESS")), "{:?}", terminal.lines());
}

#[test]
fn another_size_is_filled_at_once() {
    let (terminal, _file) = top(100, 8, "");
    terminal.has("program 8.exe");
    terminal.resize(57, 4);
    terminal.shows(&[
        "standard input: 2 processes, 3 flows, out 1.5k/s, in 100/",
        "    PID  FLOWS  OUT/s   IN/s    OUT     IN    AGE PROCESS",
        "      7      1   1.5k    100   3.0k    200 45m53s + progr",
        "q quit  Enter open  e all  s sort  r reverse  / filter  p",
    ]);
}

#[test]
fn colors_are_there_unless_no_color_asks_for_none() {
    for (variables, expected) in [("NO_COLOR=", true), ("NO_COLOR=1", false)] {
        let (terminal, _file) = top(100, 8, variables);
        terminal.has(KEYS);
        let shown = terminal.with_colors();
        // Cyan, as old tmux writes it and as new tmux does.
        let is_colored = ["\x1b[36m", "\x1b[38;5;6m"].iter().any(|cyan| shown.contains(cyan));
        assert_eq!(is_colored, expected, "{variables}");
    }
}

fn add(path: &Path, events: &[Told]) {
    let mut file = File::options().append(true).open(path).expect("it is there");
    for told in events {
        writeln!(file, "{}", json::line(told)).expect("there is room");
    }
}

#[test]
fn a_file_that_grows_is_followed_unless_it_is_paused() {
    let file = jsonl(&events());
    let terminal = Terminal::new(100, 8, &format!("exec {PROGRAM} top --from {}", file.path().display()));
    terminal.has(": 2 processes, 3 flows, ");
    add(file.path(), &[open(3_000_000, flow(4, 9, "10.0.0.5:50126", REMOTE))]);
    terminal.has(": 3 processes, 4 flows, ");
    terminal.press(&["p"]);
    terminal.has("; paused");
    let paused = terminal.lines();
    add(file.path(), &[open(4_000_000, flow(5, 10, "10.0.0.5:50127", REMOTE))]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(terminal.lines(), paused);
    terminal.press(&["p"]);
    terminal.has(": 4 processes, 5 flows, ");
    terminal.press(&["C-c"]);
}

#[test]
fn what_is_wrong_with_the_source_is_said_before_the_terminal_is_taken() {
    let terminal = Terminal::new(100, 8, &format!("{PROGRAM} top --from /nowhere; echo \"ended with $?\"; sleep 600"));
    terminal.has("ended with 2");
    assert!(terminal.lines()[0].starts_with("flowtag: open /nowhere: "), "{:?}", terminal.lines());
}
