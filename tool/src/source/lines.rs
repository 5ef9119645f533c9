//! Lines of text. What Windows programs save is UTF-16 as often as UTF-8: the mark at its beginning says so.

use std::io::{self, BufRead, BufReader, Read};

use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};

/// No line of ours has as much as this. Whoever gives a file without lines gets no memory for it.
const LONGEST: u64 = 1 << 20;

/// The lines that bytes hold.
pub(super) struct Lines<'a> {
    text: BufReader<DecodeReaderBytes<Box<dyn Read + Send + 'a>, Vec<u8>>>,
    line: Vec<u8>,
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLine {
    #[error("the line is longer than {LONGEST} bytes: is this text?")]
    TooLong,
    #[error(transparent)]
    Io(io::Error),
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: impl Read + Send + 'a) -> Self {
        let bytes: Box<dyn Read + Send + 'a> = Box::new(bytes);
        let text = DecodeReaderBytesBuilder::new().utf8_passthru(true).strip_bom(true).build(bytes);
        Self { text: BufReader::with_capacity(1 << 16, text), line: Vec::new() }
    }

    /// The next line, without its end; `None` behind the last. What is not UTF-8 is replaced by nothing that means anything.
    pub(super) fn next_line(&mut self) -> Result<Option<&str>, NoLine> {
        self.line.clear();
        let mut limited = (&mut self.text).take(LONGEST);
        limited.read_until(b'\n', &mut self.line).map_err(NoLine::Io)?;
        if self.line.is_empty() {
            return Ok(None);
        }
        if self.line.len() as u64 == LONGEST && self.line.last() != Some(&b'\n') {
            self.skip().map_err(NoLine::Io)?;
            return Err(NoLine::TooLong);
        }
        if str::from_utf8(&self.line).is_err() {
            self.line = String::from_utf8_lossy(&self.line).into_owned().into_bytes();
        }
        let line = str::from_utf8(&self.line).unwrap_or_default();
        Ok(Some(line.trim_end_matches(['\r', '\n'])))
    }

    /// Passes over the rest of a line, and keeps nothing of it.
    fn skip(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.text.fill_buf()?;
            let (passed, ended) = match buffer.iter().position(|&byte| byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.text.consume(passed);
            if ended {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(bytes);
        let mut read = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            read.push(line.to_owned());
        }
        read
    }

    fn utf16(text: &str, mark: [u8; 2], bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        [mark.to_vec(), text.encode_utf16().flat_map(bytes).collect()].concat()
    }

    #[test]
    fn lines_end_with_either_end_or_with_the_file() {
        assert_eq!(lines(b"one\r\ntwo\n\nthree"), ["one", "two", "", "three"]);
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn a_mark_at_the_beginning_says_how_the_text_is_encoded_and_is_no_part_of_it() {
        let text = "größe\r\n你";
        for bytes in [
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            utf16(text, [0xff, 0xfe], u16::to_le_bytes),
            utf16(text, [0xfe, 0xff], u16::to_be_bytes),
        ] {
            assert_eq!(lines(&bytes), ["größe", "你"]);
        }
    }

    #[test]
    fn what_is_no_text_does_not_end_the_file() {
        assert_eq!(lines(b"a\xffb\nnext"), ["a\u{fffd}b", "next"]);
    }

    #[test]
    fn a_line_without_end_is_passed_over() {
        let long = vec![b'x'; 3 << 20];
        let bytes = [&long, b"\nnext\n".as_slice()].concat();
        let mut lines = Lines::new(bytes.as_slice());
        assert!(matches!(lines.next_line(), Err(NoLine::TooLong)));
        assert_eq!(lines.next_line().unwrap(), Some("next"));
    }
}
