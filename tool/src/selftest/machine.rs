//! The machine under test, as far as the test needs it: services, a setting, sessions, and programs whose traffic it sees.

use std::{ffi::OsString, path::Path, process::Command};

use anyhow::{Result, bail};

use crate::event::Told;

/// A service that is asked for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The driver's.
    Driver,
    /// The Base Filtering Engine.
    Bfe,
}

/// What is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// To be there; of the driver's only.
    Create,
    /// To run.
    Start,
    /// Not to run.
    Stop,
    /// Nothing.
    Query,
    /// To be gone; of the driver's only.
    Delete,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The Win32 error, 0 for none.
    pub error: u32,
    /// The state of the service then, as winsvc.h numbers them: [`RUNNING`], [`STOPPED`]; 0 where there is no such service.
    pub state: u32,
    /// What else there is to say.
    pub said: Option<String>,
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A `REG_DWORD`, as the driver wants them.
    Number(u32),
    /// Whatever somebody has put there, with its type as winnt.h numbers them. The driver does without it (docs/windows.md).
    Other(u32, Vec<u8>),
}

/// `SERVICE_STOPPED` and `SERVICE_RUNNING` of winsvc.h.
pub const STOPPED: u32 = 1;
pub const RUNNING: u32 = 4;

/// What a session has got.
#[derive(Debug, Default)]
pub struct Heard {
    /// Its events since this was asked last.
    pub told: Vec<Told>,
    /// How many it has lost in all.
    pub lost: u64,
    /// What came and was no event of docs/events.md, in words.
    pub wrong: Vec<String>,
}

/// The machine.
pub trait Machine {
    /// What it is, for the verdict.
    fn name(&self) -> String;

    /// Why no program's traffic reaches it, if none does.
    fn no_traffic(&self) -> Option<String> {
        None
    }

    /// Asks a service for something.
    ///
    /// # Errors
    /// The machine has stopped, or nobody can ask it.
    fn ask(&mut self, service: Service, verb: Verb) -> Result<Answer>;

    /// Sets a setting of the driver, or takes it away; says what it was.
    ///
    /// # Errors
    /// As for [`Self::ask`], or it is refused.
    fn set(&mut self, name: &str, value: Option<&Value>) -> Result<Option<Value>>;

    /// Begins a session that gets all events but those of packets, and asks for what the driver knows already.
    ///
    /// # Errors
    /// As for [`Self::set`].
    fn listen(&mut self) -> Result<usize>;

    /// What a session has got. All that programs have done before is in it.
    ///
    /// # Errors
    /// Nobody can ask the machine. What is left when it has stopped is still told.
    fn heard(&mut self, session: usize) -> Result<Heard>;

    /// Ends a session: what [`Self::heard`] has not told yet, and what was lost.
    ///
    /// # Errors
    /// As there.
    fn end(&mut self, session: usize) -> Result<Heard> {
        self.heard(session)
    }

    /// Whether events may still come when [`Self::heard`] has told all that there is.
    fn delivers_late(&self) -> bool {
        false
    }

    /// A command that runs a program whose traffic the machine sees.
    ///
    /// # Errors
    /// There is none.
    fn command(&mut self, program: &Path, arguments: &[OsString]) -> Result<Command>;

    /// The same, under the id of a process that has exited, where [`Self::chooses_ids`].
    ///
    /// # Errors
    /// There is none, or ids cannot be chosen.
    fn command_as(&mut self, pid: u32, _program: &Path, _arguments: &[OsString]) -> Result<Command> {
        bail!("nobody can choose the id {pid} here")
    }

    /// Whether the id of a new process can be chosen.
    fn chooses_ids(&self) -> bool {
        false
    }
}

/// The machine has stopped: a bug check.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the machine has stopped: {0}")]
pub struct Crash(pub String);
