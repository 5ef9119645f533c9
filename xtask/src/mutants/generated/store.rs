//! What became of mutations in earlier runs: nothing is built or run again while neither it nor what it is held against has
//! changed.

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
    known: HashMap<String, Verdict>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    verdict: Verdict,
}

impl Store {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = path.parent().context("a file without a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let text = fs::read_to_string(path).unwrap_or_default();
        // A run that was ended may have left half a line.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let known = lines.map(|line| (line.key, line.verdict)).collect();
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.with_context(|| format!("open {}", path.display()))?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").with_context(|| format!("write {}", path.display()))?;
        }
        Ok(Self { file, known })
    }

    /// What is known of a mutation.
    pub fn get(&self, key: &str) -> Option<&Verdict> {
        self.known.get(key)
    }

    /// Keeps a result.
    pub fn put(&mut self, key: String, verdict: Verdict) -> Result<()> {
        let line = Line { key, verdict };
        let text = serde_json::to_string(&line).context("write a result as JSON")?;
        self.file.write_all(format!("{text}\n").as_bytes()).context("keep a result")?;
        self.known.insert(line.key, line.verdict);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::hash::tests::Folder, *};

    #[test]
    fn a_result_is_known_in_the_next_run() {
        let folder = Folder::new();
        let file = folder.join("results");
        Store::open(&file).unwrap().put("one".into(), Verdict::Noticed { by: "a test".into() }).unwrap();
        let found = Store::open(&file).unwrap();
        assert_eq!(found.get("one"), Some(&Verdict::Noticed { by: "a test".into() }));
    }

    #[test]
    fn another_mutation_is_not_known() {
        let folder = Folder::new();
        let mut store = Store::open(&folder.join("results")).unwrap();
        store.put("one".into(), Verdict::Survived).unwrap();
        assert_eq!(store.get("other"), None);
    }

    #[test]
    fn half_a_line_of_a_run_that_was_ended_spoils_nothing() {
        let folder = Folder::new();
        let file = folder.join("results");
        Store::open(&file).unwrap().put("one".into(), Verdict::Survived).unwrap();
        let mut text = fs::read_to_string(&file).unwrap();
        text.push_str("{\"key\":\"tw");
        fs::write(&file, text).unwrap();
        Store::open(&file).unwrap().put("three".into(), Verdict::SameCode).unwrap();
        let found = Store::open(&file).unwrap();
        assert_eq!((found.get("one"), found.get("three")), (Some(&Verdict::Survived), Some(&Verdict::SameCode)));
    }
}
