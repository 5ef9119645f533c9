//! A file that does not grow for ever: when it is full, it is put aside, and the oldest that was is gone.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The file `PATH`, and `PATH.1`, `PATH.2` and so on, of which the first is the youngest.
#[derive(Debug)]
pub struct Rotating {
    path: PathBuf,
    file: File,
    size: u64,
    /// No file gets larger than this, unless one line does.
    largest: u64,
    /// So many are kept beside the one that is written.
    kept: u32,
    /// What each of them begins with.
    head: String,
}

impl Rotating {
    /// Goes on with a file, or begins it.
    ///
    /// # Errors
    /// It cannot be opened or written.
    pub fn open(path: &Path, largest: Option<u64>, kept: u32, head: String) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let size = file.metadata()?.len();
        let largest = largest.unwrap_or(u64::MAX);
        let mut rotating = Self { path: path.to_owned(), file, size, largest, kept, head };
        rotating.begin()?;
        Ok(rotating)
    }

    /// Writes a line; before that, a full file is put aside.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, line: &str) -> io::Result<()> {
        let has_lines = self.size > self.head.len() as u64;
        if has_lines && self.size.saturating_add(line.len() as u64) > self.largest {
            self.put_aside()?;
        }
        self.append(line)
    }

    fn put_aside(&mut self) -> io::Result<()> {
        for number in (1..self.kept).rev() {
            rename(&self.numbered(number), &self.numbered(number + 1))?;
        }
        if self.kept > 0 {
            rename(&self.path, &self.numbered(1))?;
        }
        self.file = File::create(&self.path)?;
        self.size = 0;
        self.begin()
    }

    /// An empty file gets its head.
    fn begin(&mut self) -> io::Result<()> {
        if self.size == 0 {
            let head = std::mem::take(&mut self.head);
            let written = self.append(&head);
            self.head = head;
            written?;
        }
        Ok(())
    }

    fn append(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.size += text.len() as u64;
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

/// Renames a file, if it is there.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(folder: &Path) -> Vec<(String, String)> {
        let mut texts: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap())
            })
            .collect();
        texts.sort();
        texts
    }

    fn written(largest: Option<u64>, kept: u32, head: &str, lines: &[&str]) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let mut file = Rotating::open(&folder.path().join("log"), largest, kept, head.into()).unwrap();
        for line in lines {
            file.write(line).unwrap();
        }
        texts(folder.path())
    }

    fn text(name: &str, text: &str) -> (String, String) {
        (name.into(), text.into())
    }

    #[test]
    fn a_file_that_is_full_is_put_aside_and_the_oldest_is_gone() {
        let files = written(Some(4), 2, "", &["a\n", "b\n", "c\n", "d\n", "e\n", "f\n", "g\n"]);
        assert_eq!(files, [text("log", "g\n"), text("log.1", "e\nf\n"), text("log.2", "c\nd\n")]);
    }

    #[test]
    fn each_file_begins_with_the_head() {
        let files = written(Some(6), 1, "h\n", &["a\n", "b\n", "c\n"]);
        assert_eq!(files, [text("log", "h\nc\n"), text("log.1", "h\na\nb\n")]);
    }

    #[test]
    fn a_line_that_is_larger_than_a_file_may_be_has_one_for_itself() {
        let files = written(Some(3), 5, "", &["a\n", "too long\n", "b\n"]);
        assert_eq!(files, [text("log", "b\n"), text("log.1", "too long\n"), text("log.2", "a\n")]);
    }

    #[test]
    fn without_a_largest_size_it_only_grows() {
        assert_eq!(written(None, 5, "", &["a\n", "b\n"]), [text("log", "a\nb\n")]);
    }

    #[test]
    fn a_file_that_is_there_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for line in ["a\n", "b\n"] {
            Rotating::open(&path, Some(100), 1, "h\n".into()).unwrap().write(line).unwrap();
        }
        assert_eq!(texts(folder.path()), [text("log", "h\na\nb\n")]);
    }

    #[test]
    fn none_may_be_kept() {
        assert_eq!(written(Some(2), 0, "", &["a\n", "b\n"]), [text("log", "b\n")]);
    }
}
