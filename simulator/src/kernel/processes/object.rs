//! What a process is: an object that is counted, and what Windows knows of it.

/// How a process is made.
#[derive(Clone, Debug, Default)]
pub struct ProcessSpec {
    /// Its id; without one, the lowest that is free.
    pub pid: Option<u64>,
    /// The id of its parent.
    pub parent: u64,
    /// When it was created, in units of 100 ns since 1601, UTC; without it, now.
    pub created: Option<u64>,
    /// The path of its image as Windows spells it, with the device's name; `None` for one that has none.
    pub image: Option<String>,
    /// What it is a process of.
    pub kind: ProcessKind,
    /// Another program has a handle of it, so that it stays when it has exited: see [`super::Processes::let_go`].
    pub held: bool,
}

impl ProcessSpec {
    /// A program with the image at this path, started by the System process.
    #[must_use]
    pub fn program(image: &str) -> Self {
        Self { parent: super::SYSTEM, image: Some(image.to_owned()), ..Self::default() }
    }
}

/// What a process is a process of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessKind {
    /// Windows programs.
    #[default]
    Win32,
    /// Another subsystem, as the first one for Linux: what its creation is told with may be NULL (DDI `PS_CREATE_NOTIFY_INFO`).
    Subsystem,
    /// It never has a thread: its creation is not told, its end is (DDI `PsSetCreateProcessNotifyRoutineEx2`).
    Threadless,
}

/// A process that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    pub(super) number: u64,
    /// Its id.
    pub pid: u64,
    /// Its start key.
    pub key: u64,
    /// When it was created, in units of 100 ns since 1601, UTC.
    pub created: u64,
}

/// `STATUS_PENDING`: the exit status of a process that runs.
const RUNNING: u32 = 0x103;

/// A process object.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) process: Process,
    pub(super) parent: u64,
    pub(super) image: Option<String>,
    pub(super) exit_status: u32,
    /// Its last thread has gone, and everybody has been told.
    pub(super) exited: bool,
    /// References that the driver holds.
    pub(super) references: i64,
    /// Handles that the driver has opened.
    pub(super) handles: u64,
    /// What else keeps it: another program's handle, a notification that runs.
    pub(super) others: u64,
}

impl Object {
    pub(super) fn new(process: Process, spec: &ProcessSpec) -> Self {
        Self {
            process,
            parent: spec.parent,
            image: spec.image.clone(),
            exit_status: RUNNING,
            exited: false,
            references: 0,
            handles: 0,
            others: u64::from(spec.held),
        }
    }

    /// Whether nothing keeps it.
    pub(super) fn is_gone(&self) -> bool {
        self.exited && self.references == 0 && self.handles == 0 && self.others == 0
    }
}
