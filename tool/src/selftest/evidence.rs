//! What was seen in a run: all that is judged.

use super::{
    machine::Answer,
    report::{Hello, Talk},
};
use crate::{event::Told, time::Time};

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Why no program's traffic reached the machine.
    pub no_traffic: Option<String>,
    /// Why nobody could listen to the driver.
    pub no_events: Option<String>,
    /// What services answered, in order.
    pub asked: Vec<(Step, Answer)>,
    /// The lives of the driver that came to their end.
    pub lives: Vec<Life>,
    /// A session that came in the middle of the first.
    pub late: Option<Late>,
    /// Why the run was given up: the machine stopped, or did not answer.
    pub crash: Option<String>,
    /// Why it was given up otherwise.
    pub given_up: Option<String>,
    /// Events that a session has lost.
    pub lost: u64,
    /// What came and was no event, in words.
    pub wrong: Vec<String>,
}

/// When a service was asked for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The driver, to start.
    Start,
    /// While it ran.
    StartTwice,
    /// To stop, with flows open.
    Stop,
    /// When it had stopped.
    StopTwice,
    /// After that.
    StartAgain,
    /// The Base Filtering Engine, to stop and to start, and the driver then, whether it runs.
    BfeStop,
    BfeStart,
    AfterBfe,
}

/// The driver from its start to its end.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// What it was for.
    pub kind: Kind,
    /// The settings that it had to find; `None` for those that nobody has set.
    pub settings: Settings,
    /// Before it was started.
    pub started: Time,
    /// Before it was stopped.
    pub stopped: Time,
    /// Behind the answer.
    pub ended: Time,
    /// When the Base Filtering Engine did not run.
    pub without_bfe: Option<WithoutBfe>,
    /// Its events.
    pub told: Vec<Told>,
    /// The test's own programs.
    pub processes: Vec<Process>,
    /// And their flows, but for echoes.
    pub flows: Vec<TrueFlow>,
    /// The echo requests of the test's own programs. Whose those are is another question than whose a flow is.
    pub echoes: Vec<TrueFlow>,
    /// What a program was to have, and could not, in words.
    pub refused: Vec<String>,
}

/// When the Base Filtering Engine did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithoutBfe {
    /// When it had answered that it has stopped.
    pub stopped: Time,
    /// When it had started, and the driver had had time to hear of it.
    pub back: Time,
}

/// What a life of the driver was for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Traffic.
    #[default]
    Traffic,
    /// More flows than it has room for.
    Limit,
    /// The filter engine's restart.
    Bfe,
}

/// The settings of the driver (docs/windows.md).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `TraceLevel`.
    pub trace_level: Option<u32>,
    /// `MaxFlows`.
    pub max_flows: Option<u32>,
}

/// A program of the test's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// What it says of itself.
    pub hello: Hello,
    /// The process that created it.
    pub parent: u32,
    /// Before it was created.
    pub launched: Time,
}

/// A flow that a program of the test's own had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrueFlow {
    /// Whose, of the life's processes.
    pub process: usize,
    /// What that says of it.
    pub talk: Talk,
}

/// A session that came in the middle.
#[derive(Clone, Debug, Default)]
pub struct Late {
    /// Before it came.
    pub at: Time,
    /// Its events.
    pub told: Vec<Told>,
}

impl Life {
    /// The owner of a flow.
    #[must_use]
    pub fn owner(&self, flow: &TrueFlow) -> &Process {
        &self.processes[flow.process]
    }

    /// Whether a process with the same id ran the same program before: then nobody can know whose a flow is (docs/traces.md).
    #[must_use]
    pub fn is_ambiguous(&self, process: &Process) -> bool {
        self.processes.iter().any(|other| {
            (other.hello.pid, &other.hello.program) == (process.hello.pid, &process.hello.program)
                && other.launched < process.launched
        })
    }
}

impl Evidence {
    /// What a service answered at a step.
    #[must_use]
    pub fn answer(&self, step: Step) -> Option<&Answer> {
        self.asked.iter().find(|(asked, _)| *asked == step).map(|(_, answer)| answer)
    }

    /// The life that was for this.
    #[must_use]
    pub fn life(&self, kind: Kind) -> Option<&Life> {
        self.lives.iter().find(|life| life.kind == kind)
    }
}
