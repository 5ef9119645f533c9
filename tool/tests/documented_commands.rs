//! Every command of docs/tool.md, and every example of the help texts, typed as it stands there.

#![cfg(unix)]

#[expect(dead_code, reason = "each test program needs a part of it")]
mod made;

use std::{env, fs, io::Write, path::Path, process::Command};

use made::{Capture, LOCAL, Order, RAW, REMOTE, close, flow, jsonl, open, udp};

const PAGE: &str = include_str!("../../docs/tool.md");
const COMMANDS: [&str; 6] = ["top", "annotate", "log", "export-names", "explain", "completions"];
/// Explains a packet of another flow than the examples' files have.
const NO_OWNER: i32 = 1;

/// A folder with the files that the commands name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut capture = Capture::new(Order::Little, RAW);
    capture.packet(10, &udp(LOCAL, REMOTE));
    let header = [0xa1b2_c3d4_u32, 4 << 16 | 2, 0, 0, 65_535, RAW.into(), 1_764_488_751, 10, 35, 35];
    let pcap = [header.map(u32::to_le_bytes).as_flattened(), &udp(LOCAL, REMOTE)].concat();
    let events = jsonl(&[open(0, flow(1, 7, LOCAL, REMOTE)), close(5_000_000, flow(1, 7, LOCAL, REMOTE))]);
    let lines = "1\t0.00000000\tflowtag: open flow=0x1 pid=7 dir=out proto=udp 10.0.0.5:50123 -> 93.184.216.34:53 origin=new \
                 start=- key=- ppid=- svc=- path=a.exe\r\n";
    for (name, contents) in [
        ("traffic.pcapng", capture.bytes),
        ("old.pcap", pcap),
        ("flows.jsonl", fs::read(events.path()).expect("they are there")),
        ("dbgview.log", lines.as_bytes().to_vec()),
    ] {
        fs::File::create(folder.path().join(name))
            .and_then(|mut file| file.write_all(&contents))
            .expect("it is written");
    }
    folder
}

/// What a shell in the folder makes of a command.
fn typed(command: &str, folder: &Path) -> (i32, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_flowtag")).parent().expect("a folder").display().to_string();
    let path = format!("{program}:{}", env::var("PATH").unwrap_or_default());
    let output =
        Command::new("sh").args(["-c", command]).current_dir(folder).env("PATH", path).output().expect("a shell");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it was not killed"), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn each_command_of_the_page_does_what_it_should() {
    let blocks = PAGE.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    let commands: Vec<_> = blocks.flat_map(str::lines).filter(|line| line.starts_with("flowtag ")).collect();
    assert!(
        COMMANDS[..5]
            .iter()
            .all(|name| commands.iter().any(|command| command.starts_with(&format!("flowtag {name} "))))
    );
    for command in commands {
        let folder = folder();
        let (code, said) = typed(command, folder.path());
        assert_eq!(code, 0, "{command}: {said}");
        if command.starts_with("flowtag annotate") {
            assert_eq!(said, "1 packet: 1 joined, 0 unknown, 0 ambiguous\n", "{command}");
        }
    }
}

#[test]
fn each_example_of_the_help_does_what_it_should() {
    for name in COMMANDS {
        let folder = folder();
        let (_, help) = typed(&format!("flowtag {name} --help"), folder.path());
        let examples: Vec<_> = help.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        let examples = examples.iter().filter(|line| line.starts_with("flowtag "));
        let mut count = 0;
        for example in examples {
            let (code, said) = typed(example, folder.path());
            assert!(code == 0 || name == "explain" && code == NO_OWNER, "{example}: {said}");
            count += 1;
        }
        assert!(count > 0, "{name} has no examples");
    }
}

#[test]
fn the_page_has_the_summary_and_the_exit_codes_as_they_are() {
    assert!(PAGE.contains("\n3 packets: 2 joined, 1 unknown, 0 ambiguous\n"));
    let folder = folder();
    let (_, help) = typed("flowtag --help", folder.path());
    let codes = help.lines().skip_while(|line| *line != "Exit codes:").skip(1).filter(|line| !line.is_empty());
    for line in codes {
        let (code, meaning) = line.trim().split_once("  ").expect("a code and what it means");
        assert!(PAGE.contains(&format!("| {code} | {meaning} |")), "docs/tool.md lacks: {line}");
    }
}
