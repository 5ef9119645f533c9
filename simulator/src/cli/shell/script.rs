//! Commands from a file or a pipe, also as Windows' editors and its PowerShell write them: behind a byte order mark, in UTF-8
//! or UTF-16.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::Path,
};

use anyhow::{Context, Result, anyhow, ensure};

const UTF8: [u8; 3] = [0xEF, 0xBB, 0xBF];
const UTF16_LITTLE: [u8; 2] = [0xFF, 0xFE];
const UTF16_BIG: [u8; 2] = [0xFE, 0xFF];

/// The lines of a file, or of standard input as they come.
///
/// # Errors
/// When there is no such file, or it is none with text.
pub(super) fn open(file: Option<&Path>) -> Result<impl Iterator<Item = Result<String>>> {
    let (input, name): (Box<dyn BufRead>, _) = match file {
        Some(path) => {
            ensure!(!path.is_dir(), "{} is a directory, not a file with commands", path.display());
            let file = File::open(path);
            let file = file.with_context(|| format!("the commands in {} cannot be read", path.display()))?;
            (Box::new(BufReader::new(file)), path.display().to_string())
        }
        None => (Box::new(io::stdin().lock()), "standard input".to_owned()),
    };
    let decoded = decode(input, &name)?;
    Ok(decoded.lines().zip(1..).map(move |(line, number)| {
        line.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => {
                anyhow!("{name}, line {number}, is not in UTF-8: save it so, or in UTF-16 with a byte order mark")
            }
            _ => anyhow!(error).context(format!("the commands in {name} cannot be read")),
        })
    }))
}

/// The text behind the byte order mark, if there is one, in UTF-8.
fn decode(mut input: Box<dyn BufRead>, name: &str) -> Result<Box<dyn BufRead>> {
    let read = || format!("the commands in {name} cannot be read");
    let start = input.fill_buf().with_context(read)?;
    let unit: fn([u8; 2]) -> u16 = if start.starts_with(&UTF16_LITTLE) {
        u16::from_le_bytes
    } else if start.starts_with(&UTF16_BIG) {
        u16::from_be_bytes
    } else {
        if start.starts_with(&UTF8) {
            input.consume(UTF8.len());
        }
        return Ok(input);
    };
    input.consume(UTF16_LITTLE.len());
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).with_context(read)?;
    let (pairs, rest) = bytes.as_chunks();
    ensure!(rest.is_empty(), "{name} is cut off: it is in UTF-16, of an odd number of bytes");
    let units: Vec<u16> = pairs.iter().copied().map(unit).collect();
    let text = String::from_utf16(&units).map_err(|_| anyhow!("{name} begins like UTF-16, but is none"))?;
    Ok(Box::new(Cursor::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Result<Vec<String>> {
        let decoded = decode(Box::new(Cursor::new(bytes.to_vec())), "the script")?;
        Ok(decoded.lines().collect::<io::Result<_>>()?)
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_command() {
        assert_eq!(lines(b"\xEF\xBB\xBFtime\r\nhelp\r\n").unwrap(), ["time", "help"]);
        assert_eq!(lines("tïme\nhelp".as_bytes()).unwrap(), ["tïme", "help"]);
        assert_eq!(lines(b"").unwrap(), [""; 0]);
    }

    #[test]
    fn utf16_is_read_in_both_byte_orders() {
        let text = "\u{FEFF}tïme\r\nhelp\r\n";
        assert_eq!(lines(&utf16(text, u16::to_le_bytes)).unwrap(), ["tïme", "help"]);
        assert_eq!(lines(&utf16(text, u16::to_be_bytes)).unwrap(), ["tïme", "help"]);
    }

    #[test]
    fn half_a_character_is_told_from_an_end() {
        assert!(lines(b"\xFF\xFEt").unwrap_err().to_string().contains("cut off"));
        assert!(lines(b"\xFF\xFE\x00\xD8t\x00").unwrap_err().to_string().contains("but is none"));
    }
}
