//! The shell at a terminal: lines are edited, and those typed before come back with the arrow keys.

use std::io;

use anyhow::Context;
use rustyline::{Config, DefaultEditor, error::ReadlineError};

use super::{EventFile, PROMPT, Shell};
use crate::output::{Unwritable, print};

/// Takes commands until `exit` or the end of the input. Ctrl-C gives up a line. The driver's events go to the file.
pub(super) fn attend(shell: &mut Shell, file: &mut Option<EventFile>) -> anyhow::Result<()> {
    print("A simulated Windows, for sc, reg and flows. `help` lists the commands.\n")?;
    let config = Config::builder().auto_add_history(true).build();
    let mut editor = DefaultEditor::with_config(config).context("use this terminal")?;
    while !shell.finished() {
        match editor.readline(PROMPT) {
            // Several lines, where they were pasted.
            Ok(lines) => {
                lines.lines().try_for_each(|line| print(&shell.execute(line).text))?;
                file.as_mut().map_or(Ok(()), |file| file.write(&shell.events()))?;
            }
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => {}
            Err(ReadlineError::Eof) => break,
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Err(Unwritable::from(error).into());
            }
            Err(error) => return Err(error).context("read a command"),
        }
    }
    Ok(())
}
