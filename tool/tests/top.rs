//! `flowtag top` where nobody looks at a terminal: what it prints, and its exit codes.

#[expect(dead_code, reason = "each test program needs a part of it")]
mod made;

use std::{
    fs,
    io::Write,
    process::{Child, Command, Output, Stdio},
};

use flowtag_tool::event::{
    Direction::{In, Out},
    Told,
};
use made::{LOCAL, REMOTE, close, flow, jsonl, open, packet};

const HEAD: &str = "    PID  FLOWS  OUT/s   IN/s    OUT     IN    AGE PROCESS\n";

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtag"));
    command.arg("top").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

/// Exit code, and what it says on standard output and on standard error.
fn said(output: Output) -> (i32, String, String) {
    let [said, complained] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
    (output.status.code().expect("it was not killed"), said, complained)
}

fn fed(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = start(arguments);
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    said(child.wait_with_output().expect("it ends"))
}

fn events() -> [Told; 6] {
    [
        open(0, flow(1, 7, LOCAL, REMOTE)),
        open(0, flow(2, 8, "10.0.0.5:50124", "10.0.0.9:22")),
        packet(500_000, 1, 7, Out, 3000),
        packet(1_000_000, 1, 7, In, 200),
        packet(1_500_000, 2, 8, Out, 50),
        close(2_000_000, flow(2, 8, "10.0.0.5:50124", "10.0.0.9:22")),
    ]
}

fn lines() -> String {
    fs::read_to_string(jsonl(&events()).path()).expect("they are there")
}

#[test]
fn a_pipe_gets_the_table_once_whether_it_is_asked_for_or_not() {
    let expected = format!(
        "{HEAD}      7      1   1.5k    100   3.0k    200 45m53s program 7.exe\n      8      0     25      0     50      0 45m53s program 8.exe\n"
    );
    let file = jsonl(&events());
    let path = file.path().to_str().expect("a name");
    for arguments in [&["--from", path][..], &["--from", path, "--once"]] {
        let output = start(arguments).wait_with_output().expect("it ends");
        assert_eq!(said(output), (0, expected.clone(), String::new()));
    }
}

#[test]
fn the_table_is_as_it_is_asked_for() {
    let (code, table, _) = fed(&["--from", "-", "--flows", "--sort", "pid", "--reverse"], &lines());
    let expected = "      8      0     25      0     50      0 45m53s program 8.exe
                   25      0     50      0     2s   (ended) udp to 10.0.0.9:22 from 10.0.0.5:50124
      7      1   1.5k    100   3.0k    200 45m53s program 7.exe
                 1.5k    100   3.0k    200     2s   udp to 93.184.216.34:53 from 10.0.0.5:50123
";
    assert_eq!((code, table), (0, format!("{HEAD}{expected}")));
    let (code, table, _) = fed(&["--from", "-", "--filter", "10.0.0.9"], &lines());
    assert_eq!((code, table.lines().count()), (0, 2));
    assert!(table.ends_with(" program 8.exe\n"), "{table}");
}

#[test]
fn without_times_there_are_neither_rates_nor_ages() {
    let line = "flowtag: open flow=0x1 pid=7 dir=out proto=udp 10.0.0.5:50123 -> 93.184.216.34:53 origin=new start=- key=- \
                ppid=- svc=- path=a.exe\n";
    let (code, table, _) = fed(&["--from", "-"], line);
    assert_eq!((code, table), (0, format!("{HEAD}      7      1      -      -      0      0      - a.exe\n")));
}

#[test]
fn lines_that_are_no_events_are_named_and_counted_behind_the_table() {
    let (code, table, complaints) = fed(&["--from", "-"], &format!("{}{{\n", lines()));
    assert_eq!((code, table.lines().count()), (1, 3));
    assert!(complaints.starts_with("flowtag: standard input:7: "), "{complaints}");
    assert!(complaints.ends_with("flowtag: standard input: 1 line is no event and was passed over\n"), "{complaints}");
}

#[test]
fn what_has_no_events_at_all_cannot_be_used() {
    let (code, _, complaints) = fed(&["--from", "-"], "something else\n");
    assert!(code == 2 && complaints.contains("has no event and no trace line"), "{code} {complaints}");
    assert_eq!(fed(&["--from", "/nowhere"], "").0, 2);
}

#[test]
fn events_without_an_end_are_a_table_after_the_time_that_was_asked_for() {
    let mut child = start(&["--from", "-", "--wait", "2"]);
    let mut open = child.stdin.take().expect("a pipe");
    open.write_all(lines().as_bytes()).expect("it reads");
    let (code, table, _) = said(child.wait_with_output().expect("it ends"));
    assert_eq!((code, table.lines().count()), (0, 3));
    drop(open);
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_takes_no_more_ends_with_4() {
    let full = fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let file = jsonl(&events());
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtag"));
    let status = command.args(["top", "--from"]).arg(file.path()).stdout(full).stderr(Stdio::null()).status();
    assert_eq!(status.expect("it starts").code(), Some(4));
}
