//! The pages' commands for these checks, held against what can be typed. Those of `cargo xtask` are xtask's matter.

use std::{fs, path::Path};

use clap::Parser;

use crate::CommandLine;

/// How a command for a check begins, as it is run and as it is debugged.
const BEGINNINGS: [&str; 2] = ["cargo xtask verify -- ", "cargo xtask debug verify -- "];
/// The checks of this program; others are xtask's own.
const OURS: [&str; 4] = ["faults", "schedules", "stress", "third-party"];

/// The commands of a page, from the name of the check on.
fn commands(page: &str) -> Vec<&str> {
    let commands = BEGINNINGS.iter().flat_map(|beginning| page.split(beginning).skip(1));
    let commands = commands.map(|rest| rest.split(['`', '\n']).next().unwrap_or_default());
    commands.map(|command| command.split(" # ").next().unwrap_or_default().trim()).collect()
}

/// The words of a command, as a shell sees them, with one kind of quotes.
fn words(command: &str) -> Vec<&str> {
    let parts = command.split('\'').enumerate();
    parts
        .flat_map(|(index, part)| if index % 2 == 1 { vec![part] } else { part.split_whitespace().collect() })
        .collect()
}

#[test]
fn every_command_of_a_page_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut count = 0;
    for page in ["CONTRIBUTING.md", "README.md", "docs/verification.md"] {
        let text = fs::read_to_string(root.join(page)).expect("a page");
        for command in commands(&text) {
            let words = words(command);
            if OURS.contains(&words[0]) {
                let parsed = CommandLine::try_parse_from(["flowtag-verify"].iter().chain(&words));
                assert!(parsed.is_ok(), "{page}: {command}: {}", parsed.err().expect("an error"));
                count += 1;
            }
        }
    }
    assert!(count >= 5, "only {count} commands");
}

#[test]
fn what_is_quoted_is_one_word() {
    assert_eq!(words("schedules --replay 'a case:a1' --quick"), ["schedules", "--replay", "a case:a1", "--quick"]);
}
