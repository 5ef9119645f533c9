//! `flowtag-sim machine`: a simulated machine for another program, which `flowtag selftest` is.
//!
//! It says what it is, then answers each line of standard input by one of JSON, until there is none:
//!
//! | request | answer |
//! |---|---|
//! | `create`, `start`, `stop`, `query`, `delete`: the driver's service | `service`: Win32 error, state, and what else there is to say |
//! | `bfe start`, `bfe stop`, `bfe query` | the same of the base filtering engine |
//! | `set NAME NUMBER`, `unset NAME`: a setting of the driver | `before`: what it was |
//! | `listen`: a session that also asks for what the driver knows already | `session`: its number |
//! | `events SESSION` | `heard`: the events since this was asked last, and how many were lost in all |
//!
//! Whatever is asked, what has happened on the network comes before it. Once the machine has stopped the answer to all is `stopped`.

use std::{
    io::{self, BufRead},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc::{self, Receiver, TryRecvError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::{
    demo::{driver::Driver as _, reuse, simulated::Simulated},
    etw::{Session, SessionId, json},
    kernel::registry::{Value, parameters_key},
    output,
    referee::BugCheck,
    service::{Config, ServiceError, State, Win32Error},
    traffic::{live::Capture, pump::Pump},
};

/// The service's name.
const SERVICE: &str = "flowtag";
/// How long to wait for the network before looking whether something is asked.
const GLANCE: Duration = Duration::from_millis(5);
/// The provider of docs/events.md, as it lies in memory, and what `flowtag` asks of it: all levels, and all keywords but that of packets.
const PROVIDER: u128 = u128::from_le_bytes([
    0x69, 0x01, 0xe2, 0xd8, 0x92, 0x77, 0x9c, 0x5d, 0x6d, 0x0d, 0x03, 0xa6, 0xce, 0x9a, 0x1a, 0xf2,
]);
const VERBOSE: u8 = 5;
const KEYWORDS: u64 = 0b1011;
/// Room for what a long run writes between two questions.
const BUFFERS: u32 = 1 << 14;

/// Be a machine for another program.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The driver, flowtag.sys
    #[arg(long, value_name = "SYS")]
    driver: PathBuf,
    /// The eBPF probes that watch the network; without them there is no traffic
    #[arg(long, value_name = "OBJECT")]
    probes: Option<PathBuf>,
}

/// A line of the output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// The first one: the folder of the control group whose programs' traffic is the machine's, or why there is none.
    Traffic(Result<PathBuf, String>),
    Service {
        error: u32,
        state: u32,
        said: Option<String>,
    },
    Before(Option<u32>),
    Session(usize),
    Stopped(String),
}

/// The machine, and who listens to it.
struct Attended<'a> {
    simulated: &'a Simulated,
    image: &'a Path,
    pump: Pump<'a, Simulated>,
    capture: Option<Capture>,
    sessions: Vec<SessionId>,
    stopped: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// The driver is none, a request is none, or its answer cannot be written.
pub fn run(arguments: &Args) -> Result<ExitCode> {
    let simulated = Simulated::new(&arguments.driver)?;
    let (capture, traffic) = match capture(arguments.probes.as_deref()) {
        Ok(capture) => {
            let folder = capture.cgroup().folder().to_owned();
            (Some(capture), Ok(folder))
        }
        // The first line says it; behind it there may be pages of the kernel's verifier.
        Err(error) => (None, Err(format!("{error:#}").lines().next().unwrap_or_default().to_owned())),
    };
    let mut attended = Attended {
        simulated: &simulated,
        image: &arguments.driver,
        pump: Pump::new(&simulated),
        capture,
        sessions: Vec::new(),
        stopped: None,
    };
    tell(&Answer::Traffic(traffic))?;
    let requests = requests();
    loop {
        attended.look(GLANCE);
        match requests.try_recv() {
            Ok(request) => {
                let request = request.context("read a request")?;
                attended.look(Duration::ZERO);
                attended.answer(&request)?;
            }
            Err(TryRecvError::Empty) if attended.capture.is_none() => thread::sleep(GLANCE),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn capture(probes: Option<&Path>) -> Result<Capture> {
    let probes = probes.context("no --probes were given")?;
    reuse::possible()?;
    Capture::start(probes)
}

/// The lines of standard input, as they come.
fn requests() -> Receiver<io::Result<String>> {
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || io::stdin().lock().lines().try_for_each(|line| sender.send(line)));
    requests
}

fn tell(answer: &Answer) -> Result<()> {
    Ok(output::print(&format!("{}\n", serde_json::to_string(answer)?))?)
}

impl Attended<'_> {
    /// Lets the machine have what has happened on the network, for which it waits up to `patience`.
    fn look(&mut self, patience: Duration) {
        let Some(capture) = &mut self.capture else { return };
        loop {
            let mut events = Vec::new();
            let all = capture.poll(patience, &mut events);
            for (at, event) in events {
                if self.stopped.is_none() {
                    self.simulated.happens_at(Some(at));
                    self.stopped = self.pump.feed(&event).err().map(|bug_check| bug_check.to_string());
                    self.simulated.happens_at(None);
                }
            }
            if all {
                return;
            }
        }
    }

    fn answer(&mut self, request: &str) -> Result<()> {
        let words: Vec<_> = request.split_whitespace().collect();
        let answered = match (&self.stopped, words.as_slice()) {
            (_, ["events", session]) => return self.tell_events(session),
            (Some(stopped), _) => return tell(&Answer::Stopped(stopped.clone())),
            (None, ["listen"]) => self.listen(),
            (None, ["set", name, number]) => {
                let number = number.parse().with_context(|| format!("{number} is no setting"))?;
                Ok(self.set(name, Some(number)))
            }
            (None, ["unset", name]) => Ok(self.set(name, None)),
            (None, ["bfe", verb]) => self.control_bfe(verb),
            (None, [verb]) => self.control(verb),
            _ => bail!("no request: {request}"),
        };
        match answered {
            Ok(answer) => tell(&answer),
            Err(bug_check) => {
                let said = bug_check.to_string();
                self.stopped = Some(said.clone());
                tell(&Answer::Stopped(said))
            }
        }
    }

    fn control(&self, verb: &str) -> Result<Answer, BugCheck> {
        let machine = self.simulated.machine();
        let binary_path = self.image.to_string_lossy().into_owned();
        let done = match verb {
            "create" => machine
                .create_service(SERVICE, Config { binary_path, ..Config::default() })
                .map_err(ServiceError::Win32),
            "start" => machine.start_service(SERVICE).map(drop),
            "stop" => machine.stop_service(SERVICE).map(drop),
            "delete" => machine.delete_service(SERVICE).map_err(ServiceError::Win32),
            _ => Ok(()),
        };
        let state = machine.query_service(SERVICE).map_or(0, |status| status.state as u32);
        let (error, said) = match done {
            Ok(()) => (0, None),
            Err(ServiceError::BugCheck(bug_check)) => return Err(bug_check),
            Err(error) => (error.win32().map_or(0, |error| error.0), Some(error.to_string())),
        };
        Ok(Answer::Service { error, state, said })
    }

    fn control_bfe(&self, verb: &str) -> Result<Answer, BugCheck> {
        let machine = self.simulated.machine();
        let error = match (verb, machine.bfe_runs()) {
            ("start", true) => Win32Error::SERVICE_ALREADY_RUNNING.0,
            ("stop", false) => Win32Error::SERVICE_NOT_ACTIVE.0,
            ("start", false) => machine.start_bfe().map(|()| 0)?,
            ("stop", true) => machine.stop_bfe().map(|()| 0)?,
            _ => 0,
        };
        let state = if machine.bfe_runs() { State::Running } else { State::Stopped };
        Ok(Answer::Service { error, state: state as u32, said: None })
    }

    fn set(&self, name: &str, value: Option<u32>) -> Answer {
        let registry = self.simulated.machine().registry();
        let key = parameters_key(SERVICE);
        let before = match registry.get(&key, name) {
            Some(Value::Dword(number)) => Some(number),
            _ => None,
        };
        match value {
            Some(number) => registry.set(&key, name, Value::Dword(number)),
            None => drop(registry.delete_value(&key, name)),
        }
        Answer::Before(before)
    }

    fn listen(&mut self) -> Result<Answer, BugCheck> {
        let machine = self.simulated.machine();
        let wanted = Session { buffers: BUFFERS, ..Session::of(PROVIDER, VERBOSE, KEYWORDS) };
        let session = machine.start_session(wanted)?;
        machine.capture_state(session)?;
        self.sessions.push(session);
        Ok(Answer::Session(self.sessions.len() - 1))
    }

    /// What a session has got can be read also when the machine has stopped.
    fn tell_events(&self, session: &str) -> Result<()> {
        let session = session.parse().ok().and_then(|number: usize| self.sessions.get(number));
        let session = *session.context("no session of this number")?;
        let etw = self.simulated.machine().etw();
        let lines: Vec<_> = etw.events(session).iter().map(json::line).collect();
        let lost = etw.lost(session) + self.capture.as_ref().map_or(Ok(0), Capture::lost)?;
        Ok(output::print(&format!("{{\"heard\":{{\"events\":[{}],\"lost\":{lost}}}}}\n", lines.join(",")))?)
    }
}
