//! tcpdump, on the loopback interface.
//!
//! When it listens, and when it has written all, is not taken from what it says: a datagram of this process's own, a mark, is sent
//! until it is in the file. What happens between two marks is in the file, but for what the kernel has dropped, which it counts.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    net::{Ipv4Addr, UdpSocket},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// How long it may take until a mark is in the file, and until tcpdump has ended.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a mark is looked for, and sent again.
const GLANCE: Duration = Duration::from_millis(20);

/// A running tcpdump.
#[derive(Debug)]
pub struct Tcpdump {
    child: Child,
    file: PathBuf,
    marks: UdpSocket,
}

/// What it has captured.
#[derive(Debug, PartialEq, Eq)]
pub struct Captured {
    /// The file, of pcap.
    pub file: PathBuf,
    /// How many packets more there were, and the kernel had no room for.
    pub dropped: usize,
}

impl Tcpdump {
    /// Starts it; it listens when this returns. It writes into this file.
    ///
    /// # Errors
    /// It is not installed, or may not listen.
    pub fn start(file: &Path) -> Result<Self> {
        let output = File::create(file).with_context(|| format!("create {}", file.display()))?;
        let marks = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("bind to 127.0.0.1")?;
        let mut command = Command::new("tcpdump");
        // Packets at once, one by one, with nanoseconds, and room for 32 MiB of them. It writes where it is told to before it gives up
        // root's rights. A process group of its own: Ctrl-C is for the demo, which ends its programs itself.
        command.args([
            "-i",
            "lo",
            "-n",
            "--time-stamp-precision=nano",
            "--immediate-mode",
            "-U",
            "-B",
            "32768",
            "-w",
            "-",
        ]);
        command.stdin(Stdio::null()).stdout(output).stderr(Stdio::piped()).process_group(0);
        let child = command.spawn().context("start tcpdump: is it installed? (apt-get install tcpdump)")?;
        let mut started = Self { child, file: file.to_owned(), marks };
        started.mark("begin")?;
        Ok(started)
    }

    /// Ends it when it has written all that there was until now.
    ///
    /// # Errors
    /// It has ended before, or does not say how it went.
    pub fn finish(mut self) -> Result<Captured> {
        self.mark("end")?;
        let id = self.child.id().cast_signed();
        // SAFETY: a signal to a process that nobody has waited for yet: the id is still its own.
        unsafe { libc::kill(id, libc::SIGINT) };
        let said = self.last_words()?;
        let dropped = dropped(&said).with_context(|| format!("tcpdump does not tell what was dropped: {said}"))?;
        Ok(Captured { file: self.file.clone(), dropped })
    }

    /// Sends a datagram until it is in the file.
    fn mark(&mut self, name: &str) -> Result<()> {
        let mark = format!("flowtag demo {}: {name}", process::id());
        let to = self.marks.local_addr().context("ask for the address of the marks")?;
        let mut file = File::open(&self.file).with_context(|| format!("open {}", self.file.display()))?;
        let begin = file.metadata().context("ask for the size of the capture")?.len();
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.marks.send_to(mark.as_bytes(), to).context("send a mark")?;
            thread::sleep(GLANCE);
            file.seek(SeekFrom::Start(begin)).context("look into the capture")?;
            let mut written = Vec::new();
            file.read_to_end(&mut written).context("look into the capture")?;
            if written.windows(mark.len()).any(|bytes| bytes == mark.as_bytes()) {
                return Ok(());
            }
            if self.child.try_wait().context("wait for tcpdump")?.is_some() {
                bail!("tcpdump does not listen: {}", self.last_words()?.trim());
            }
            ensure!(Instant::now() < deadline, "tcpdump captures nothing in {} seconds", PATIENCE.as_secs());
        }
    }

    /// What it has said, when it has ended.
    fn last_words(&mut self) -> Result<String> {
        let mut said = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            errors.read_to_string(&mut said).context("read what tcpdump says")?;
        }
        self.child.wait().context("wait for tcpdump")?;
        Ok(said)
    }
}

impl Drop for Tcpdump {
    fn drop(&mut self) {
        // When it has ended already, both say so.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many packets were dropped, by the kernel or by the interface, by what tcpdump says at its end.
fn dropped(said: &str) -> Option<usize> {
    let count = |line: &str| line.split(' ').next()?.parse::<usize>().ok();
    said.lines().find(|line| line.ends_with(" dropped by kernel"))?;
    said.lines().filter(|line| line.contains(" dropped by ")).map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "tcpdump: listening on lo, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n\
                        10 packets captured\n20 packets received by filter\n3 packets dropped by kernel\n";

    #[test]
    fn what_the_kernel_and_the_interface_have_dropped_is_added_up() {
        assert_eq!(dropped(SAID), Some(3));
        assert_eq!(dropped(&format!("{SAID}4 packets dropped by interface\n")), Some(7));
    }

    #[test]
    fn a_tcpdump_that_does_not_count_has_not_lost_nothing() {
        assert_eq!(dropped("tcpdump: lo: You don't have permission to capture on that device\n"), None);
    }
}
