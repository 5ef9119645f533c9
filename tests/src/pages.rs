//! The repository's pages for people, and the commands on them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The pages in a folder, each with its path.
///
/// # Panics
/// When one cannot be read.
#[must_use]
pub fn in_folder(folder: &Path) -> Vec<(PathBuf, String)> {
    let files = fs::read_dir(folder).expect("a folder").map(|file| file.expect("an entry").path());
    let pages = files.filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    pages.map(|page| (page.clone(), fs::read_to_string(page).expect("a page"))).collect()
}

/// The lines of a page's blocks for a Linux shell, and what stands between backticks in its text.
#[must_use]
pub fn shell_lines_and_quotes(page: &str) -> (Vec<String>, Vec<String>) {
    let mut lines = Vec::new();
    let mut block = None;
    let mut text = String::new();
    for line in page.lines() {
        match (line.trim().strip_prefix("```"), block) {
            (Some(kind), None) => block = Some(kind),
            (Some(_), Some(_)) => block = None,
            (None, Some("sh")) => lines.push(line.split(" #").next().unwrap_or_default().trim().to_owned()),
            (None, Some(_)) => {}
            (None, None) => text.extend([line.trim_start(), " "]),
        }
    }
    (lines, text.split('`').skip(1).step_by(2).map(|code| code.trim().to_owned()).collect())
}

/// The lines of a page's blocks for Windows' command prompt.
#[must_use]
pub fn prompt_lines(page: &str) -> Vec<&str> {
    let blocks = page.split("```bat\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).collect()
}

/// The part of a page below a heading of the second level.
#[must_use]
pub fn part<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let start = page.find(&format!("\n{heading}\n"))?;
    page[start + 1..].split("\n## ").next()
}

/// The program that a command begins with.
#[must_use]
pub fn program(command: &str) -> &str {
    command.split(' ').next().unwrap_or_default()
}
