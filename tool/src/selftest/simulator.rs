//! The simulated machine: `flowtag-sim machine`, a child process, which is asked a line at a time.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::machine::{Answer, Crash, Heard, Machine, Service, Value, Verb};
use crate::source::json;

/// How long an answer may take. A driver that hangs does not answer at all.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long its end may take, and how often to look.
const GRACE: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(10);

/// Where the simulator is, and what it is given.
#[derive(Clone, Debug)]
pub struct Simulator {
    /// `flowtag-sim`.
    pub program: PathBuf,
    /// The driver's image.
    pub driver: PathBuf,
    /// The object file with the eBPF probes: without it there is no traffic.
    pub probes: Option<PathBuf>,
}

/// The simulated machine.
pub struct Simulated {
    simulator: PathBuf,
    process: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    traffic: Result<PathBuf, String>,
    /// It has not answered in time, and nothing is asked of it any more.
    hangs: Option<Crash>,
}

/// What it says, but what sessions have heard.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Traffic(Result<PathBuf, String>),
    Service { error: u32, state: u32, said: Option<String> },
    Before(Option<u32>),
    Session(usize),
    Heard(Events),
    Stopped(String),
}

#[derive(Deserialize)]
struct Events {
    events: Vec<Box<RawValue>>,
    lost: u64,
}

impl Simulated {
    /// Starts it.
    ///
    /// # Errors
    /// It does not start, or the driver is none.
    pub fn start(simulator: &Simulator) -> Result<Self> {
        let Simulator { program, driver, probes } = simulator;
        let mut command = Command::new(program);
        command.arg("machine").arg("--driver").arg(driver);
        if let Some(probes) = probes {
            command.arg("--probes").arg(probes);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().with_context(|| format!("start the simulator {}", program.display()))?;
        let (input, output) = (process.stdin.take(), process.stdout.take().context("its output is not a pipe")?);
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let traffic = Err("it has not said".to_owned());
        let mut simulated = Self { simulator: program.clone(), process, input, lines, traffic, hangs: None };
        match simulated.next("its first line")? {
            Said::Traffic(traffic) => simulated.traffic = traffic,
            _ => bail!("the simulator does not begin with what it is: is it of this version?"),
        }
        Ok(simulated)
    }

    fn request(&mut self, request: &str) -> Result<Said> {
        if let Some(crash) = &self.hangs {
            return Err(crash.clone().into());
        }
        let input = self.input.as_mut().context("the simulator's input is closed")?;
        writeln!(input, "{request}").context("the simulator has ended")?;
        match self.next(request)? {
            Said::Stopped(why) => Err(Crash(why).into()),
            said => Ok(said),
        }
    }

    fn next(&mut self, request: &str) -> Result<Said> {
        let line = match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                let crash = Crash(format!("it has not answered “{request}” in {} seconds", PATIENCE.as_secs()));
                self.hangs = Some(crash.clone());
                return Err(crash.into());
            }
            Err(RecvTimeoutError::Disconnected) => bail!("the simulator has ended before it answered “{request}”"),
        };
        serde_json::from_str(&line).with_context(|| format!("the simulator answered “{request}” with {line}"))
    }

    /// Lets a command run where the machine sees its traffic.
    fn confined(&self, mut command: Command) -> Result<Command> {
        let folder = self.traffic.as_ref().map_err(|why| anyhow!("no traffic reaches the simulator: {why}"))?;
        let path = folder.join("cgroup.procs");
        let processes =
            OpenOptions::new().write(true).open(&path).with_context(|| format!("open {}", path.display()))?;
        // SAFETY: between fork and exec the closure only calls write(2), which is async-signal-safe, and allocates nothing.
        unsafe { command.pre_exec(move || (&processes).write_all(b"0")) };
        Ok(command)
    }
}

impl Machine for Simulated {
    fn name(&self) -> String {
        "simulator".to_owned()
    }

    fn no_traffic(&self) -> Option<String> {
        self.traffic.clone().err()
    }

    fn ask(&mut self, service: Service, verb: Verb) -> Result<Answer> {
        let verb = match verb {
            Verb::Create => "create",
            Verb::Start => "start",
            Verb::Stop => "stop",
            Verb::Query => "query",
            Verb::Delete => "delete",
        };
        let request = if service == Service::Bfe { format!("bfe {verb}") } else { verb.to_owned() };
        match self.request(&request)? {
            Said::Service { error, state, said } => Ok(Answer { error, state, said }),
            _ => bail!("the simulator answered “{request}” as if something else was asked"),
        }
    }

    fn set(&mut self, name: &str, value: Option<&Value>) -> Result<Option<Value>> {
        let request = match value {
            None => format!("unset {name}"),
            Some(Value::Number(number)) => format!("set {name} {number}"),
            Some(Value::Other(..)) => bail!("the simulated machine has numbers for settings, and nothing else"),
        };
        match self.request(&request)? {
            Said::Before(before) => Ok(before.map(Value::Number)),
            _ => bail!("the simulator answered “{request}” as if something else was asked"),
        }
    }

    fn listen(&mut self) -> Result<usize> {
        match self.request("listen")? {
            Said::Session(session) => Ok(session),
            _ => bail!("the simulator answered “listen” as if something else was asked"),
        }
    }

    fn heard(&mut self, session: usize) -> Result<Heard> {
        let Said::Heard(Events { events, lost }) = self.request(&format!("events {session}"))? else {
            bail!("the simulator answered “events” as if something else was asked");
        };
        let mut heard = Heard { lost, ..Heard::default() };
        for event in events {
            match json::read(event.get()) {
                Ok(told) => heard.told.extend(told),
                Err(wrong) => heard.wrong.push(wrong.to_string()),
            }
        }
        Ok(heard)
    }

    fn command(&mut self, program: &Path, arguments: &[OsString]) -> Result<Command> {
        let mut command = Command::new(program);
        command.args(arguments);
        self.confined(command)
    }

    fn command_as(&mut self, pid: u32, program: &Path, arguments: &[OsString]) -> Result<Command> {
        let mut command = Command::new(&self.simulator);
        command.arg("run-as").arg(pid.to_string()).arg(program).args(arguments);
        self.confined(command)
    }

    fn chooses_ids(&self) -> bool {
        true
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        // It ends when nothing can be asked any more, and takes its control group along; unless the driver hangs.
        self.input = None;
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(GLANCE);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Ok(folder) = &self.traffic {
            let _ = fs::remove_dir(folder);
        }
    }
}
