//! One generated breakage: one edit of one file.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
};

use super::super::hash::hash;

/// What kind of edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A statement that has an effect, left out.
    Deleted,
    /// Two neighbouring statements, swapped.
    Swapped,
    /// A constant, flag, field or variant for its sibling.
    Sibling,
    /// Another number, or the other truth.
    Number,
    /// Another operation: `wrapping_`, `saturating_`, least for greatest, the order of bytes.
    Operation,
    /// An order of memory that promises less.
    Ordering,
    /// A condition negated.
    Negated,
    /// A way out of a function or a loop, dropped.
    Return,
    /// The body of an unsafe function, replaced.
    Body,
    /// Made by cargo-mutants.
    CargoMutants,
}

impl Kind {
    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deleted => "statement deleted",
            Self::Swapped => "statements swapped",
            Self::Sibling => "sibling",
            Self::Number => "number",
            Self::Operation => "operation",
            Self::Ordering => "ordering",
            Self::Negated => "condition negated",
            Self::Return => "early end dropped",
            Self::Body => "unsafe body",
            Self::CargoMutants => "cargo-mutants",
        }
    }
}

/// A breakage.
#[derive(Clone, Debug)]
pub struct Mutation {
    /// The file, below the repository's folder.
    pub file: String,
    /// The function that is broken, with the modules and types around it.
    pub function: String,
    /// What is done to it; with file and function it is the mutation's name.
    pub what: String,
    /// What kind of edit.
    pub kind: Kind,
    /// What is replaced, in bytes of the file.
    pub range: Range<usize>,
    /// What is put there.
    pub by: String,
}

impl Mutation {
    /// What it is called, in the output and in `tests/equivalent_mutants.toml`: without a line number, which other changes of
    /// the file would move.
    pub fn name(&self) -> String {
        let Self { file, function, what, .. } = self;
        format!("{file}: {function}: {what}")
    }

    /// The file's text with the edit made.
    pub fn apply(&self, text: &str) -> String {
        [&text[..self.range.start], &self.by, &text[self.range.end..]].concat()
    }

    /// The lines that change, before and after.
    pub fn diff(&self, text: &str) -> String {
        let begin = text[..self.range.start].rfind('\n').map_or(0, |end| end + 1);
        let end = text[self.range.end..].find('\n').map_or(text.len(), |length| self.range.end + length);
        let line = text[..begin].matches('\n').count() + 1;
        let before = &text[begin..end];
        let after = [&text[begin..self.range.start], &self.by, &text[self.range.end..end]].concat();
        let mut diff = format!("{}:{line}", self.file);
        for (sign, lines) in [("\n-", before), ("\n+", &after)] {
            lines.lines().for_each(|line| diff.extend([sign, line]));
        }
        diff
    }
}

/// Leaves out what is made twice, whatever it is called: two that leave the same text, blanks apart. Numbers those that would have
/// the same name, in the order of the file.
pub fn told_apart(mutations: Vec<Mutation>, texts: &BTreeMap<String, String>) -> Vec<Mutation> {
    let mut edits = HashSet::new();
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut apart: Vec<Mutation> = Vec::new();
    for mut mutation in mutations {
        let text = mutation.apply(&texts[&mutation.file]);
        let words = text.split_whitespace().collect::<Vec<_>>();
        if !edits.insert(hash([mutation.file.as_str(), &words.concat()])) {
            continue;
        }
        let count = names.entry(mutation.name()).or_default();
        *count += 1;
        if *count > 1 {
            mutation.what = format!("{} (place {count})", mutation.what);
        }
        apart.push(mutation);
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "fn f() { a(); a(); }";

    fn apart(edits: &[(&str, Range<usize>, &str)]) -> Vec<String> {
        let mutation = |(what, range, by): &(&str, Range<usize>, &str)| Mutation {
            file: "src/a.rs".into(),
            function: "f".into(),
            what: (*what).into(),
            kind: Kind::Deleted,
            range: range.clone(),
            by: (*by).into(),
        };
        let texts = BTreeMap::from([("src/a.rs".to_owned(), TEXT.to_owned())]);
        told_apart(edits.iter().map(mutation).collect(), &texts).iter().map(Mutation::name).collect()
    }

    #[test]
    fn what_leaves_the_same_text_is_one() {
        assert_eq!(apart(&[("without a", 9..13, ""), ("nothing for a", 9..14, "")]), ["src/a.rs: f: without a"]);
        assert_eq!(apart(&[("without a", 9..13, ""), ("without a", 14..18, "")]).len(), 1);
    }

    #[test]
    fn two_of_one_name_are_numbered() {
        let names = apart(&[("b for a", 9..10, "b"), ("b for a", 14..15, "b")]);
        assert_eq!(names, ["src/a.rs: f: b for a", "src/a.rs: f: b for a (place 2)"]);
    }
}
