//! What of a processor's core `top` takes to follow many flows and many events, on a real terminal:
//!
//! ```sh
//! cargo test --release -p flowtag-tool --test top_many_events -- --ignored --nocapture
//! ```
//!
//! Events are lines of JSON in a file that grows; packets come from all flows in turn, in an order that no cache foresees. Counted is the time that the
//! kernel says the process had, so that others on the machine make little difference.

#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "each test program needs a part of it")]
mod made;
#[expect(dead_code, reason = "each test program needs a part of it")]
mod terminal;

use std::{
    fs::{self, File},
    io::Write,
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use flowtag_tool::{event::Direction, source::json};
use made::{REMOTE, flow, open, packet};
use terminal::Terminal;

const FLOWS: u32 = 50_000;
const PROCESSES: u32 = 200;
const EVENTS_A_SECOND: u32 = 20_000;
const SECONDS: u32 = 20;
/// Events come in so many portions a second.
const PORTIONS: u32 = 50;
const BYTES: u32 = 100;
/// What it may take.
const PERCENT: f64 = 10.0;

const fn owner(flow: u32) -> u32 {
    1 + flow % PROCESSES
}

fn opened() -> String {
    let mut lines = String::new();
    for number in 0..FLOWS {
        let local = format!("{}:{}", Ipv4Addr::from(0x0a00_0000 + number / 50_000), 1 + number);
        lines += &json::line(&open(0, flow(number.into(), owner(number), &local, REMOTE)));
        lines.push('\n');
    }
    lines
}

/// What is written at once, after so many portions.
fn portion(number: u32) -> String {
    const EVENTS: u32 = EVENTS_A_SECOND / PORTIONS;
    let mut lines = String::new();
    for event in number * EVENTS..(number + 1) * EVENTS {
        let flow = u32::try_from(u64::from(event) * 7919 % u64::from(FLOWS)).expect("it is less");
        let microseconds = u64::from(event) * 1_000_000 / u64::from(EVENTS_A_SECOND);
        lines += &json::line(&packet(microseconds, flow.into(), owner(flow), Direction::Out, BYTES));
        lines.push('\n');
    }
    lines
}

/// How long the process has had the processor, in hundredths of a second (proc(5), `utime` and `stime`).
fn ticks(process: u32) -> u64 {
    let told = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let (_, behind_name) = told.rsplit_once(") ").expect("a name");
    behind_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

/// Writes the events of some seconds as they come, waits until the screen has this, by which all of them have been heard, and says what
/// percentage of a core the process took for them.
fn measured(terminal: &Terminal, file: &mut File, first: u32, expected: &str) -> f64 {
    // Made before, so that there is no hurry.
    let portions: Vec<_> = (0..SECONDS * PORTIONS).map(|number| portion(first * PORTIONS + number)).collect();
    let (before, begin) = (ticks(terminal.process()), Instant::now());
    for (portion, number) in portions.iter().zip(1..) {
        file.write_all(portion.as_bytes()).expect("there is room");
        let due = Duration::from_secs(1) * number / PORTIONS;
        thread::sleep(due.saturating_sub(begin.elapsed()));
    }
    let late = begin.elapsed().as_secs_f64() - f64::from(SECONDS);
    assert!(late < 1.0, "the events were written {late:.1} s late: this machine has too much else to do");
    terminal.has(expected);
    let spent = u32::try_from(ticks(terminal.process()) - before).expect("it is little");
    f64::from(spent) / f64::from(SECONDS)
}

#[test]
#[ignore = "it measures, which needs a machine that does nothing else"]
fn top_follows_fifty_thousand_flows_and_twenty_thousand_events_a_second_in_a_tenth_of_a_core() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("flows.jsonl");
    fs::write(&path, opened()).expect("it is written");
    let mut file = File::options().append(true).open(&path).expect("it is there");
    let command = format!("exec {} top --from {}", env!("CARGO_BIN_EXE_flowtag"), path.display());
    let terminal = Terminal::new(120, 40, &command);
    terminal.has(": 200 processes, 50000 flows, ");
    // Each flow has had 8 packets of 100 bytes then, and each process has 250 flows.
    let closed = measured(&terminal, &mut file, 0, "   200k      0 ");
    terminal.press(&["e"]);
    let all_open = measured(&terminal, &mut file, SECONDS, "   400k      0 ");
    println!("of a core: {closed:.1} % with processes, {all_open:.1} % with all of them opened into their flows");
    assert!(closed < PERCENT && all_open < PERCENT, "of a core: {closed:.1} %, {all_open:.1} % with all flows");
}
