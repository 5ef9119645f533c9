//! `flowtag-sim shell`: `sc` and `reg` word for word as they are typed on Windows, and flows to try the driver with.

mod flow;
mod reg;
mod sc;
mod words;

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;

use crate::{computer::Machine, referee::BugCheck, windows::Options};

/// What the shell is told on the command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// A file with commands; without it they come from standard input
    file: Option<PathBuf>,
    /// Where the file of a Windows path such as C:\drivers\flowtag.sys is looked for by its name
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    drivers: PathBuf,
    /// Where all randomness comes from
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// How a command ended, worst last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Well.
    #[default]
    Done = 0,
    /// It failed as it would on Windows.
    Failed = 1,
    /// It was typed wrongly, or names a file that cannot be used.
    Unusable = 2,
    /// The machine has stopped with a bug check.
    BugCheck = 3,
}

/// What a command prints, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The text, with a line end where it is not empty.
    pub text: String,
    /// How it ended.
    pub exit: Exit,
}

impl Output {
    fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit: Exit::Done }
    }

    fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit: Exit::Failed }
    }

    fn unusable(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit: Exit::Unusable }
    }

    fn bug_check(bug_check: &BugCheck) -> Self {
        let hint = "  the machine has stopped; `restart` starts it again, its services and registry as they were";
        Self { text: format!("{bug_check}\n{hint}\n"), exit: Exit::BugCheck }
    }
}

/// A machine and someone at its keyboard.
pub struct Shell {
    machine: Machine,
    arguments: Args,
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
        Self { machine, arguments, flows: flow::Flows::default(), finished: false, told_of_filter: false }
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
            "sc" | "sc.exe" => sc::execute(&self.machine, &self.arguments.drivers, rest),
            "reg" | "reg.exe" => reg::execute(self.machine.registry(), rest),
            "flow" => self.flows.execute(&self.machine, rest),
            "time" => self.time(rest),
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

    fn time(&self, words: &[&str]) -> Output {
        if let &[step] = words {
            let Some(step) = step.strip_prefix('+').and_then(duration) else {
                return Output::unusable("usage: time [+5s]; the units are ms, s, m and h\n");
            };
            self.machine.clock().advance(step);
        }
        Output::done(format!("{:.3} s since the machine started\n", self.machine.clock().since_start().as_secs_f64()))
    }

    fn restart(&mut self) -> Output {
        self.machine = self.machine.restarted();
        self.flows = flow::Flows::default();
        Output::done("the machine has restarted; no driver is loaded, no flow is open\n")
    }
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
    let factor = match &text[unit..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let number: f64 = text[..unit].parse().ok()?;
    Duration::try_from_secs_f64(number * factor).ok()
}

/// Runs the command `shell`.
///
/// # Errors
/// When the commands cannot be read.
pub fn run(arguments: &Args) -> anyhow::Result<ExitCode> {
    let mut shell = Shell::new(arguments.clone());
    let interactive = arguments.file.is_none() && io::stdin().is_terminal();
    let input: Box<dyn BufRead> = match &arguments.file {
        Some(file) => Box::new(io::BufReader::new(
            fs::File::open(file).with_context(|| format!("the commands in {} cannot be read", file.display()))?,
        )),
        None => Box::new(io::stdin().lock()),
    };
    if interactive {
        println!("A simulated Windows, for sc, reg and flows. `help` lists the commands.");
        prompt()?;
    }
    let mut exit = Exit::Done;
    for line in input.lines() {
        let line = line.context("the commands cannot be read: are they text?")?;
        if !interactive {
            println!("{PROMPT}{line}");
        }
        let output = shell.execute(&line);
        print!("{}", output.text);
        exit = exit.max(output.exit);
        if shell.finished() {
            break;
        }
        if interactive {
            prompt()?;
        }
    }
    // At a keyboard one sees what failed; a script's caller sees only the exit code.
    Ok(if interactive { ExitCode::SUCCESS } else { ExitCode::from(exit as u8) })
}

const PROMPT: &str = r"C:\>";

fn prompt() -> io::Result<()> {
    print!("{PROMPT}");
    io::stdout().flush()
}

const HELP: &str = r#"As on Windows:
  sc create flowtag type= kernel binPath= C:\drivers\flowtag.sys   (a Linux path works too)
  sc start|stop|query|qc|delete flowtag
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
