//! `flowtag-sim shell`: `sc` and `reg` word for word as they are typed on Windows, and flows to try the driver with.

mod flow;
mod keyboard;
mod outcome;
mod reg;
mod sc;
mod script;
mod time;
mod words;

use std::{
    env,
    ffi::OsString,
    fmt::Write,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
};

pub use self::outcome::{Exit, Output};
use super::events::EventFile;
use crate::{
    computer::Machine,
    etw::{Event, Session, SessionId},
    output::print,
    service::ServiceError,
    windows::Options,
};

/// Names the driver's image, as `cargo xtask sim` sets it.
const IMAGE_VARIABLE: &str = "FLOWTAG_SYS";

/// What the shell is told on the command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// A file with commands; without it they come from standard input
    file: Option<PathBuf>,
    /// Where the file of a Windows path such as C:\drivers\flowtag.sys is looked for by its name: the folder of the image that
    /// `FLOWTAG_SYS` names, or else this one
    #[arg(long, value_name = "DIRECTORY")]
    drivers: Option<PathBuf>,
    /// Where all randomness comes from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the driver's events to a file, one line of JSON for each
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

impl Args {
    /// The same, with Windows paths looked for in this folder.
    #[must_use]
    pub fn with_drivers(self, folder: &Path) -> Self {
        Self { drivers: Some(folder.into()), ..self }
    }

    /// The same, with Windows paths looked for beside `image` where nothing else was said.
    fn with_image(self, image: Option<OsString>) -> Self {
        let image = image.map(PathBuf::from);
        let folder = image.as_deref().and_then(Path::parent).map(Path::to_owned);
        Self { drivers: self.drivers.or(folder), ..self }
    }
}

/// A machine and someone at its keyboard.
pub struct Shell {
    machine: Machine,
    arguments: Args,
    /// The session that gets all events, where they are wanted, and what those of machines before the last restart have got.
    session: Option<SessionId>,
    events: Vec<Event>,
    flows: flow::Flows,
    finished: bool,
    told_of_filter: bool,
}

impl Shell {
    /// A shell on a machine that has just started.
    #[must_use]
    pub fn new(arguments: Args) -> Self {
        let options = Options { seed: arguments.seed, ..Options::default() };
        let machine = Machine::new(options);
        let session = arguments.events.is_some().then(|| listen(&machine));
        let flows = flow::Flows::default();
        Self { machine, arguments, session, events: Vec::new(), flows, finished: false, told_of_filter: false }
    }

    /// The events that the driver has written since this was asked last, if they are wanted.
    pub fn events(&mut self) -> Vec<Event> {
        let new = self.session.map_or_else(Vec::new, |session| self.machine.etw().events(session));
        self.events.extend(new);
        std::mem::take(&mut self.events)
    }

    /// Whether `exit` was typed.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// Runs a command. What the driver printed meanwhile comes first, as far as Windows shows it.
    pub fn execute(&mut self, line: &str) -> Output {
        let words = words::split(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut output = self.dispatch(&words);
        let mut printed = self.printed();
        printed.push_str(&output.text);
        output.text = printed;
        output
    }

    fn dispatch(&mut self, words: &[&str]) -> Output {
        let Some((&command, rest)) = words.split_first() else { return Output::default() };
        match command.to_ascii_lowercase().as_str() {
            comment if comment.starts_with(['#', ':']) || comment == "rem" => Output::default(),
            "sc" | "sc.exe" => sc::execute(&self.machine, self.drivers(), rest),
            "reg" | "reg.exe" => reg::execute(self.machine.registry(), rest),
            "flow" => self.flows.execute(&self.machine, rest),
            "time" => time::execute(self.machine.clock(), rest),
            "restart" | "shutdown" => self.restart(),
            "help" | "?" => Output::done(HELP),
            "exit" | "quit" => {
                self.finished = true;
                Output::default()
            }
            _ => Output::unusable(format!("'{command}' is not a command of this shell; `help` lists them\n")),
        }
    }

    /// What the driver has printed since last time, as `DebugView` shows it.
    fn printed(&mut self) -> String {
        let (shown, hidden): (Vec<_>, Vec<_>) =
            self.machine.debug_print().take_lines().into_iter().partition(|line| line.shown);
        let mut lines: Vec<String> =
            shown.iter().map(|line| format!("{:>13.7}  {}\n", line.time.as_secs_f64(), line.text.trim_end())).collect();
        if !hidden.is_empty() && !self.told_of_filter {
            self.told_of_filter = true;
            let hidden = hidden.len();
            lines.push(format!("  ({hidden} lines are not shown, as on Windows; `help` says how to see them)\n"));
        }
        lines.concat()
    }

    fn events_lost(&self) -> u64 {
        self.session.map_or(0, |session| self.machine.etw().lost(session))
    }

    fn drivers(&self) -> &Path {
        self.arguments.drivers.as_deref().unwrap_or(Path::new("."))
    }

    fn restart(&mut self) -> Output {
        self.events = self.events();
        self.machine = self.machine.restarted();
        // As a session does that Windows starts itself, an AutoLogger, it is there before the drivers.
        self.session = self.session.map(|_| listen(&self.machine));
        self.flows = flow::Flows::default();
        let mut output = Output::done("the machine has restarted; no flow is open\n");
        let outcomes = self.machine.start_services();
        output.text.push_str(&self.printed());
        for (service, outcome) in outcomes {
            match outcome {
                Ok(_) => writeln!(output.text, "{service} has started").expect("a String takes all"),
                Err(ServiceError::BugCheck(bug_check)) => {
                    let stopped = Output::bug_check(&bug_check);
                    output = Output { text: output.text + &stopped.text, exit: stopped.exit };
                }
                Err(error) => {
                    writeln!(output.text, "{service} did not start: {error}").expect("a String takes all");
                    output.exit = Exit::Failed;
                }
            }
        }
        output
    }
}

/// Runs the command `shell`.
///
/// # Errors
/// When the commands cannot be read, or standard output takes no more.
pub fn run(arguments: &Args) -> anyhow::Result<ExitCode> {
    let mut file = arguments.events.as_deref().map(EventFile::create).transpose()?;
    let mut shell = Shell::new(arguments.clone().with_image(env::var_os(IMAGE_VARIABLE)));
    // At a keyboard one sees what failed; a script's caller sees only the exit code.
    if arguments.file.is_none() && io::stdin().is_terminal() {
        keyboard::attend(&mut shell, &mut file)?;
        file.map_or(Ok(()), |file| file.finish(shell.events_lost()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut exit = Exit::Done;
    for line in script::open(arguments.file.as_deref())? {
        let line = line?;
        print(&format!("{PROMPT}{line}\n"))?;
        let output = shell.execute(&line);
        print(&output.text)?;
        file.as_mut().map_or(Ok(()), |file| file.write(&shell.events()))?;
        exit = exit.max(output.exit);
        if shell.finished() {
            break;
        }
    }
    file.map_or(Ok(()), |file| file.finish(shell.events_lost()))?;
    Ok(ExitCode::from(exit as u8))
}

/// Starts a session that gets all events of a machine that has just started.
fn listen(machine: &Machine) -> SessionId {
    machine.start_session(Session::default()).expect("nothing has stopped it yet")
}

const PROMPT: &str = r"C:\>";

const HELP: &str = r#"As on Windows:
  sc create flowtag type= kernel binPath= C:\drivers\flowtag.sys   (a Linux path works too)
  sc start|stop|query|qc|delete flowtag
  sc config flowtag start= auto              it then starts at each restart
  sc stop|start|query bfe                    the Base Filtering Engine
  reg add HKLM\SYSTEM\CurrentControlSet\Services\flowtag\Parameters /v TraceLevel /t REG_DWORD /d 3 /f
  reg query|delete KEY [/v NAME] [/f]
Traffic:
  flow open out tcp 10.0.0.5:50123 93.184.216.34:443 pid=4242 path=\device\harddiskvolume3\windows\curl.exe
  flow open in udp [::1]:53 [::1]:40000      for icmp the ports are type and code; no pid= or path= leaves it out
  flow send ID BYTES      flow receive ID BYTES      flow close ID      flow list
The machine:
  time [+5s]              what time it is; turn the clock
  restart                 after a bug check, or for the Debug Print Filter to take effect
  exit
Windows shows only what drivers print as errors. To see all lines of flowtag:
  reg add "HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Debug Print Filter" /v IHVNETWORK /t REG_DWORD /d 0xf /f
  restart
"#;

#[cfg(test)]
mod tests;
