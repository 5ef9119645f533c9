//! The command as it is typed: what it prints, and its exit codes.

#[expect(dead_code, reason = "each test program needs a part of it")]
mod made;
mod pcapng;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use flowtag_tool::event::{Event, Told};
use made::{Capture, LOCAL, Order, RAW, REMOTE, close, flow, jsonl, open, udp};
use tempfile::TempDir;

fn flowtag(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtag"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    flowtag(arguments).output().expect("it starts")
}

fn fed(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = flowtag(arguments);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("it starts");
    child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

/// Flows, a capture with two of their packets and one of nobody, and room for what is written.
struct Desk {
    folder: TempDir,
    flows: tempfile::NamedTempFile,
}

impl Desk {
    fn new() -> Self {
        let events = [
            open(0, flow(1, 7, LOCAL, REMOTE)),
            open(1000, flow(2, 8, "10.0.0.5:50124", REMOTE)),
            close(5_000_000, flow(1, 7, LOCAL, REMOTE)),
            Told { time: Some(made::after(6_000_000)), event: Event::Stopping { live_flows: 1 } },
        ];
        let desk = Self { folder: tempfile::tempdir().expect("a folder"), flows: jsonl(&events) };
        let mut capture = Capture::new(Order::Little, RAW);
        capture.packet(10, &udp(LOCAL, REMOTE));
        capture.packet(20, &udp(REMOTE, LOCAL));
        capture.packet(30, &udp("10.9.9.9:1", REMOTE));
        fs::write(desk.path("in.pcapng"), capture.bytes).expect("it is written");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn flows(&self) -> &str {
        self.flows.path().to_str().expect("a name")
    }
}

fn owners(file: &[u8]) -> Vec<Option<(u32, u32)>> {
    let packets = pcapng::blocks(file).into_iter().filter_map(|block| match block {
        pcapng::Block::Packet(packet) => Some(packet.owner),
        _ => None,
    });
    packets.collect()
}

#[test]
fn a_capture_is_annotated_and_a_line_says_how_it_went() {
    let desk = Desk::new();
    let output = run(&["annotate", &desk.name("in.pcapng"), &desk.name("out.pcapng"), "--flows", desk.flows()]);
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, "3 packets: 2 joined, 1 unknown, 0 ambiguous\n"));
    let written = fs::read(desk.path("out.pcapng")).expect("it is there");
    assert_eq!(owners(&written), [Some((7, 0)), Some((7, 0)), None]);
}

#[test]
fn captures_come_and_go_through_pipes() {
    let desk = Desk::new();
    let capture = fs::read(desk.path("in.pcapng")).expect("it is there");
    let output = fed(&["annotate", "-", "-", "--quiet", "--flows", desk.flows()], &capture);
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""));
    assert_eq!(owners(&output.stdout), [Some((7, 0)), Some((7, 0)), None]);
}

#[test]
fn a_capture_that_is_cut_off_ends_with_1_and_says_what_is_kept() {
    let desk = Desk::new();
    let capture = fs::read(desk.path("in.pcapng")).expect("it is there");
    fs::write(desk.path("cut.pcapng"), &capture[..capture.len() - 10]).expect("it is written");
    let output = run(&["annotate", &desk.name("cut.pcapng"), &desk.name("out.pcapng"), "--flows", desk.flows()]);
    let said = text(&output.stderr);
    assert_eq!(code(&output), 1, "{said}");
    assert!(
        said.contains("cut.pcapng: it is cut off: the block at byte")
            && said.contains("the 2 packets before it are kept"),
        "{said}"
    );
    assert_eq!(owners(&fs::read(desk.path("out.pcapng")).expect("it is there")), [Some((7, 0)), Some((7, 0))]);
}

#[test]
fn what_cannot_be_used_ends_with_2_and_says_what_to_do() {
    let desk = Desk::new();
    let (capture, out) = (desk.name("in.pcapng"), desk.name("out.pcapng"));
    for (arguments, expected) in [
        (vec!["annotate", "/nowhere", &out, "--flows", desk.flows()], "open /nowhere"),
        (vec!["annotate", &capture, &out, "--flows", "/nowhere"], "open /nowhere"),
        (vec!["annotate", &capture, &capture, "--flows", desk.flows()], "give another name"),
        (vec!["annotate", "-", &out, "--flows", "-"], "give one of them as a file"),
        (vec!["annotate", desk.flows(), &out, "--flows", desk.flows()], "which neither pcapng nor pcap does"),
        (vec!["annotate", &capture, &out, "--flows", &capture], "has no event and no trace line"),
        (
            vec!["explain", "tcp", "--at", "2026-11-30T07:45:51Z", "--from", desk.flows()],
            "a packet's tuple is typed as",
        ),
    ] {
        let output = run(&arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
    assert!(fs::read(&capture).is_ok_and(|bytes| !bytes.is_empty()), "the capture is still there");
}

#[cfg(not(windows))]
#[test]
fn what_only_windows_has_ends_with_2_and_says_what_to_give() {
    for (arguments, expected) in [
        (["log", "--from", "live"].as_slice(), "live events are there on Windows only"),
        (&["log"], "live events are there on Windows only"),
        (&["log", "--from", "x.etl"], "an .etl file can be read on Windows only"),
    ] {
        let output = run(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
}

#[cfg(windows)]
#[test]
fn a_file_that_is_no_etl_file_ends_with_2_and_says_which_call_failed() {
    let desk = Desk::new();
    fs::write(desk.path("x.etl"), [0; 64]).expect("it is written");
    for (name, expected) in [("x.etl", "OpenTraceW fails"), ("y.etl", "open ")] {
        let output = run(&["log", "--from", &desk.name(name)]);
        assert!(code(&output) == 2 && text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    for (arguments, expected) in
        [(vec!["annotate"], 2), (vec!["what"], 2), (vec![], 2), (vec!["--help"], 0), (vec!["--version"], 0)]
    {
        assert_eq!(code(&run(&arguments)), expected, "{arguments:?}");
    }
    for command in ["annotate", "log", "export-names", "explain", "completions"] {
        let output = run(&[command, "--help"]);
        assert!(text(&output.stdout).contains("Example"), "{command}");
    }
}

#[test]
fn lines_that_are_no_events_are_passed_over_named_and_counted() {
    let desk = Desk::new();
    let mut lines = fs::read_to_string(desk.flows()).expect("text");
    lines.insert_str(0, "{\"timestamp\":null,\n");
    let output = fed(&["log", "--from", "-", "--json"], lines.as_bytes());
    assert_eq!((code(&output), text(&output.stdout).lines().count()), (1, 4));
    let said = text(&output.stderr);
    assert!(said.contains("standard input:1: ") && said.contains("1 line is no event and was passed over"), "{said}");
}

#[test]
fn events_are_written_as_they_were_read() {
    let desk = Desk::new();
    let output = run(&["log", "--json", "--from", desk.flows()]);
    assert_eq!((code(&output), text(&output.stdout)), (0, fs::read_to_string(desk.flows()).expect("text")));
}

#[test]
fn a_log_shows_what_is_asked_for() {
    let desk = Desk::new();
    let of_seven = run(&["log", "--process", "program 7", "--from", desk.flows()]);
    let lines = text(&of_seven.stdout);
    assert_eq!(lines.lines().count(), 2);
    assert!(lines.lines().all(|line| line.contains("udp 10.0.0.5:50123 -> 93.184.216.34:53 pid=7")), "{lines}");
    assert_eq!(text(&run(&["log", "--process", "8", "--from", desk.flows()]).stdout).lines().count(), 1);
    assert_eq!(text(&run(&["log", "--remote", "10.0.0.0/8", "--from", desk.flows()]).stdout), "");
    assert_eq!(text(&run(&["log", "--proto", "tcp", "--from", desk.flows()]).stdout), "");
}

#[test]
fn a_table_has_a_column_for_each_field() {
    let desk = Desk::new();
    let output = run(&["log", "--csv", "--from", desk.flows()]);
    let mut table = csv::Reader::from_reader(output.stdout.as_slice());
    let columns = table.headers().expect("columns").clone();
    let column = |name| columns.iter().position(|column| column == name).expect("a column");
    let rows: Vec<_> = table.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!((&rows[0][column("event")], &rows[0][column("ProcessId")]), ("FlowOpen", "7"));
    assert_eq!((&rows[3][column("LiveFlows")], &rows[3][column("ProcessId")]), ("1", ""));
}

#[test]
fn a_log_file_is_put_aside_when_it_is_full() {
    let desk = Desk::new();
    let log = desk.name("log.jsonl");
    let output = run(&["log", "--json", "--from", desk.flows(), "--output", &log, "--max-size", "1K"]);
    assert_eq!((code(&output), text(&output.stdout).as_str()), (0, ""));
    let read = |path: &str| fs::read_to_string(path).expect("it is there");
    assert_eq!([read(&format!("{log}.1")), read(&log)].concat(), read(desk.flows()));
    assert!(Path::new(&log).metadata().expect("it is there").len() <= 1024);
}

#[test]
fn a_log_of_trace_lines_becomes_events_with_times() {
    let lines = "\
00000001\t0.00000000\tflowtag: open flow=0x1 pid=7 dir=out proto=udp 10.0.0.5:50123 -> 93.184.216.34:53 origin=new start=- key=- ppid=- svc=- path=a.exe\r
00000002\t1.50000000\tflowtag: close flow=0x1 pid=7 packets=1/1 bytes=2/3 ms=1500 why=deleted\r\n";
    let output = fed(&["log", "--json", "--from", "-", "--began", "2026-11-30T07:45:51Z"], lines.as_bytes());
    let events = text(&output.stdout);
    let times: Vec<_> = events.lines().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(code(&output), 0);
    assert_eq!(
        times,
        ["{\"timestamp\":\"2026-11-30T07:45:51.0000000Z\"", "{\"timestamp\":\"2026-11-30T07:45:52.5000000Z\""]
    );
}

#[test]
fn processes_are_a_table_with_each_of_them_once() {
    let desk = Desk::new();
    let output = run(&["export-names", "--from", desk.flows()]);
    let expected = r"ProcessId,ProcessStartKey,ProcessCreateTime,ParentProcessId,Name,ProcessPath,FirstSeen,LastSeen
7,0x107,2025-11-30T07:00:00.0000000Z,812,program 7.exe,\device\harddiskvolume3\program 7.exe,2025-11-30T07:45:51.0000000Z,2025-11-30T07:45:56.0000000Z
8,0x108,2025-11-30T07:00:00.0000000Z,812,program 8.exe,\device\harddiskvolume3\program 8.exe,2025-11-30T07:45:51.0010000Z,2025-11-30T07:45:51.0010000Z
";
    assert_eq!((code(&output), text(&output.stdout).as_str()), (0, expected));
}

fn explained(desk: &Desk, source: &str, destination: &str, at: &str) -> (i32, String) {
    let output = run(&["explain", "udp", source, destination, "--at", at, "--from", desk.flows()]);
    (code(&output), text(&output.stdout))
}

#[test]
fn an_owner_is_explained_by_the_flows_that_there_were() {
    let desk = Desk::new();
    let (code, said) = explained(&desk, LOCAL, REMOTE, "2025-11-30T07:45:52Z");
    let path = r"\device\harddiskvolume3\program 7.exe";
    let expected = format!(
        "owner: process 7 ({path}), which sent it\n  \
         sent by process 7 ({path}): from 2025-11-30T07:45:51.0000000Z to 2025-11-30T07:45:56.0000000Z; the packet is within\n"
    );
    assert_eq!((code, said), (0, expected));
    let (code, said) = explained(&desk, REMOTE, LOCAL, "2025-11-30T07:45:52Z");
    assert!(code == 0 && said.contains("which received it"), "{said}");
}

#[test]
fn where_there_is_no_owner_it_says_why_and_ends_with_1() {
    let desk = Desk::new();
    let (code, said) = explained(&desk, LOCAL, REMOTE, "2025-11-30T08:00:00Z");
    assert!(code == 1 && said.starts_with("no owner: ") && said.contains("the packet is later"), "{said}");
    let (code, said) = explained(&desk, "10.1.1.1:1", REMOTE, "2025-11-30T07:45:52Z");
    assert_eq!((code, said.as_str()), (1, "no owner: no flow with these addresses and ports lived then\n"));
}

#[test]
fn what_a_sender_on_this_machine_sent_behind_its_end_has_no_owner() {
    let (client, server) = (flow(1, 7, LOCAL, REMOTE), flow(2, 8, REMOTE, LOCAL));
    let flows = jsonl(&[open(0, client.clone()), open(0, server), close(1_000, client)]);
    let from = flows.path().to_str().expect("a path");
    let output = run(&["explain", "udp", LOCAL, REMOTE, "--at", "2025-11-30T07:45:52Z", "--from", from]);
    let said = text(&output.stdout);
    assert!(code(&output) == 1 && said.starts_with("no owner: it was sent on this machine"), "{said}");
}

#[test]
fn a_shell_gets_what_completes_its_lines() {
    for shell in ["bash", "powershell"] {
        let output = run(&["completions", shell]);
        assert!(code(&output) == 0 && text(&output.stdout).contains("export-names"), "{shell}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_takes_no_more_ends_with_4() {
    let desk = Desk::new();
    let full = || fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    for arguments in [
        vec!["log", "--json", "--from", desk.flows()],
        vec!["export-names", "--from", desk.flows()],
        vec!["annotate", &desk.name("in.pcapng"), "-", "--flows", desk.flows()],
    ] {
        let status = flowtag(&arguments).stdout(full()).stderr(Stdio::null()).status().expect("it starts");
        assert_eq!(status.code(), Some(4), "{arguments:?}");
    }
}
