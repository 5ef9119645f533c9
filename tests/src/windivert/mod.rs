//! WinDivert64.sys, a driver that nobody here wrote, in the simulator.
//!
//! It diverts packets to programs: version 2.2, by basil (reqrypt.org), under LGPL 3 or GPL 2, as `PyPI` has it in the
//! package pydivert.
//! It is fetched when a check needs it, held against a hash, and never part of this repository. What is known here of its
//! interface are numbers: control codes, layouts and flags.

mod event;
mod fetch;
mod flow_layer;

use std::path::Path;

use flowtag_simulator::{
    Machine, Options,
    io::OpenError,
    service::{Config, ServiceError, State},
};

pub use event::{Event, Kind};
pub use fetch::{Unavailable, image};
pub use flow_layer::{FlowLayer, Refused};

/// The name of the service, and of the driver's device.
pub const NAME: &str = "WinDivert";
/// The pool tag of all its blocks.
pub const TAG: u32 = u32::from_le_bytes(*b"WDiv");
/// The process that has its files open.
pub const PROCESS: u64 = 1234;

/// A machine on which the driver runs.
#[derive(Debug)]
pub struct WinDivert {
    /// The machine.
    pub machine: Machine,
}

impl WinDivert {
    /// The service is created and not started.
    ///
    /// # Panics
    /// When it cannot be created, on a machine that has nothing yet.
    #[must_use]
    pub fn installed(image: &Path, options: Options) -> Self {
        let machine = Machine::new(options);
        let config = Config { binary_path: image.display().to_string(), ..Config::default() };
        machine.create_service(NAME, config).expect("the first service of a new machine");
        Self { machine }
    }

    /// The driver runs.
    ///
    /// # Errors
    /// What `sc start` says.
    pub fn started(image: &Path, options: Options) -> Result<Self, ServiceError> {
        let rig = Self::installed(image, options);
        rig.machine.start_service(NAME)?;
        Ok(rig)
    }

    /// Opens a file of the driver's device. Nothing is asked of it yet.
    ///
    /// # Errors
    /// When the system or the driver refuses, or the machine stops.
    pub fn open(&self) -> Result<FlowLayer, OpenError> {
        self.machine.open_file(r"\\.\WinDivert", PROCESS).map(|file| FlowLayer::new(&self.machine, file))
    }

    /// Opens a file and has it hear of all flows: when they are established and, with `deletions`, when they end.
    ///
    /// # Errors
    /// When the system or the driver refuses, or the machine stops.
    pub fn open_flow_layer(&self, deletions: bool) -> Result<FlowLayer, Refused> {
        let layer = self.open()?;
        layer.initialize()?;
        layer.start(deletions)?;
        Ok(layer)
    }

    /// Waits until the driver's work items have run: its last reference to a closed file goes in one of them.
    pub fn settle(&self) {
        self.machine.workers().wait_until_idle();
    }

    /// Stops the service.
    ///
    /// # Errors
    /// What `sc stop` says.
    pub fn stop(&self) -> Result<State, ServiceError> {
        self.machine.stop_service(NAME).map(|status| status.state)
    }

    /// What the driver has left in the machine, in words: nothing when it is stopped. A machine that has died says why, and no
    /// more: what it still holds is nobody's fault.
    #[must_use]
    pub fn left_behind(&self) -> Vec<String> {
        let (machine, wfp) = (&self.machine, self.machine.wfp());
        if let Some(verdict) = machine.referee().verdict() {
            return vec![verdict.to_string()];
        }
        let counts = [
            ("pool blocks", machine.pool().live_count()),
            ("contexts", usize::try_from(wfp.contexts()).unwrap_or(usize::MAX)),
            ("callouts", wfp.callouts()),
            ("objects of the filtering engine", wfp.managed_objects()),
            ("sessions", wfp.sessions()),
            ("injection handles", wfp.injection_handles()),
            ("pools of network buffers", machine.ndis().pools()),
            ("framework objects", machine.kmdf().object_count()),
        ];
        counts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{count} {what}")).collect()
    }
}
