//! The list of mutants.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::workspace;

/// The file that has it.
const FILE: &str = "tests/mutants.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutant: Vec<Mutant>,
}

/// One breakage.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// What is broken.
    pub name: String,
    /// Whose bug it was.
    pub source: String,
    /// The only test that is to catch it, where another that fails would prove little.
    pub caught_by: Option<String>,
    /// The test that is tried first, since it noticed before: the others run only when it does not.
    pub try_first: Option<String>,
    /// Whether the hosts that nobody here wrote must notice as well.
    #[serde(default)]
    pub on_hosts: bool,
    /// The claim of `flowtag selftest` that fails on it, and no other.
    pub selftest: Option<String>,
    /// The edits that break it.
    pub edit: Vec<Edit>,
}

/// One place that changes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The file, below the repository's folder.
    pub file: String,
    /// What stands there, in one place only.
    pub replace: String,
    /// What is to stand there.
    pub by: String,
}

/// The mutants with `part` in their names.
pub fn read(part: &str) -> Result<Vec<Mutant>> {
    let text = fs::read_to_string(workspace::root().join(FILE)).with_context(|| format!("read {FILE}"))?;
    let list: List = toml::from_str(&text).with_context(|| format!("{FILE} is not what it should be"))?;
    let mutants: Vec<_> = list.mutant.into_iter().filter(|mutant| mutant.name.contains(part)).collect();
    ensure!(!mutants.is_empty(), "no mutant in {FILE} has “{part}” in its name");
    Ok(mutants)
}

impl Edit {
    /// The file's text with this edit made.
    pub fn apply(&self, text: &str) -> Result<String> {
        let Self { file, replace, by } = self;
        let places = text.matches(replace.as_str()).count();
        ensure!(places == 1, "{file} has {places} places like this:\n{replace}");
        Ok(text.replacen(replace, by, 1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn every_mutant_can_be_made_of_the_driver_as_it_is() {
        for mutant in read("").unwrap() {
            let mut files = HashMap::new();
            for edit in &mutant.edit {
                let file = workspace::root().join(&edit.file);
                let text = files.entry(&edit.file).or_insert_with(|| fs::read_to_string(file).unwrap());
                *text = edit.apply(text).unwrap_or_else(|error| panic!("mutant “{}”: {error}", mutant.name));
            }
        }
    }

    #[test]
    fn every_test_that_the_list_names_is_one() {
        let folders =
            ["tests/scenarios", "tests/build"].map(|folder| fs::read_dir(workspace::root().join(folder)).unwrap());
        let files = folders.into_iter().flatten().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        let tests = files.collect::<String>();
        for Mutant { name, caught_by, try_first, .. } in read("").unwrap() {
            for path in [caught_by, try_first].into_iter().flatten() {
                let function = path.rsplit("::").next().unwrap();
                assert!(tests.contains(&format!("fn {function}()")), "mutant “{name}” names {path}, which is no test");
            }
        }
    }

    #[test]
    fn no_two_mutants_have_the_same_name() {
        let mut names: Vec<_> = read("").unwrap().into_iter().map(|mutant| mutant.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
