//! Every command for Linux on README.md and docs/*.md, run as it stands there: what a newcomer copies must work.
//!
//! Each runs in the repository's folder, by a shell, with nothing to read. Those for Windows are in tests/windows.

use std::{
    collections::BTreeSet,
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use flowtag_tests::pages::{in_folder, program, shell_lines_and_quotes};
use serde_json::Value;

/// Commands that a test cannot run, or need not, and why.
const NOT_RUN: [(&str, &str); 33] = [
    ("cargo install --locked cargo-make --no-default-features --features tls-native", "installs a program, on Windows"),
    ("cargo make", "needs the WDK; tests/windows/makefile.rs has the makefile"),
    ("cargo make default --target aarch64-pc-windows-msvc", "needs the WDK"),
    (
        "cargo build --release -p flowtag-tool --target-dir target\\tool",
        "is for Windows; `cargo xtask test` builds it for Windows here",
    ),
    (
        "cargo run --profile host --package flowtag-simulator -- imports docs/imports.md",
        "compiles everything anew; a test holds the page against what it writes",
    ),
    ("cargo xtask bench", "takes minutes; `cargo xtask test` ends with its --check"),
    ("cargo xtask bench --record", "changes the budget"),
    ("cargo xtask check", "takes minutes; `cargo xtask test` begins with it"),
    ("cargo xtask debug --break FILE:LINE test NAME", "has places for the reader's own"),
    ("cargo xtask demo -- COMMAND …", "has a place for the reader's own"),
    ("cargo xtask editor", "takes minutes; `cargo xtask test` ends with its --check"),
    ("cargo xtask fuzz", "takes minutes; `cargo xtask test` runs it within verify --quick"),
    ("cargo xtask interleavings", "has to be told which; `cargo xtask test` runs it within verify --quick"),
    ("cargo xtask mutants", "takes minutes; `cargo xtask test` runs it within verify --quick"),
    ("cargo xtask mutants --generated", "takes hours"),
    ("cargo xtask mutants --generated --list", "installs cargo-mutants"),
    ("cargo xtask mutants --generated --sample 60 --seed 7", "takes half an hour"),
    ("cargo xtask mutants --generated src/unload.rs", "takes minutes"),
    ("cargo xtask mutants --generated --quick --sample 12", "`cargo xtask test` ends with it"),
    ("cargo xtask pictures", "changes the pictures"),
    ("cargo xtask selftest --mutants", "takes minutes; `cargo xtask test` runs it within verify --quick"),
    ("cargo xtask setup", "installs packages; `cargo xtask test` begins with it"),
    ("cargo xtask sim -- …", "has a place for the reader's own"),
    ("cargo xtask test", "runs this test"),
    ("cargo xtask verify", "takes an hour"),
    ("cargo xtask verify --json", "takes an hour"),
    ("cargo xtask verify --quick", "takes minutes; `cargo xtask test` ends with it"),
    ("cargo xtask verify -- arm64", "takes minutes; `cargo xtask test` runs it within verify --quick"),
    ("cargo xtask verify -- arm64 --image IMAGE", "has a place for the reader's own"),
    ("cargo xtask verify -- schedules --list", "goes through every order, which takes twenty minutes"),
    ("cargo xtask verify -- third_party", "gets a driver from the network"),
    // Parts of the tables that tell of options.
    ("cargo xtask", "lists its commands, and fails as one that is told nothing"),
    ("cargo xtask package", "stands for the command with its options"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// README.md and the pages in docs/.
fn pages() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).expect("a page");
    in_folder(&root().join("docs")).into_iter().map(|(_, text)| text).chain([readme]).collect()
}

/// The commands of a page: the lines of its blocks for a shell, and what begins like one between backticks in its text.
fn commands(page: &str) -> BTreeSet<String> {
    let (lines, quoted) = shell_lines_and_quotes(page);
    lines.into_iter().chain(quoted.into_iter().filter(|code| program(code) == "cargo")).collect()
}

/// Runs a command as a newcomer's shell does, with this typed into it.
fn run(command: &str, input: &str) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(root()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // What the tests are told, a newcomer has not.
    let ours =
        |name: &str| name.starts_with("FLOWTAG_") || name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR";
    for (name, _) in env::vars().filter(|(name, _)| ours(name)) {
        shell.env_remove(name);
    }
    let mut child = shell.spawn().expect("a shell");
    // One that reads nothing may have ended.
    let _ = child.stdin.take().expect("its input").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

/// Runs a command that must go well, and returns what it printed.
fn must(command: &str, input: &str) -> String {
    let output = run(command, input);
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command}: {}\n{printed}{said}", output.status);
    printed.into_owned()
}

#[test]
fn every_command_of_a_page_runs_as_it_stands() {
    let all: BTreeSet<_> = pages().iter().flat_map(|page| commands(page)).collect();
    let run = all.iter().filter(|command| !NOT_RUN.iter().any(|(known, _)| known == command));
    for command in run {
        must(command, "");
    }
}

#[test]
fn what_is_not_run_is_on_a_page() {
    let all: BTreeSet<_> = pages().iter().flat_map(|page| commands(page)).collect();
    for (command, reason) in NOT_RUN {
        assert!(all.contains(command), "`{command}` ({reason}) is on no page any more");
    }
}

#[test]
fn the_selftest_passes_every_claim_that_does_not_need_windows() {
    let printed = must("cargo xtask selftest --json", "");

    let verdict: Value = serde_json::from_str(&printed).expect("one line of JSON");
    let claims = verdict["claims"].as_array().expect("claims");
    // Where nobody may capture, those about traffic say so.
    let in_vain = |claim: &Value| !verdict["no_traffic"].is_null() && claim["verdict"] == "UNKNOWN";
    let claimed = claims.iter().filter(|claim| claim["guess"] == false && !in_vain(claim));
    let wanting: Vec<_> = claimed.filter(|claim| claim["verdict"] != "PASS").collect();
    assert!(claims.len() > 20 && wanting.is_empty(), "{wanting:#?}");
}

#[test]
fn the_readme_is_rehearsed_word_for_word() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a page");
    let blocks = readme.split("```bat\n").skip(1).filter_map(|rest| rest.split("```").next());
    let typed: String = blocks.collect();
    assert!(readme.contains("\ncargo xtask sim -- shell\n"), "the command of the rehearsal");

    let printed = must("cargo xtask sim -- shell", &typed);

    assert!(printed.contains("STATE              : 4  RUNNING") && printed.contains("flowtag: loaded"), "{printed}");
    assert!(printed.contains("flowtag: totals"), "{printed}");
}

#[test]
fn the_demo_names_the_sender_of_each_packet_and_its_page_each_member_of_the_verdict() {
    let folder = root().join("target/demo-of-a-test");
    let printed = must(&format!("cargo xtask demo --json --folder {}", folder.display()), "");
    let verdict: Value = serde_json::from_str(printed.lines().last().unwrap_or_default()).expect("a line of JSON");
    let page = fs::read_to_string(root().join("docs/simulator.md")).expect("a page");
    for member in verdict.as_object().expect("an object").keys() {
        assert!(page.contains(&format!("`{member}`")), "{member} is not in docs/simulator.md");
    }
    // Who is not root, or has another kernel, replays a recording.
    if verdict["mode"] == "recorded" {
        assert!(verdict["no_frames"].is_string() && verdict["frames"].is_null(), "{verdict}");
        return;
    }
    let count = |member: &str| verdict[member].as_u64().expect(member);
    assert!(count("frames_joined") * 100 >= count("frames") * 99, "{verdict}");
    assert_eq!((count("frames_right"), count("frames_wrong")), (count("frames_joined"), 0), "{verdict}");
    for member in ["frames", "frames_accepted", "frames_older", "short_connections", "ports_reused"] {
        assert!(count(member) > 0, "{member}: {verdict}");
    }
    assert!(fs::metadata(folder.join("traffic.pcapng")).is_ok_and(|file| file.len() > 0));
}

#[test]
fn commands_are_found_in_blocks_and_in_the_text() {
    let page =
        "Type `cargo make\nthis`, not `sc`.\n\n```sh\ncargo xtask demo # why\nls\n```\n```bat\nsc query x\n```\n";
    assert_eq!(commands(page).into_iter().collect::<Vec<_>>(), ["cargo make this", "cargo xtask demo", "ls"]);
}
