//! Real programs, and what happens on the network between them.

use std::{
    process::Command,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    command,
    driver::Driver,
    program::{Heard, Program},
    report::{Message, now},
    run::Run,
};
use crate::traffic::live::Capture;

/// How long a step of the choreography may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for the network before looking at the programs.
const GLANCE: Duration = Duration::from_millis(10);

/// How long a command may go on after Ctrl-C, and what it leaves running after its end.
const GRACE: Duration = Duration::from_secs(2);

/// Set by Ctrl-C: the demo then gives up in good order.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Programs, the network between them, and the run that it is shown to.
pub struct Live<'r, 'a, D: Driver> {
    /// What it is shown to.
    pub run: &'r mut Run<'a, D>,
    /// The programs, by their numbers.
    pub programs: Vec<Program>,
    capture: &'r mut Capture,
    said: Sender<Heard>,
    heard: Receiver<Heard>,
}

/// Any one command.
///
/// # Errors
/// It cannot be started.
pub fn any_command<D: Driver>(run: &mut Run<'_, D>, capture: &mut Capture, words: &[String]) -> Result<()> {
    let (name, arguments) = words.split_first().context("no command")?;
    let mut command = Command::new(name);
    command.args(arguments);
    capture.cgroup().confine(&mut command)?;
    let mut live = Live::new(run, capture);
    live.run.start(now())?;
    live.run.doing("the command runs");
    let mut child = command.spawn().with_context(|| format!("start {name}"))?;
    let ended = command::wait(&mut child, GRACE, interrupted, || live.look(GLANCE))?;
    // What it leaves running is ended with its cgroup, and may go on talking until then.
    let deadline = Instant::now() + GRACE;
    while !live.take_events(Duration::ZERO)? && Instant::now() < deadline {}
    live.run.stop(now())?;
    live.run.command_ended(ended)
}

/// Whether Ctrl-C was pressed.
fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

impl<'r, 'a, D: Driver> Live<'r, 'a, D> {
    /// No programs yet.
    pub fn new(run: &'r mut Run<'a, D>, capture: &'r mut Capture) -> Self {
        let (said, heard) = mpsc::channel();
        Self { run, programs: Vec::new(), capture, said, heard }
    }

    /// Starts a program and returns its number.
    ///
    /// # Errors
    /// It does not start.
    pub fn launch(&mut self, program: (&'static str, Command)) -> Result<usize> {
        self.launch_as(None, program)
    }

    /// The same, under the id that a program had which has exited.
    ///
    /// # Errors
    /// It does not start.
    pub fn launch_again(&mut self, before: usize, program: (&'static str, Command)) -> Result<usize> {
        self.launch_as(Some(self.programs[before].process.pid), program)
    }

    fn launch_as(&mut self, pid: Option<u32>, program: (&'static str, Command)) -> Result<usize> {
        let index = self.programs.len();
        self.programs.push(Program::start(program, pid, index, self.capture.cgroup(), &self.said)?);
        Ok(index)
    }

    /// Lets things happen until `done`; `what` that is, is for messages. All that has happened on the network by then is taken in.
    ///
    /// # Errors
    /// It takes too long, a program fails, or the recording or standard output cannot be written.
    pub fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            ensure!(!interrupted(), "interrupted");
            ensure!(Instant::now() < deadline, "gave up after {} seconds waiting until {what}", PATIENCE.as_secs());
            self.look(GLANCE)?;
        }
        // What programs say, and that they exit, is heard of another way than what they did before.
        self.look(Duration::ZERO)
    }

    /// Takes in what happened on the network, waiting for it up to `patience`, what the programs said, and who has exited.
    fn look(&mut self, patience: Duration) -> Result<()> {
        while !self.take_events(patience)? && !interrupted() {}
        while let Ok((index, message)) = self.heard.try_recv() {
            self.take(index, message?)?;
        }
        for program in &mut self.programs {
            if program.exits()? {
                self.run.process(program.process.clone())?;
            }
        }
        Ok(())
    }

    /// Takes in what happened on the network; whether that was all.
    fn take_events(&mut self, patience: Duration) -> Result<bool> {
        let mut events = Vec::new();
        let all = self.capture.poll(patience, &mut events);
        events.drain(..).try_for_each(|(at, event)| self.run.event(event, Some(at)))?;
        Ok(all)
    }

    fn take(&mut self, index: usize, message: Message) -> Result<()> {
        let program = &mut self.programs[index];
        match message {
            Message::Ready(ports) => program.ready = Some(ports),
            Message::Idle => program.rounds += 1,
            Message::Flow(mut report) => {
                // Whoever has inherited its sockets speaks for it.
                let process = &program.process;
                report.created = (report.pid == process.pid).then_some(process.created);
                self.run.report(report)?;
            }
        }
        Ok(())
    }

    /// All programs have ended: takes in what was still on its way.
    ///
    /// # Errors
    /// A program has failed, or the recording or standard output cannot be written.
    pub fn hear_out(&mut self) -> Result<()> {
        self.programs.iter_mut().for_each(Program::hear_out);
        self.look(Duration::ZERO)
    }
}
