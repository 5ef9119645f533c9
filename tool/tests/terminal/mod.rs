//! A real terminal: a pane of tmux, with a server of its own.

use std::{
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

/// So long for what takes a moment, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    /// One of this size, in which a shell runs this.
    pub fn new(width: u16, height: u16, command: &str) -> Self {
        let terminal = Self { folder: tempfile::tempdir().expect("a folder") };
        let (width, height) = (width.to_string(), height.to_string());
        terminal.tmux(&["new-session", "-d", "-x", &width, "-y", &height, command]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let socket = self.folder.path().join("tmux");
        let output = Command::new("tmux").args(["-f", "/dev/null", "-S"]).arg(socket).args(arguments).output();
        let output = output.expect("this test needs tmux: apt-get install tmux");
        assert!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn said(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.tmux(arguments).stdout).expect("text")
    }

    /// Presses these keys, as tmux calls them.
    pub fn press(&self, keys: &[&str]) {
        self.tmux(&[["send-keys"].as_slice(), keys].concat());
    }

    pub fn resize(&self, width: u16, height: u16) {
        self.tmux(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]);
    }

    /// What is on the screen, line by line.
    pub fn lines(&self) -> Vec<String> {
        self.said(&["capture-pane", "-p"]).lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// The same with its colors.
    pub fn with_colors(&self) -> String {
        self.said(&["capture-pane", "-p", "-e"])
    }

    /// The process that runs in it.
    pub fn process(&self) -> u32 {
        self.said(&["display-message", "-p", "#{pane_pid}"]).trim().parse().expect("an id")
    }

    /// Waits until the screen has exactly these lines.
    pub fn shows(&self, expected: &[&str]) {
        self.wait(|lines| lines == expected, || format!("{expected:#?}"));
    }

    /// Waits until a line has this in it.
    pub fn has(&self, expected: &str) {
        self.wait(|lines| lines.iter().any(|line| line.contains(expected)), || expected.to_owned());
    }

    fn wait(&self, is_there: impl Fn(&[String]) -> bool, expected: impl Fn() -> String) {
        let begin = Instant::now();
        loop {
            let lines = self.lines();
            if is_there(&lines) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "expected: {}\nthe screen: {lines:#?}", expected());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.folder.path().join("tmux");
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output();
    }
}
