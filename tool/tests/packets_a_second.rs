//! How many packets a second `annotate` takes, with few flows and with many, beside editcap copying the same file:
//!
//! ```sh
//! cargo test --release -p flowtag-tool --test packets_a_second -- --ignored --nocapture
//! ```
//!
//! Each packet is of another flow than the one before, so that a large table is as hard as it can be on the processor's cache.

#[expect(dead_code, reason = "each test program needs a part of it")]
mod made;

use std::{
    fs,
    io::Write,
    net::Ipv4Addr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use flowtag_tool::{
    annotate::{Options, Summary, annotate},
    flows::{Lives, TOLERANCE, Table},
};
use made::{Capture, ETHERNET, Order, REMOTE, ethernet, flow, open, udp};

const PACKETS: u32 = 2_000_000;
/// With their headers, packets have this many bytes.
const BYTES: usize = 500;
const FLOWS: [u32; 3] = [1_000, 100_000, 1_000_000];
const PROCESSES: u32 = 200;
/// What the command may take of memory, in KiB.
const MEMORY: u32 = 200 << 10;

fn address(number: u32) -> String {
    format!("{}:{}", Ipv4Addr::from(0x0a00_0000 + number / 50_000), 1 + number % 50_000)
}

/// A capture in which so many flows take turns, in an order that no cache foresees.
fn capture(flows: u32) -> Vec<u8> {
    let mut capture = Capture::new(Order::Little, ETHERNET);
    for number in 0..PACKETS {
        let flow = number.wrapping_mul(2_654_435_761) % flows;
        let mut packet = ethernet(&udp(&address(flow), REMOTE));
        packet.resize(BYTES, 0);
        capture.packet(u64::from(number), &packet);
    }
    capture.bytes
}

fn table(flows: u32) -> Table {
    let mut lives = Lives::default();
    for number in 0..flows {
        lives.hear(&open(0, flow(number.into(), 1 + number % PROCESSES, &address(number), REMOTE)));
    }
    Table::new(lives, TOLERANCE)
}

/// The fastest of some runs, each over the whole capture and into a file.
fn fastest(table: &Table, folder: &Path) -> Duration {
    let runs = (0..5).map(|_| {
        let file = fs::File::create(folder.join("out.pcapng")).expect("it is created");
        let mut output = std::io::BufWriter::with_capacity(1 << 20, file);
        let input = fs::File::open(folder.join("in.pcapng")).expect("it is there");
        let mut summary = Summary::default();
        let start = Instant::now();
        let mut input = flowtag_tool::capture::Capture::new(input).expect("it is a capture");
        annotate(&mut input, &mut output, table, Options { comments: true, processes: true }, &mut summary, |_| {})
            .expect("it is whole");
        output.flush().expect("there is room");
        let took = start.elapsed();
        assert_eq!(summary.joined, u64::from(PACKETS));
        took
    });
    runs.min().expect("there was a run")
}

#[test]
#[ignore = "it measures, which needs a machine that does nothing else"]
fn annotate_takes_a_million_packets_a_second_however_many_flows_there_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut nanoseconds = Vec::new();
    for flows in FLOWS {
        fs::write(folder.path().join("in.pcapng"), capture(flows)).expect("it is written");
        let took = fastest(&table(flows), folder.path());
        let each = took.as_secs_f64() * 1e9 / f64::from(PACKETS);
        println!("{flows} flows: {each:.0} ns a packet, {:.0} packets a second", 1e9 / each);
        nanoseconds.push(each);
    }
    println!("a packet among a million flows costs {:.2} times one among a thousand", nanoseconds[2] / nanoseconds[0]);
    editcap(folder.path());
}

/// The yardstick.
fn editcap(folder: &Path) {
    let start = Instant::now();
    let copied = Command::new("editcap").arg(folder.join("in.pcapng")).arg(folder.join("copy.pcapng")).status();
    match copied {
        Ok(status) if status.success() => {
            let each = start.elapsed().as_secs_f64() * 1e9 / f64::from(PACKETS);
            println!("editcap copies at {each:.0} ns a packet");
        }
        _ => println!("editcap is not installed: there is nothing to compare with"),
    }
}

#[test]
#[ignore = "it takes long"]
fn with_a_hundred_thousand_flows_the_command_needs_less_than_200_mib() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("in.pcapng"), capture(100_000)).expect("it is written");
    let events: Vec<_> = (0..100_000)
        .map(|number| open(0, flow(number.into(), 1 + number % PROCESSES, &address(number), REMOTE)))
        .collect();
    let flows = made::jsonl(&events);
    // All of its address space: more than it really uses.
    let command = format!("ulimit -v {MEMORY} && exec \"$@\"");
    let output = Command::new("sh")
        .args([
            "-c",
            &command,
            "sh",
            env!("CARGO_BIN_EXE_flowtag"),
            "annotate",
            &path("in.pcapng"),
            &path("out.pcapng"),
            "--flows",
        ])
        .arg(flows.path())
        .output()
        .expect("sh starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
