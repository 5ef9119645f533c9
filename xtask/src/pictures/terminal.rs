//! A real terminal: a pane of tmux, with a server of its own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::screen::{COLUMNS, ROWS};

/// So long for what takes a moment, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Terminal {
    /// Its server's socket.
    socket: PathBuf,
}

impl Terminal {
    /// One in which a shell runs this in this folder.
    pub fn open(folder: &Path, command: &str) -> Result<Self> {
        let terminal = Self { socket: env::temp_dir().join(format!("flowtag-pictures-{}", process::id())) };
        let (columns, rows, folder) = (COLUMNS.to_string(), ROWS.to_string(), folder.display().to_string());
        terminal.tmux(&["new-session", "-d", "-x", &columns, "-y", &rows, "-c", &folder, command])?;
        Ok(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Result<String> {
        let mut tmux = Command::new("tmux");
        // Without the user's own settings; in UTF-8, whatever they are.
        tmux.args(["-u", "-f", "/dev/null", "-S"]).arg(&self.socket).args(arguments).env_remove("NO_COLOR");
        let output = tmux.output().context("start tmux")?;
        ensure!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).context("read what tmux says")
    }

    /// Presses these keys, as tmux calls them.
    pub fn press(&self, keys: &[&str]) -> Result<()> {
        self.tmux(&[["send-keys"].as_slice(), keys].concat()).map(drop)
    }

    /// Waits until this is on the screen, and returns its lines.
    pub fn wait_for(&self, expected: &str) -> Result<Vec<String>> {
        let begin = Instant::now();
        loop {
            let screen = self.tmux(&["capture-pane", "-p"])?;
            if screen.contains(expected) {
                return Ok(screen.lines().map(str::to_owned).collect());
            }
            if begin.elapsed() > PATIENCE {
                bail!("the terminal does not show `{expected}`, but:\n{screen}");
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The screen with its colors, and with the spaces at the ends of lines, which may have one.
    pub fn shown(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p", "-e", "-N"])
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
        // It leaves that behind.
        let _ = fs::remove_file(&self.socket);
    }
}
