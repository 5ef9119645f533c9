//! A file of the driver's device, as `WinDivertOpen` and `WinDivertRecv` use it at the FLOW layer.

use std::{fmt, time::Duration};

use flowtag_simulator::{
    BugCheck, Machine,
    computer::{lent_memory::LentMemory, memory},
    io::{File, OpenError, Outcome, Pending},
};

use super::event::{Event, SIZE};

/// Control codes.
const INITIALIZE: u32 = 0x12_E486;
const START: u32 = 0x12_E489;
const RECEIVE: u32 = 0x12_648E;
const SHUTDOWN: u32 = 0x12_E49D;

/// The layer FLOW, which only looks, and only receives.
const LAYER_FLOW: u32 = 2;
const SNIFF_AND_RECEIVE_ONLY: u64 = 0x1 | 0x4;
/// Priority 0: they are counted from the lowest, -30000.
const PRIORITY: u32 = 30_000;

/// `WINDIVERT_VERSION`: the magic number of a program, then the version 2.2 for 64 bits; the rest is reserved.
const MAGIC_OF_PROGRAMS: u64 = 0x4C4C_4476_6964_5724;
const MAGIC_OF_THE_DRIVER: u64 = 0x5359_5376_6964_5723;
const VERSION: [u32; 3] = [2, 2, 64];
const VERSION_SIZE: usize = 64;

/// Filter flags: inbound and outbound, IPv4 and IPv6; and that the end of flows is wanted, too.
const ALL_FLOWS: u64 = 0xF0;
const DELETIONS: u64 = 0x100;
/// A filter program of one step that every flow passes: field ZERO equals 0; then accept, else reject.
const EVERYTHING: [u8; 24] = {
    let mut step = [0; 24];
    (step[2], step[3], step[4], step[5]) = (0xFE, 0x7F, 0xFF, 0x7F);
    step
};

/// To shut down receiving.
const HOW_RECEIVE: u64 = 1;

/// How long a request may take that is served at once.
const SOON: Duration = Duration::from_secs(30);

/// Why a request did not do what was asked.
#[derive(Debug)]
pub enum Refused {
    /// The device cannot be opened.
    Open(OpenError),
    /// The driver says no: an NTSTATUS.
    Status(u32),
    /// The driver keeps a request that it should serve at once.
    Kept,
    /// The machine stopped.
    BugCheck(BugCheck),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => write!(f, "{error}"),
            Self::Status(status) => write!(f, "the driver answers {status:#010x}"),
            Self::Kept => write!(f, "the driver has not answered within {} s", SOON.as_secs()),
            Self::BugCheck(bug_check) => write!(f, "{bug_check}"),
        }
    }
}

impl std::error::Error for Refused {}

impl From<OpenError> for Refused {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<BugCheck> for Refused {
    fn from(bug_check: BugCheck) -> Self {
        Self::BugCheck(bug_check)
    }
}

/// A file of the driver's.
#[derive(Debug)]
#[must_use = "a file that nobody closes keeps its driver loaded"]
pub struct FlowLayer {
    machine: Machine,
    file: File,
}

impl FlowLayer {
    pub(super) fn new(machine: &Machine, file: File) -> Self {
        Self { machine: machine.clone(), file }
    }

    /// Says which layer, and exchanges versions with the driver.
    ///
    /// # Errors
    /// When the driver refuses or is of another version.
    pub fn initialize(&self) -> Result<(), Refused> {
        self.initialize_as(LAYER_FLOW, SNIFF_AND_RECEIVE_ONLY)
    }

    /// The same for any layer and flags.
    ///
    /// # Errors
    /// When the driver refuses or is of another version.
    pub fn initialize_as(&self, layer: u32, flags: u64) -> Result<(), Refused> {
        let mut version = MAGIC_OF_PROGRAMS.to_le_bytes().to_vec();
        version.extend(VERSION.iter().flat_map(|part| part.to_le_bytes()));
        version.resize(VERSION_SIZE, 0);
        let words = [u64::from(layer) | u64::from(PRIORITY) << 32, flags];
        let answer = self.control(INITIALIZE, words, &version)?;
        if answer.output.starts_with(&MAGIC_OF_THE_DRIVER.to_le_bytes()) { Ok(()) } else { Err(Refused::Status(0)) }
    }

    /// Starts to hear of flows.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn start(&self, deletions: bool) -> Result<(), Refused> {
        self.start_with(ALL_FLOWS | if deletions { DELETIONS } else { 0 }, &EVERYTHING)
    }

    /// The same with any flags and filter program.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn start_with(&self, flags: u64, filter: &[u8]) -> Result<(), Refused> {
        self.control(START, [flags, 0], filter).map(drop)
    }

    /// No further events; those that wait can still be received.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn shut_down(&self) -> Result<(), Refused> {
        self.control(SHUTDOWN, [HOW_RECEIVE, 0], &[]).map(drop)
    }

    /// Asks for up to `most` events, which may take until there is one.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn receive(&self, most: usize) -> Result<Receiving, BugCheck> {
        let (addresses, length) = (LentMemory::zeroed(most * SIZE), LentMemory::zeroed(8));
        length.set(0, (most * SIZE) as u64);
        let input: Vec<u8> = [addresses.address(), length.address()].into_iter().flat_map(u64::to_le_bytes).collect();
        let pending = self.file.control(RECEIVE, &input, &[])?;
        Ok(Receiving { pending, addresses, length, ended: false })
    }

    /// The events so far, once the driver's worker has sorted them.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn events(&self) -> Result<Vec<Event>, Refused> {
        const BATCH: usize = 255;
        let mut events = Vec::new();
        loop {
            self.machine.workers().wait_until_idle();
            let mut receiving = self.receive(BATCH)?;
            let Some(more) = receiving.events(Duration::ZERO)? else {
                receiving.cancel()?;
                return Ok(events);
            };
            events.extend(more);
        }
    }

    /// Sends a control request that the driver serves at once.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn control(&self, code: u32, input: [u64; 2], output: &[u8]) -> Result<Outcome, Refused> {
        let input: Vec<u8> = input.into_iter().flat_map(u64::to_le_bytes).collect();
        let outcome = self.file.control(code, &input, output)?.wait(SOON);
        match outcome {
            Some(outcome) if outcome.status == 0 => Ok(outcome),
            Some(outcome) => Err(Refused::Status(outcome.status)),
            None => Err(self.machine.referee().verdict().map_or(Refused::Kept, Refused::BugCheck)),
        }
    }

    /// Closes the file.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn close(self) -> Result<(), BugCheck> {
        self.file.close()
    }
}

/// A request for events. The driver writes to its memory until the request has ended.
#[derive(Debug)]
pub struct Receiving {
    pending: Pending,
    addresses: LentMemory,
    length: LentMemory,
    ended: bool,
}

impl Receiving {
    /// The events, if the request ends within `limit`.
    ///
    /// # Errors
    /// When the driver ends it without any.
    ///
    /// # Panics
    /// Never: the memory is this request's own.
    pub fn events(&mut self, limit: Duration) -> Result<Option<Vec<Event>>, Refused> {
        let Some(outcome) = self.pending.wait(limit) else { return Ok(None) };
        self.ended = true;
        if outcome.status != 0 {
            return Err(Refused::Status(outcome.status));
        }
        let count = self.length.get::<u32>(0) as usize / SIZE;
        let written = memory::read_bytes(self.addresses.address(), count * SIZE).expect("memory of our own");
        let (addresses, _) = written.as_chunks::<SIZE>();
        Ok(Some(addresses.iter().map(Event::read).collect()))
    }

    /// Cancels the request, as `CancelIoEx` does; false when it has ended.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn cancel(&self) -> Result<bool, BugCheck> {
        self.pending.cancel()
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if !self.ended {
            // The memory goes now: the driver must not write there any more.
            let _ = self.pending.cancel();
        }
    }
}
