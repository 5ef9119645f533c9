//! The demo with real programs.

use std::{
    process::{Child, Command},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    command,
    driver::Driver,
    programs::{self, Heard, Ports, Program},
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
struct Live<'r, 'a, D: Driver> {
    run: &'r mut Run<'a, D>,
    capture: &'r mut Capture,
    programs: Vec<Program>,
    said: Sender<Heard>,
    heard: Receiver<Heard>,
}

/// The demo's own programs: some older than the driver, some that come and go, some that outlive it.
///
/// # Errors
/// A program is not installed, fails, or hangs.
pub fn own_programs<D: Driver>(run: &mut Run<'_, D>, capture: &mut Capture) -> Result<()> {
    let (said, heard) = mpsc::channel();
    let mut live = Live { run, capture, programs: Vec::new(), said, heard };

    live.run.doing("starting programs that are older than the driver");
    let servers = [programs::http_server(), programs::echo_server(), programs::peer(&["serve"], &[])?];
    let [http, python, peer] = servers.map(|server| live.launch(server));
    let (http, python, peer) = (http?, python?, peer?);
    live.until("the servers listen", |live| {
        [http, python, peer].iter().all(|&server| live.programs[server].ready.is_some())
    })?;
    let [http_ports, python_ports, peer_ports] = [http, python, peer].map(|server| Ports::of(&live.programs[server]));
    let old = live.launch(programs::peer(&["talk", "--hold", "--size", "300"], &peer_ports.for_peer()?)?)?;
    live.until("the first connections stand", |live| live.programs[old].ready.is_some())?;

    live.run.start(now())?;

    live.run.doing("real traffic");
    let lasting = live.launch(programs::peer(&["talk", "--hold", "--size", "1200"], &python_ports.for_peer()?)?)?;
    let mut passing = Vec::new();
    for (v6, size) in [(false, 0), (true, 1), (false, 1_000), (true, 5_000), (false, 20_000), (true, 60_000)] {
        passing.push(live.launch(programs::curl(&http_ports, v6, size)?)?);
    }
    passing.push(live.launch(programs::echo_client(&python_ports)?)?);
    passing.push(live.launch(programs::echo_client(&peer_ports)?)?);
    passing.push(live.launch(programs::perl(&peer_ports)?)?);
    passing.push(live.launch(programs::perl(&python_ports)?)?);
    passing.push(live.launch(programs::peer(&["talk", "--count", "3", "--size", "64"], &peer_ports.for_peer()?)?)?);
    live.programs[old].ask()?;
    live.until("the passing programs are done", |live| {
        passing.iter().all(|&program| live.programs[program].done) && live.programs[lasting].ready.is_some()
    })?;
    for program in [old, lasting] {
        live.programs[program].ask()?;
    }
    live.until("the lasting connections are quiet", |live| {
        live.programs[old].rounds == 2 && live.programs[lasting].rounds == 1
    })?;
    // What the programs say comes another way than their packets: one more look, and all of these are here, too.
    live.look(Duration::ZERO)?;

    live.run.doing("stopping the driver with connections open");
    live.run.stop(now())?;

    live.run.doing("asking the programs");
    for group in [[old, lasting].as_slice(), &[http, python, peer]] {
        for &program in group {
            live.programs[program].release();
        }
        live.until("the programs end", |live| group.iter().all(|&program| live.programs[program].done))?;
    }
    live.hear_out()
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
    let (said, heard) = mpsc::channel();
    let mut live = Live { run, capture, programs: Vec::new(), said, heard };
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

impl<D: Driver> Live<'_, '_, D> {
    /// Starts a program and returns its number.
    fn launch(&mut self, program: (&'static str, Command)) -> Result<usize> {
        let index = self.programs.len();
        self.programs.push(programs::start(program, index, self.capture.cgroup(), &self.said)?);
        Ok(index)
    }

    /// Lets things happen until `done`; `what` that is, is for messages.
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            ensure!(!interrupted(), "interrupted");
            ensure!(Instant::now() < deadline, "gave up after {} seconds waiting until {what}", PATIENCE.as_secs());
            self.look(GLANCE)?;
        }
        Ok(())
    }

    /// Takes in what happened on the network, waiting for it up to `patience`, and what the programs said.
    fn look(&mut self, patience: Duration) -> Result<()> {
        while !self.take_events(patience)? && !interrupted() {}
        while let Ok((index, message)) = self.heard.try_recv() {
            self.take(index, message?)?;
        }
        for program in &mut self.programs {
            if !program.done {
                program.done = succeeded(program.name, &mut program.child)?;
            }
        }
        Ok(())
    }

    /// Takes in what happened on the network; whether that was all.
    fn take_events(&mut self, patience: Duration) -> Result<bool> {
        let mut events = Vec::new();
        let all = self.capture.poll(patience, &mut events);
        events.drain(..).try_for_each(|event| self.run.event(event))?;
        Ok(all)
    }

    fn take(&mut self, index: usize, message: Message) -> Result<()> {
        let program = &mut self.programs[index];
        match message {
            Message::Ready(ports) => program.ready = Some(ports),
            Message::Idle => program.rounds += 1,
            Message::Flow(report) => self.run.report(report)?,
        }
        Ok(())
    }

    /// All programs have ended: takes in what was still on its way.
    fn hear_out(&mut self) -> Result<()> {
        self.programs.iter_mut().for_each(Program::hear_out);
        self.look(Duration::ZERO)
    }
}

/// Whether a program has ended, as it should.
fn succeeded(name: &str, child: &mut Child) -> Result<bool> {
    match child.try_wait()? {
        None => Ok(false),
        Some(status) if status.success() => Ok(true),
        Some(status) => bail!("{name} (process {}) failed: {status}", child.id()),
    }
}
