//! The test's own programs: starting them, and hearing what they say.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{self, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    evidence::{Life, Process, TrueFlow},
    machine::Machine,
    report::{Hello, Message, Talk, now},
};
use crate::{
    flows::{ICMP, ICMPV6, TCP},
    time::Time,
};

/// How long a step of the test may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long to wait for what programs say before looking whether they have exited.
const GLANCE: Duration = Duration::from_millis(10);
/// The command of this program that is one of the test's own.
pub const COMMAND: &str = "selftest-peer";

/// All of them. What still runs when they are dropped is ended.
pub struct Children {
    all: Vec<Child>,
    said: Sender<(usize, Result<Message>)>,
    heard: Receiver<(usize, Result<Message>)>,
}

/// One.
struct Child {
    process: process::Child,
    input: Option<ChildStdin>,
    launched: Time,
    hello: Option<Hello>,
    ready: Option<BTreeMap<String, u16>>,
    asked: usize,
    rounds: usize,
    talks: Vec<Talk>,
    refused: Vec<String>,
    /// Whether all that it said was heard, and whether its process has exited.
    said_all: bool,
    exited: bool,
}

impl Children {
    /// None yet.
    pub fn new() -> Self {
        let (said, heard) = mpsc::channel();
        Self { all: Vec::new(), said, heard }
    }

    /// Starts one and returns its number.
    pub fn launch(&mut self, machine: &mut dyn Machine, arguments: &[&str]) -> Result<usize> {
        let program = env::current_exe().context("find our own program file")?;
        let command = machine.command(&program, &words(arguments))?;
        self.start(command)
    }

    /// Starts `program`, which is a copy of this one, or this one, under the id of one that has exited.
    pub fn launch_again(
        &mut self,
        machine: &mut dyn Machine,
        before: usize,
        program: &Path,
        arguments: &[&str],
    ) -> Result<usize> {
        let pid = self.hello(before)?.pid;
        let command = machine.command_as(pid, program, &words(arguments))?;
        self.start(command)
    }

    fn start(&mut self, mut command: Command) -> Result<usize> {
        let index = self.all.len();
        let launched = now();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().context("start a program of the test's own")?;
        let (input, output) = (process.stdin.take(), process.stdout.take().context("its output is not a pipe")?);
        let said = self.said.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let message = line.map_err(Into::into).and_then(|line| {
                    serde_json::from_str(&line).with_context(|| format!("a program of the test's own wrote: {line}"))
                });
                // Nobody listens any more when the test was given up.
                let _ = said.send((index, message));
            }
            let _ = said.send((index, Err(End.into())));
        });
        self.all.push(Child {
            process,
            input,
            launched,
            hello: None,
            ready: None,
            asked: 0,
            rounds: 0,
            talks: Vec::new(),
            refused: Vec::new(),
            said_all: false,
            exited: false,
        });
        Ok(index)
    }

    /// Asks for a round each.
    pub fn ask(&mut self, children: &[usize]) -> Result<()> {
        for &index in children {
            let child = &mut self.all[index];
            let input = child.input.as_mut().context("its standard input is closed")?;
            input.write_all(b"\n").context("a program of the test's own does not listen")?;
            child.asked += 1;
        }
        Ok(())
    }

    /// Waits until these connections stand, or listeners listen, and no round is on its way.
    pub fn until_ready(&mut self, children: &[usize]) -> Result<()> {
        let ready = |child: &Child| child.ready.is_some() && child.rounds == child.asked;
        self.until("the test's own programs talk", |all| children.iter().all(|&index| ready(&all[index])))
    }

    /// Waits until these have exited.
    pub fn until_done(&mut self, children: &[usize]) -> Result<()> {
        let done = |child: &Child| child.exited && child.said_all;
        self.until("the test's own programs end", |all| children.iter().all(|&index| done(&all[index])))
    }

    /// Waits until each TCP connection that was closed by the side that opened it is closed by the other one, too.
    pub fn until_closed(&mut self) -> Result<()> {
        self.until("connections are closed by both sides", |all| {
            let closed = |inbound: bool| {
                let talks = all.iter().flat_map(|child| &child.talks);
                talks.filter(|talk| talk.protocol == TCP && talk.inbound == inbound).count()
            };
            closed(true) >= closed(false)
        })
    }

    /// Lets all end, those that open flows before those that answer, and waits until they have.
    pub fn release(&mut self, servers: &[usize]) -> Result<()> {
        let (servers, clients): (Vec<_>, Vec<_>) = (0..self.all.len()).partition(|index| servers.contains(index));
        for group in [clients, servers] {
            for &index in &group {
                self.all[index].input = None;
            }
            self.until_done(&group)?;
        }
        Ok(())
    }

    fn until(&mut self, what: &str, done: impl Fn(&[Child]) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !done(&self.all) {
            ensure!(Instant::now() < deadline, "gave up after {} seconds waiting until {what}", PATIENCE.as_secs());
            match self.heard.recv_timeout(GLANCE) {
                Ok((index, message)) => self.take(index, message)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            for child in self.all.iter_mut().filter(|child| !child.exited) {
                if let Some(status) = child.process.try_wait().context("wait for a program of the test's own")? {
                    ensure!(status.success(), "a program of the test's own failed: {status}");
                    child.exited = true;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, index: usize, message: Result<Message>) -> Result<()> {
        let child = &mut self.all[index];
        match message {
            Ok(Message::Hello(hello)) => child.hello = Some(hello),
            Ok(Message::Ready(ports)) => child.ready = Some(ports),
            Ok(Message::Idle) => child.rounds += 1,
            Ok(Message::Flow(talk)) => child.talks.push(talk),
            Ok(Message::Refused(why)) => child.refused.push(why),
            Err(error) if error.is::<End>() => child.said_all = true,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn hello(&self, index: usize) -> Result<&Hello> {
        self.all[index].hello.as_ref().context("a program of the test's own has not said who it is")
    }

    /// The servers of one that serves, as arguments of one that talks.
    pub fn servers(&self, index: usize) -> Result<Vec<String>> {
        let Some(ports) = &self.all[index].ready else { bail!("a server has not said where it listens") };
        let places =
            [("tcp4", "tcp/127.0.0.1"), ("tcp6", "tcp/[::1]"), ("udp4", "udp/127.0.0.1"), ("udp6", "udp/[::1]")];
        let known = |(name, place): (&str, &str)| ports.get(name).map(|port| format!("{place}:{port}"));
        Ok(places.into_iter().filter_map(known).collect())
    }

    /// Adds to a life who they were, and what flows they had.
    pub fn tell(&self, life: &mut Life) -> Result<()> {
        for (index, child) in self.all.iter().enumerate() {
            let hello = self.hello(index)?.clone();
            let parent = hello.parent.unwrap_or_else(process::id);
            life.processes.push(Process { hello, parent, launched: child.launched });
            for talk in &child.talks {
                let is_echo = [ICMP, ICMPV6].contains(&talk.protocol);
                let flows = if is_echo { &mut life.echoes } else { &mut life.flows };
                flows.push(TrueFlow { process: index, talk: talk.clone() });
            }
            life.refused.extend_from_slice(&child.refused);
        }
        Ok(())
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in self.all.iter_mut().filter(|child| !child.exited) {
            // It may have ended by itself.
            let _ = child.process.kill();
            let _ = child.process.wait();
        }
    }
}

fn words(arguments: &[&str]) -> Vec<OsString> {
    [COMMAND].iter().chain(arguments).map(OsString::from).collect()
}

/// A program has closed its output.
#[derive(Debug, thiserror::Error)]
#[error("it says no more")]
struct End;
