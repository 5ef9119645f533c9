//! What the command prints. Whoever reads it may have gone, and a disk may be full: that is an error, not a panic.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// The output takes no more.
#[derive(Debug, thiserror::Error)]
#[error("the output cannot be written: {0}")]
pub struct Unwritable(io::Error);

impl Unwritable {
    /// Whether its reader has gone, as `head` does when it has seen enough.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

impl From<io::Error> for Unwritable {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

/// Prints to standard output, at once.
///
/// # Errors
/// It takes no more.
pub fn print(text: &str) -> Result<(), Unwritable> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    Ok(output.flush()?)
}

/// Prints a line to standard error, if it takes any: there is nowhere to complain.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Text of others without what a terminal would obey: control characters become escapes.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
