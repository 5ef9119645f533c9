//! What became of mutations in earlier runs: nothing is built or run again while neither it nor what its result rests on
//! ([`super::evidence`]) has changed.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What became of a mutation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It does not compile.
    NotBuilt,
    /// The compiler makes the same code of it, for x64 and for ARM64.
    SameCode,
    /// A check noticed.
    Noticed {
        /// Which.
        by: String,
    },
    /// Nothing noticed.
    Survived,
}

/// The results, in a file with a line for each.
pub struct Store {
    file: File,
    /// By mutation.
    known: HashMap<String, Found>,
}

/// A result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What became of it.
    pub verdict: Verdict,
    /// What that rests on.
    pub evidence: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    #[serde(flatten)]
    found: Found,
}

impl Store {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = path.parent().context("a file without a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let text = fs::read_to_string(path).unwrap_or_default();
        // A run that was ended may have left half a line.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let known = lines.map(|line| (line.key, line.found)).collect();
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.with_context(|| format!("open {}", path.display()))?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").with_context(|| format!("write {}", path.display()))?;
        }
        Ok(Self { file, known })
    }

    /// What was found last of a mutation.
    pub fn get(&self, key: &str) -> Option<&Found> {
        self.known.get(key)
    }

    /// Keeps a result.
    pub fn put(&mut self, key: String, found: Found) -> Result<()> {
        let line = Line { key, found };
        let text = serde_json::to_string(&line).context("write a result as JSON")?;
        self.file.write_all(format!("{text}\n").as_bytes()).context("keep a result")?;
        self.known.insert(line.key, line.found);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::hash::tests::Folder, *};

    fn found(verdict: Verdict) -> Found {
        Found { verdict, evidence: "the tests".into() }
    }

    #[test]
    fn a_result_is_known_in_the_next_run() {
        let folder = Folder::new();
        let file = folder.join("results");
        let result = found(Verdict::Noticed { by: "a test".into() });
        Store::open(&file).unwrap().put("one".into(), result.clone()).unwrap();
        assert_eq!(Store::open(&file).unwrap().get("one"), Some(&result));
    }

    #[test]
    fn the_last_result_counts() {
        let folder = Folder::new();
        let file = folder.join("results");
        let mut store = Store::open(&file).unwrap();
        store.put("one".into(), found(Verdict::Survived)).unwrap();
        store.put("one".into(), found(Verdict::SameCode)).unwrap();
        assert_eq!(Store::open(&file).unwrap().get("one"), Some(&found(Verdict::SameCode)));
    }

    #[test]
    fn another_mutation_is_not_known() {
        let folder = Folder::new();
        let mut store = Store::open(&folder.join("results")).unwrap();
        store.put("one".into(), found(Verdict::Survived)).unwrap();
        assert_eq!(store.get("other"), None);
    }

    #[test]
    fn half_a_line_of_a_run_that_was_ended_spoils_nothing() {
        let folder = Folder::new();
        let file = folder.join("results");
        Store::open(&file).unwrap().put("one".into(), found(Verdict::Survived)).unwrap();
        let mut text = fs::read_to_string(&file).unwrap();
        text.push_str("{\"key\":\"tw");
        fs::write(&file, text).unwrap();
        Store::open(&file).unwrap().put("three".into(), found(Verdict::SameCode)).unwrap();
        let store = Store::open(&file).unwrap();
        assert_eq!(store.get("one"), Some(&found(Verdict::Survived)));
        assert_eq!(store.get("three"), Some(&found(Verdict::SameCode)));
    }
}
