//! A file that may still grow: at its end the reader waits for more.

use std::{
    fs::File,
    io::{self, Read, Seek},
    path::PathBuf,
    thread,
    time::Duration,
};

use same_file::Handle;

/// So long until it is looked again.
const PAUSE: Duration = Duration::from_millis(100);

/// Reads it, and goes on where another file gets its name, as `flowtag log --max-size` does; or at its beginning, if it was emptied.
pub(super) struct Growing {
    path: PathBuf,
    file: File,
    /// The file that has its name by now. What came before it was renamed is read first.
    next: Option<File>,
}

impl Growing {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        Ok(Self { file: File::open(&path)?, path, next: None })
    }

    /// Whether it is another file that has the name now, or less is in it than was read. For a while no file may have it.
    fn is_renewed(&mut self) -> io::Result<bool> {
        if let Ok(named) = File::open(&self.path) {
            let same = Handle::from_file(named.try_clone()?)? == Handle::from_file(self.file.try_clone()?)?;
            if !same {
                self.next = Some(named);
                return Ok(true);
            }
        }
        if self.file.metadata()?.len() < self.file.stream_position()? {
            self.file.rewind()?;
            return Ok(true);
        }
        Ok(false)
    }
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(buffer)?;
            // What is no file, as a pipe with a name, has an end.
            if read > 0 || buffer.is_empty() || !self.file.metadata()?.is_file() {
                return Ok(read);
            }
            match self.next.take() {
                Some(next) => self.file = next,
                None if self.is_renewed()? => {}
                None => thread::sleep(PAUSE),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    /// A folder, the name of a file in it that has these contents, and its reader.
    fn growing(contents: &str) -> (tempfile::TempDir, PathBuf, Growing) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.jsonl");
        fs::write(&path, contents).unwrap();
        let reader = Growing::open(path.clone()).unwrap();
        (folder, path, reader)
    }

    fn next(reader: &mut Growing) -> String {
        let mut buffer = [0; 100];
        let read = reader.read(&mut buffer).unwrap();
        String::from_utf8(buffer[..read].to_vec()).unwrap()
    }

    fn add(path: &PathBuf, text: &str) {
        File::options().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn what_is_added_is_read_when_it_comes() {
        let (_folder, path, mut reader) = growing("one");
        assert_eq!(next(&mut reader), "one");
        let adding = thread::spawn(move || {
            thread::sleep(PAUSE / 2);
            add(&path, "two");
        });
        assert_eq!(next(&mut reader), "two");
        adding.join().unwrap();
    }

    #[test]
    fn a_file_that_was_put_aside_is_read_to_its_end_and_then_the_one_with_its_name() {
        let (folder, path, mut reader) = growing("one");
        assert_eq!(next(&mut reader), "one");
        add(&path, "two");
        fs::rename(&path, folder.path().join("flows.jsonl.1")).unwrap();
        fs::write(&path, "three").unwrap();
        assert_eq!(next(&mut reader), "two");
        assert_eq!(next(&mut reader), "three");
    }

    #[test]
    fn a_file_that_was_emptied_is_read_from_its_beginning() {
        let (_folder, path, mut reader) = growing("one and more");
        assert_eq!(next(&mut reader), "one and more");
        fs::write(&path, "two").unwrap();
        assert_eq!(next(&mut reader), "two");
    }
}
