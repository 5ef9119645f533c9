//! What a program does with a driver's device: `CreateFile`, `DeviceIoControl`, `CloseHandle`.
//!
//! A control request may stay with the driver for as long as it likes, as with overlapped input and output: then it is
//! [`Pending`]. Simplification: whatever the control code says of its buffers (`METHOD_*`), both are copied in, and the
//! output is copied out again.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

pub use crate::kmdf::completion::Outcome;
use crate::{
    computer::Machine,
    kmdf::{completion::Completion, file, names, system_buffer::SystemBuffer},
    referee::BugCheck,
};

/// How often who waits for a request looks whether the machine still lives.
const GLANCE: Duration = Duration::from_millis(20);

/// Why a device cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The system or the driver says no: an NTSTATUS.
    Refused(u32),
    /// The machine stopped.
    BugCheck(BugCheck),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "the device cannot be opened: status {status:#010x}"),
            Self::BugCheck(bug_check) => write!(f, "{bug_check}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// A file of a device that a program has open. It stays open until [`Self::close`].
#[derive(Debug)]
#[must_use = "a file that nobody closes keeps its driver loaded"]
pub struct File {
    machine: Machine,
    handle: u64,
    process: u64,
}

/// A request that may be with the driver still.
#[derive(Debug)]
#[must_use = "the outcome is here"]
pub struct Pending {
    machine: Machine,
    request: u64,
    completion: Arc<Completion>,
}

impl Machine {
    /// Opens a device for the program with the id `process`, by a name such as `\\.\flowtag`.
    ///
    /// # Errors
    /// When there is no such device, it is on its way out, the driver refuses, or the machine stops.
    pub fn open_file(&self, name: &str, process: u64) -> Result<File, OpenError> {
        const STATUS_NO_SUCH_DEVICE: u32 = 0xC000_000E;
        if self.is_stopping() {
            return Err(OpenError::Refused(STATUS_NO_SUCH_DEVICE));
        }
        let name = names::of_program(name);
        let opened = self.run(|cpu| file::open(cpu, &name, process)).map_err(OpenError::BugCheck)?;
        let handle = opened.map_err(OpenError::Refused)?;
        Ok(File { machine: self.clone(), handle, process })
    }
}

impl File {
    /// Sends a control request. The driver may have ended it when this returns, or keep it.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn control(&self, code: u32, input: &[u8], output: &[u8]) -> Result<Pending, BugCheck> {
        let completion = Arc::new(Completion::default());
        let buffers = [SystemBuffer::new(&self.machine, input), SystemBuffer::new(&self.machine, output)];
        let (handle, process) = (self.handle, self.process);
        let request = self.machine.run(|cpu| file::control(cpu, handle, process, code, buffers, &completion))?;
        Ok(Pending { machine: self.machine.clone(), request, completion })
    }

    /// Closes the file. When it was the last one of a driver that was told to stop, that unloads now.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn close(self) -> Result<(), BugCheck> {
        let Self { machine, handle, process } = self;
        machine.run(|cpu| file::close(cpu, handle, process))?;
        machine.unload_if_stopping()
    }
}

impl Pending {
    /// The outcome, if the driver has ended the request.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.completion.take()
    }

    /// The outcome, as soon as the driver has ended the request; `None` when it has not within `limit` of the host's time
    /// or the machine has stopped.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> Option<Outcome> {
        let started = Instant::now();
        loop {
            let outcome = self.outcome();
            let dead = self.machine.referee().verdict().is_some();
            if outcome.is_some() || dead || started.elapsed() > limit {
                return outcome;
            }
            self.completion.wait(GLANCE);
        }
    }

    /// Cancels the request; false when the driver has it in hand or it has ended.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn cancel(&self) -> Result<bool, BugCheck> {
        self.machine.run(|cpu| file::cancel(cpu, self.request))
    }
}
