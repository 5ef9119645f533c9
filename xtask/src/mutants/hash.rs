//! Hashes of what a result was found with.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// A hash of texts, each apart from the next.
pub fn hash<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let digits = hash.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// A hash of everything below these folders, and of these files: names and contents.
pub fn hash_of_files(root: &Path, parts: &[&str]) -> Result<String> {
    let mut files = Vec::new();
    for part in parts {
        collect(&root.join(part), &mut files)?;
    }
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        let content = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        texts.push(file.strip_prefix(root).unwrap_or(&file).as_os_str().as_encoded_bytes().to_vec());
        texts.push(content);
    }
    Ok(hash(texts))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("list {}", path.display()))? {
        let path = entry.with_context(|| format!("list {}", path.display()))?.path();
        // tests/wine is built where it lies.
        if !path.ends_with("target") {
            collect(&path, files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use std::{
        env, process,
        sync::atomic::{AtomicU32, Ordering},
    };

    use super::*;

    /// A folder of its own for one test, which goes away with this.
    pub struct Folder(PathBuf);

    impl Folder {
        pub fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let folder = env::temp_dir().join(format!("flowtag-mutants-{}-{number}", process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        pub fn join(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_changed_file_has_another_hash() {
        let root = Folder::new();
        fs::write(root.join("file"), "one").unwrap();
        let before = hash_of_files(&root.0, &["file"]).unwrap();
        fs::write(root.join("file"), "two").unwrap();
        assert_ne!(hash_of_files(&root.0, &["file"]).unwrap(), before);
    }

    #[test]
    fn a_new_file_in_a_folder_changes_the_hash() {
        let root = Folder::new();
        fs::create_dir_all(root.join("src/wfp")).unwrap();
        let before = hash_of_files(&root.0, &["src"]).unwrap();
        fs::write(root.join("src/wfp/new.rs"), "").unwrap();
        assert_ne!(hash_of_files(&root.0, &["src"]).unwrap(), before);
    }

    #[test]
    fn where_one_text_ends_and_the_next_begins_matters() {
        assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
    }
}
