//! `flowtag-sim` as a process: its input, its output, a terminal.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

/// A command of the simulator, that knows of no driver.
fn simulator(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtag-sim"));
    command.args(arguments).env_remove("FLOWTAG_SYS").stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

/// A shell with this typed into it, for as long as it listens.
fn typed(shell: &mut Command, input: &[u8]) -> Output {
    let mut child = shell.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let _ = child.stdin.take().expect("its input").write_all(input);
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").expect("Linux has it")
}

/// A pipe that nobody reads.
fn closed_pipe() -> io::PipeWriter {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    writer
}

/// A file with commands, gone when the test is over.
struct Script(PathBuf);

impl Script {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("flowtag-{name}-{}", std::process::id()));
        fs::write(&path, content).expect("a file");
        Self(path)
    }

    /// What comes of it.
    fn run(&self) -> Output {
        let path = self.0.to_str().expect("text");
        simulator(&["shell", path]).stdout(Stdio::piped()).output().expect("it starts")
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_full_disk_ends_it_with_one_line_and_a_code() {
    for arguments in [&["shell"][..], &["--help"]] {
        let output = typed(simulator(arguments).stdout(full_disk()), b"help\n");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {said}");
        assert!(said.starts_with("error: the output cannot be written: ") && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn a_reader_who_has_gone_ends_it_without_a_word() {
    for arguments in [&["shell"][..], &["--help"]] {
        let output = typed(simulator(arguments).stdout(closed_pipe()), b"help\n");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(4), String::new()), "{arguments:?}");
    }
}

#[test]
fn an_error_that_nobody_reads_is_still_a_code() {
    let status = simulator(&["shell", "/nowhere"]).stderr(full_disk()).status().expect("it starts");
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_file_for_events_that_cannot_be_made_is_named_before_anything_else_happens() {
    let output = simulator(&["shell", "--events", "/nowhere/events"]).output().expect("it starts");
    let said = text(&output.stderr);
    assert!(said.starts_with("error: create the file for events /nowhere/events: "), "{said}");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}

#[test]
fn a_file_for_events_is_empty_when_there_are_none() {
    let file = Script::new("events", b"what was there before");
    let path = file.0.to_str().expect("text");
    let output = typed(simulator(&["shell", "--events", path]).stdout(Stdio::piped()), b"time\n");
    assert_eq!((output.status.code(), fs::read(&file.0).expect("a file")), (Some(0), Vec::new()));
}

#[test]
fn a_directory_is_no_file_with_commands() {
    let output = simulator(&["shell", "/tmp"]).output().expect("it starts");
    assert_eq!(text(&output.stderr), "error: /tmp is a directory, not a file with commands\n");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_script_may_come_from_an_editor_of_windows() {
    let utf16: Vec<u8> = "\u{FEFF}time\r\nexit\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (name, content) in [("utf8", &b"\xEF\xBB\xBFtime\r\nexit\r\n"[..]), ("utf16", &utf16)] {
        let output = Script::new(name, content).run();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "C:\\>time\n0.000 s since the machine started\nC:\\>exit\n", "{name}");
    }
}

#[test]
fn a_line_that_is_no_text_is_named_by_its_number() {
    let output = Script::new("latin1", b"time\nrem M\xFCnchen\n").run();
    let said = text(&output.stderr);
    assert!(said.contains("line 2, is not in UTF-8"), "{said}");
    assert_eq!(output.status.code(), Some(2));
}

/// What a terminal shows of a shell, with these keys typed: by script(1) of Debian's bsdutils, which is always there.
fn at_a_terminal(keys: &[u8]) -> String {
    let command = format!("'{}' shell", env!("CARGO_BIN_EXE_flowtag-sim"));
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    let output = typed(terminal.env("TERM", "xterm").stdout(Stdio::piped()), keys);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    shown
}

#[test]
fn a_terminal_edits_lines_and_remembers_them() {
    // `time` by the left arrow key, and the same by the arrow up.
    let shown = at_a_terminal(b"tme\x1b[D\x1b[Di\r\x1b[A\rexit\r");
    assert_eq!(shown.matches("0.000 s since the machine started").count(), 2, "{shown}");
}

#[test]
fn lines_that_are_pasted_together_are_typed_one_after_the_other() {
    let shown = at_a_terminal(b"\x1b[200~time\rtime +5s\x1b[201~\rexit\r");
    assert!(shown.contains("0.000 s since") && shown.contains("5.000 s since"), "{shown}");
}
