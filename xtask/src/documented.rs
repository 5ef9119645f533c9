//! The repository's pages, held against the repository: their commands exist, and their links lead somewhere.

use std::{fs, path::PathBuf};

use clap::Parser;

use self::pages::{in_folder, shell_lines_and_quotes};
use crate::{command_line::CommandLine, workspace};

#[expect(dead_code, reason = "the tests of the repository want the rest")]
#[path = "../../tests/src/pages.rs"]
mod pages;

/// README.md and its like, and those in docs/.
fn pages() -> Vec<(PathBuf, String)> {
    [workspace::root().to_owned(), workspace::root().join("docs")].iter().flat_map(|folder| in_folder(folder)).collect()
}

/// The commands of a page that begin with `cargo xtask`: the lines of its blocks for a shell, and what stands between
/// backticks in its text.
fn commands(page: &str) -> Vec<String> {
    let (lines, quoted) = shell_lines_and_quotes(page);
    let all = lines.into_iter().chain(quoted);
    all.filter(|command| command.starts_with("cargo xtask ")).collect()
}

/// The words of a command, as a shell sees them.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in command.chars() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (_, Some(open)) if open == letter => quote = None,
            (' ', None) => words.push(String::new()),
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    words
}

/// The targets of a page's links within the repository.
fn links(page: &str) -> impl Iterator<Item = &str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.starts_with("https://"))
}

/// What a link names a heading by.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_command_of_a_page_is_one() {
    let mut count = 0;
    for (page, text) in pages() {
        for command in commands(&text) {
            // Behind `cargo`; its own name is what clap takes for the program's.
            let parsed = CommandLine::try_parse_from(words(&command).into_iter().skip(1));
            let wrong = parsed.err().filter(clap::Error::use_stderr);
            assert!(wrong.is_none(), "{}: {command}: {}", page.display(), wrong.unwrap());
            count += 1;
        }
    }
    assert!(count >= 40, "only {count} commands");
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    for (page, text) in pages() {
        for link in links(&text) {
            let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{} links to {link}", page.display());
            let Some(heading) = heading else { continue };
            let text = fs::read_to_string(&target).unwrap();
            let found =
                text.lines().any(|line| line.starts_with('#') && anchor(line.trim_start_matches('#')) == heading);
            assert!(found, "{} links to {link}: no such heading", page.display());
        }
    }
}

#[test]
fn a_command_is_found_in_a_block_and_in_the_text() {
    let page = "Type `cargo xtask\ntest`.\n\n```sh\ncargo xtask verify -- faults --replay 'a b' # why\n```\n```\ncargo xtask no\n```\n";
    assert_eq!(commands(page), ["cargo xtask verify -- faults --replay 'a b'", "cargo xtask test"]);
    assert_eq!(words("run 'a b' c"), ["run", "a b", "c"]);
}

#[test]
fn a_heading_is_linked_to_without_its_punctuation() {
    assert_eq!(anchor(" Once: let Windows load a test-signed driver"), "once-let-windows-load-a-test-signed-driver");
}
