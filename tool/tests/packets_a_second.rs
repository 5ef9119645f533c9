//! How many packets a second `annotate` takes, with few flows and with many, beside editcap copying the same file:
//!
//! ```sh
//! cargo test --release -p flowtag-tool --test packets_a_second -- --ignored --nocapture
//! ```
//!
//! Each packet is of another flow than the one before, so that a large table is as hard as it can be on the processor's cache. What
//! counts is the time that the processor has worked, for the program and for the system: others who want it, too, do not matter then,
//! but for what they take of its caches. The table is there before; editcap has none, and starts within its time.
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "each test program needs a part of it")]
mod made;

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    mem,
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use flowtag_tool::{
    annotate::{Options, Summary, annotate},
    flows::{Lives, TOLERANCE, Table},
};
use made::{Capture, ETHERNET, Order, REMOTE, ethernet, flow, open, udp};

const PACKETS: u32 = 1_000_000;
/// With their headers, packets have this many bytes.
const BYTES: usize = 500;
const FLOWS: [u32; 3] = [1_000, 100_000, 1_000_000];
const PROCESSES: u32 = 200;
/// The best of so many runs is taken.
const RUNS: usize = 5;
/// What the command may take of memory, in KiB.
const MEMORY: u32 = 200 << 10;

fn address(number: u32) -> String {
    format!("{}:{}", Ipv4Addr::from(0x0a00_0000 + number / 50_000), 1 + number % 50_000)
}

/// Writes a capture in which so many flows take turns, in an order that no cache foresees.
fn capture(file: &Path, flows: u32) {
    let mut output = BufWriter::new(File::create(file).expect("it is created"));
    let mut capture = Capture::new(Order::Little, ETHERNET);
    for number in 0..PACKETS {
        let flow = number.wrapping_mul(2_654_435_761) % flows;
        let mut packet = ethernet(&udp(&address(flow), REMOTE));
        packet.resize(BYTES, 0);
        capture.packet(u64::from(number), &packet);
        output.write_all(&mem::take(&mut capture.bytes)).expect("there is room");
    }
    output.flush().expect("there is room");
}

fn table(flows: u32) -> Table {
    let mut lives = Lives::default();
    for number in 0..flows {
        lives.hear(&open(0, flow(number.into(), 1 + number % PROCESSES, &address(number), REMOTE)));
    }
    Table::new(lives, TOLERANCE)
}

/// How long the processor has worked, for this thread or for the children that have been waited for.
fn worked(who: libc::c_int) -> Duration {
    // SAFETY: a structure of numbers, which may all be zero.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    // SAFETY: it is stored in a local.
    let answer = unsafe { libc::getrusage(who, &raw mut usage) };
    assert_eq!(answer, 0);
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.cast_unsigned()) + Duration::from_micros(time.tv_usec.cast_unsigned())
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// The nanoseconds for a packet in the best of some runs over the whole capture.
fn best(who: libc::c_int, mut run: impl FnMut()) -> f64 {
    let runs = (0..RUNS).map(|_| {
        let before = worked(who);
        run();
        worked(who).saturating_sub(before)
    });
    runs.min().expect("there was a run").as_secs_f64() * 1e9 / f64::from(PACKETS)
}

fn annotated(table: &Table, input: &Path, output: &Path) {
    let mut output = BufWriter::with_capacity(1 << 20, File::create(output).expect("it is created"));
    let mut summary = Summary::default();
    let input = File::open(input).expect("it is there");
    let mut input = flowtag_tool::capture::Capture::new(input).expect("it is a capture");
    annotate(&mut input, &mut output, table, Options { comments: true, processes: true }, &mut summary, |_| {})
        .expect("it is whole");
    output.flush().expect("there is room");
    assert_eq!(summary.joined, u64::from(PACKETS));
}

/// The yardstick.
fn copied(input: &Path, output: &Path) {
    let status = Command::new("editcap").args([input, output]).status().expect("apt-get install tshark");
    assert!(status.success());
}

#[test]
#[ignore = "it measures, and needs Debian's package tshark"]
fn annotate_takes_a_million_packets_a_second_however_many_flows_there_are_and_is_no_slower_than_a_copy() {
    let folder = tempfile::tempdir().expect("a folder");
    let [input, output] = ["in.pcapng", "out.pcapng"].map(|name| folder.path().join(name));
    let measured = FLOWS.map(|flows| {
        capture(&input, flows);
        let table = table(flows);
        let annotate = best(libc::RUSAGE_THREAD, || annotated(&table, &input, &output));
        let copy = best(libc::RUSAGE_CHILDREN, || copied(&input, &output));
        println!(
            "{flows} flows: {annotate:.0} ns a packet, {:.0} packets a second; editcap {copy:.0} ns",
            1e9 / annotate
        );
        (annotate, copy)
    });
    let [(few, _), (many, _), (most, _)] = measured;
    println!("a packet among a million flows costs {:.2} times one among a thousand", most / few);
    assert!(many <= 1000.0, "{many} ns a packet with a hundred thousand flows");
    assert!(most <= 1.2 * few, "{most} ns a packet with a million flows, {few} ns with a thousand");
    assert!(measured.iter().all(|(annotate, copy)| annotate <= copy), "editcap is faster: {measured:?}");
}

#[test]
#[ignore = "it takes long"]
fn with_a_hundred_thousand_flows_the_command_needs_less_than_200_mib() {
    let folder = tempfile::tempdir().expect("a folder");
    let [input, output] = ["in.pcapng", "out.pcapng"].map(|name| folder.path().join(name));
    capture(&input, 100_000);
    let events: Vec<_> = (0..100_000)
        .map(|number| open(0, flow(number.into(), 1 + number % PROCESSES, &address(number), REMOTE)))
        .collect();
    let flows = made::jsonl(&events);
    // All of its address space: more than it really uses.
    let command = format!("ulimit -v {MEMORY} && exec \"$@\"");
    let mut annotate = Command::new("sh");
    annotate.args(["-c", &command, "sh", env!("CARGO_BIN_EXE_flowtag"), "annotate"]).args([&input, &output]);
    let mut annotate = annotate.arg("--flows").arg(flows.path()).stderr(Stdio::null()).spawn().expect("sh starts");
    let peak = peak(&mut annotate);
    assert!(annotate.wait().expect("it ends").success());
    println!("{} KiB at most, of {MEMORY} KiB", peak.expect("it has run for a while"));
}

/// How much memory a process has had at most, in KiB, as it was when it was last seen.
fn peak(child: &mut Child) -> Option<u32> {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = None;
    while child.try_wait().expect("it is a child").is_none() {
        let now = fs::read_to_string(&status).unwrap_or_default();
        let now = now.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(now);
        std::thread::sleep(Duration::from_millis(5));
    }
    peak
}
