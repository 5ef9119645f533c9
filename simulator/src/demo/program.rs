//! A program of the demo: starting it, and hearing what it says.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::Sender,
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, ensure};

use super::{
    process::Process,
    programs,
    report::{Message, now},
    reuse,
};
use crate::traffic::live::Cgroup;

/// What a program said, and which one it was.
pub type Heard = (usize, Result<Message>);

/// A started program.
#[derive(Debug)]
pub struct Program {
    /// Its name, for messages.
    pub name: &'static str,
    /// Its process.
    pub process: Process,
    /// Its standard input: rounds are asked for through it, and its end ends the program.
    input: Option<ChildStdin>,
    /// Its listeners' ports, or nothing but that it is ready.
    pub ready: Option<BTreeMap<String, u16>>,
    /// How many rounds it was asked for.
    pub asked: usize,
    /// How many it has done.
    pub rounds: usize,
    reader: Option<JoinHandle<()>>,
}

impl Program {
    /// Starts it inside `cgroup`, under a certain id if one is given, which has to be free. What it says is sent to `heard` as
    /// coming from number `index`.
    ///
    /// # Errors
    /// It is not installed, or somebody has the id.
    pub fn start(
        (name, mut command): (&'static str, Command),
        pid: Option<u32>,
        index: usize,
        cgroup: &Cgroup,
        heard: &Sender<Heard>,
    ) -> Result<Self> {
        cgroup.confine(&mut command)?;
        if let Some(pid) = pid {
            reuse::run_as(&mut command, pid);
        }
        // A process group of its own: Ctrl-C is for the demo, which ends its programs itself.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let launched = now();
        let mut child = command.spawn().with_context(|| match pid {
            Some(pid) => {
                format!("start {name} as process {pid}: if somebody else has got this id, start the demo again")
            }
            None => format!("start {name}: is it installed? (apt-get install curl python3 perl)"),
        })?;
        let (input, output) = (child.stdin.take(), child.stdout.take().context("its standard output is not a pipe")?);
        if pid.is_some() {
            let between = child.wait().context("wait for the process between")?;
            ensure!(between.success(), "the process between the demo and {name} failed: {between}");
        }
        let pid = pid.unwrap_or_else(|| child.id());
        let process = Process::child(pid, command.get_program().to_string_lossy().into_owned(), launched)?;
        let heard = heard.clone();
        let reader = thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let message =
                    line.map_err(Into::into).and_then(|line| programs::understand(name, pid, launched, &line));
                // Nobody listens any more when the demo was given up.
                if heard.send((index, message)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name, process, input, ready: None, asked: 0, rounds: 0, reader: Some(reader) })
    }

    /// Asks for a round.
    ///
    /// # Errors
    /// It has exited.
    pub fn ask(&mut self) -> Result<()> {
        let input = self.input.as_mut().context("its standard input is closed")?;
        input.write_all(b"\n").with_context(|| format!("{} does not listen", self.name))?;
        self.asked += 1;
        Ok(())
    }

    /// Lets it end.
    pub fn release(&mut self) {
        self.input = None;
    }

    /// Whether its process has exited.
    #[must_use]
    pub const fn has_exited(&self) -> bool {
        self.process.ended.is_some()
    }

    /// Whether it has ended, with all to whom it has left its work.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.has_exited() && self.reader.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Looks whether its process exits; if so, it is waited for, and its id is free: `true`, once.
    ///
    /// # Errors
    /// It has failed.
    pub fn exits(&mut self) -> Result<bool> {
        if self.has_exited() {
            return Ok(false);
        }
        let pid = self.process.pid;
        let Some(status) = exit_status(pid).with_context(|| format!("wait for process {pid}"))? else {
            return Ok(false);
        };
        ensure!(status.success(), "{} (process {pid}) failed: {status}", self.name);
        self.process.ended = Some(now());
        Ok(true)
    }

    /// Waits until all that it said has been sent on.
    pub fn hear_out(&mut self) {
        if let Some(reader) = self.reader.take() {
            // A reader that panicked has sent what it could; the verdict misses the rest.
            let _ = reader.join();
        }
    }
}

/// How a child has exited, if it has.
fn exit_status(pid: u32) -> io::Result<Option<ExitStatus>> {
    let mut status = 0;
    // SAFETY: the status is stored in a local; nobody else waits for the child, so that the id is still its own.
    match unsafe { libc::waitpid(pid.cast_signed(), &raw mut status, libc::WNOHANG) } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        _ => Ok(Some(ExitStatus::from_raw(status))),
    }
}
