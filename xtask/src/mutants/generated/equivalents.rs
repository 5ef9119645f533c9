//! `tests/equivalent_mutants.toml`: mutations that change nothing anybody could see, each with its reason.

use std::{collections::HashSet, fs};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::store::Verdict;
use crate::workspace;

/// The file that has them.
const FILE: &str = "tests/equivalent_mutants.toml";

/// All of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivalents {
    #[serde(default)]
    equivalent: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// The mutation's name.
    mutant: String,
    /// Why nobody can see it.
    reason: String,
    /// Whether it is cargo-mutants that makes it.
    #[serde(default)]
    cargo_mutants: bool,
}

impl Equivalents {
    /// Reads the file.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string(workspace::root().join(FILE)).with_context(|| format!("read {FILE}"))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).with_context(|| format!("{FILE} is not what it should be"))
    }

    /// Whether there is a row for it.
    pub fn have(&self, name: &str) -> bool {
        self.equivalent.iter().any(|row| row.mutant == name)
    }

    /// What is wrong with the rows by themselves: no reason, the same twice, or no mutation of that name. Where cargo-mutants was
    /// not asked, its rows are not looked at.
    pub fn complaints(&self, made: &HashSet<String>, with_cargo_mutants: bool) -> Vec<String> {
        let mut seen = HashSet::new();
        let mut complaints = Vec::new();
        for Row { mutant, reason, cargo_mutants } in &self.equivalent {
            if reason.trim().is_empty() {
                complaints.push(format!("{FILE} gives no reason for “{mutant}”"));
            }
            if !seen.insert(mutant) {
                complaints.push(format!("{FILE} has “{mutant}” twice"));
            }
            if (with_cargo_mutants || !cargo_mutants) && !made.contains(mutant) {
                complaints.push(format!("{FILE} has “{mutant}”, and no such mutation is made: take the row out"));
            }
        }
        complaints
    }

    /// What is wrong with the row of a mutation that became this.
    pub fn complaint(&self, name: &str, verdict: &Verdict) -> Option<String> {
        match verdict {
            Verdict::Noticed { by } if self.have(name) => {
                Some(format!("{FILE} says that nobody can see “{name}”, but {by} notices: take the row out"))
            }
            Verdict::NotBuilt if self.have(name) => {
                Some(format!("{FILE} has “{name}”, which does not compile: take the row out"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = r#"
        [[equivalent]]
        mutant = "ours"
        reason = "nobody reads it"

        [[equivalent]]
        mutant = "theirs"
        cargo_mutants = true
        reason = "as above"
    "#;

    fn made(names: &[&str]) -> HashSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn complaints(rows: &str, names: &[&str], with_cargo_mutants: bool) -> usize {
        Equivalents::parse(rows).unwrap().complaints(&made(names), with_cargo_mutants).len()
    }

    #[test]
    fn rows_for_mutations_that_are_made_are_right() {
        assert_eq!(complaints(ROWS, &["ours", "theirs", "another"], true), 0);
    }

    #[test]
    fn a_row_for_a_mutation_that_is_not_made_is_wrong() {
        assert_eq!(complaints(ROWS, &["theirs"], true), 1);
    }

    #[test]
    fn rows_of_cargo_mutants_are_not_held_against_our_own_mutations() {
        assert_eq!(complaints(ROWS, &["ours"], false), 0);
    }

    #[test]
    fn a_row_without_a_reason_is_wrong() {
        assert_eq!(complaints("[[equivalent]]\nmutant = \"ours\"\nreason = \" \"", &["ours"], true), 1);
    }

    #[test]
    fn a_row_that_stands_twice_is_wrong() {
        let row = "[[equivalent]]\nmutant = \"ours\"\nreason = \"none reads it\"\n";
        assert_eq!(complaints(&row.repeat(2), &["ours"], true), 1);
    }

    #[test]
    fn a_row_whose_mutation_is_noticed_is_wrong() {
        let equivalents = Equivalents::parse(ROWS).unwrap();
        assert!(equivalents.complaint("ours", &Verdict::Noticed { by: "a test".into() }).is_some());
    }

    #[test]
    fn a_row_whose_mutation_does_not_compile_is_wrong() {
        let equivalents = Equivalents::parse(ROWS).unwrap();
        assert!(equivalents.complaint("ours", &Verdict::NotBuilt).is_some());
    }

    #[test]
    fn a_row_whose_mutation_survives_is_right() {
        let equivalents = Equivalents::parse(ROWS).unwrap();
        assert!(equivalents.complaint("ours", &Verdict::Survived).is_none());
    }

    #[test]
    fn a_mutation_without_a_row_may_be_noticed() {
        let equivalents = Equivalents::parse(ROWS).unwrap();
        assert!(equivalents.complaint("another", &Verdict::Noticed { by: "a test".into() }).is_none());
    }
}
