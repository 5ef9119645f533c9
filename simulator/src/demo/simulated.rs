//! The driver on the simulated machine.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use anyhow::Result;

use super::{
    driver::{Driver, Line},
    keys::StartKey,
    verdict::Remains,
};
use crate::{
    BugCheck, Machine, Options,
    etw::{Event, Session, SessionId},
    image::LoadError,
    kernel::{processes, registry::Value, time::ClockKind},
    service::{Config, ServiceError},
    traffic::{
        event::{Direction, Flow, Packet, Process},
        pump::Sink,
    },
    wfp::traffic as engine,
    windows,
};

/// The service's name.
const SERVICE: &str = "flowtag";
/// Where Windows keeps which debug lines are shown.
const DEBUG_PRINT_FILTER: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Debug Print Filter";

/// A machine for the driver.
pub struct Simulated {
    machine: Machine,
    image: PathBuf,
    lines: Arc<Mutex<Vec<Line>>>,
    processes: Mutex<Processes>,
}

/// The processes that the machine was told of.
#[derive(Default)]
struct Processes {
    running: HashMap<u32, processes::Process>,
    keys: Vec<StartKey>,
}

impl Simulated {
    /// A machine that has just booted and has the driver's file. The driver is not loaded yet.
    ///
    /// # Errors
    /// The file is not a driver that the simulator can load.
    pub fn new(image: &Path) -> Result<Self, LoadError> {
        // What is wrong with the file is said before any program is started.
        drop(windows::load_image(image)?);
        let machine = Machine::new(Options { clock: ClockKind::Real, ..Options::default() });
        // Errors are always shown; the lines about flows only to those who ask for them.
        machine.registry().set(DEBUG_PRINT_FILTER, "IHVNETWORK", Value::Dword(0xf));
        machine.debug_print().read_filter(machine.registry());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let shown = Arc::clone(&lines);
        machine.debug_print().on_line(move |line| {
            if line.shown {
                let text = line.text.trim_end().to_owned();
                shown.lock().unwrap().push(Line { time: line.time, text });
            }
        });
        Ok(Self { machine, image: image.to_owned(), lines, processes: Mutex::default() })
    }

    /// The machine itself.
    #[must_use]
    pub const fn machine(&self) -> &Machine {
        &self.machine
    }
}

impl Sink for Simulated {
    type Handle = engine::FlowHandle;
    type Error = BugCheck;

    fn begin(&self, process: &Process) -> Result<(), BugCheck> {
        let pid = u64::from(process.pid);
        if self.machine.processes().has(pid) {
            // One of Windows' own has this id. No Linux has given it to a program, but a recording can have anything.
            return Ok(());
        }
        let begun = self.machine.start_process(&processes::ProcessSpec {
            pid: Some(pid),
            parent: process.parent.into(),
            created: Some(process.created),
            image: process.path.as_deref().map(|path| format!("\\Device\\HarddiskVolume1{}", path.replace('/', "\\"))),
            ..processes::ProcessSpec::default()
        })?;
        let mut known = self.processes.lock().unwrap();
        known.keys.push(StartKey { pid: process.pid, created: process.created, key: begun.key });
        known.running.insert(process.pid, begun);
        Ok(())
    }

    fn exit(&self, pid: u32) -> Result<(), BugCheck> {
        let exits = self.processes.lock().unwrap().running.remove(&pid);
        exits.map_or(Ok(()), |process| self.machine.exit_process(process, 0))
    }

    fn open(&self, flow: &Flow, arrived: Option<Packet>) -> Result<Self::Handle, BugCheck> {
        let spec = engine::FlowSpec {
            pid: flow.pid.map(u64::from),
            path: flow.path.as_deref().map(device_path),
            owner: engine::Owner::default(),
            direction: direction(flow.direction),
            protocol: flow.protocol,
            local: flow.local,
            remote: flow.remote,
        };
        match arrived {
            Some(packet) => self.machine.accept_flow(&spec, &buffers(packet)),
            None => self.machine.open_flow(&spec),
        }
    }

    fn packet(&self, handle: Self::Handle, way: Direction, packet: Packet) -> Result<(), BugCheck> {
        self.machine.transport(handle, direction(way), &buffers(packet)).map(drop)
    }

    fn close(&self, handle: Self::Handle) -> Result<(), BugCheck> {
        self.machine.close_flow(handle)
    }
}

impl Driver for Simulated {
    type Session = SessionId;

    fn happens_at(&self, time: Option<u64>) {
        match time {
            Some(time) => self.machine.clock().hold(time),
            None => self.machine.clock().go_on(),
        }
    }

    fn start(&self) -> Result<()> {
        let binary_path = self.image.to_string_lossy().into_owned();
        self.machine
            .create_service(SERVICE, Config { binary_path, ..Config::default() })
            .map_err(ServiceError::Win32)?;
        self.machine.start_service(SERVICE)?;
        Ok(())
    }

    fn stop(&self) -> Result<()> {
        self.machine.stop_service(SERVICE)?;
        self.machine.delete_service(SERVICE).map_err(ServiceError::Win32)?;
        Ok(())
    }

    fn lines(&self, from: usize) -> Vec<Line> {
        self.lines.lock().unwrap()[from..].to_vec()
    }

    fn start_keys(&self) -> Vec<StartKey> {
        self.processes.lock().unwrap().keys.clone()
    }

    fn listen(&self, level: u8) -> Result<SessionId> {
        // Nobody reads before the run is over: there is room for what a long one writes.
        const BUFFERS: u32 = 1 << 16;
        Ok(self.machine.start_session(Session { level, buffers: BUFFERS, ..Session::default() })?)
    }

    fn capture_state(&self, session: SessionId) -> Result<()> {
        Ok(self.machine.capture_state(session)?)
    }

    fn events(&self, session: SessionId) -> Vec<Event> {
        self.machine.etw().events(session)
    }

    fn events_lost(&self, session: SessionId) -> u64 {
        self.machine.etw().lost(session)
    }

    fn remains(&self) -> Remains {
        // What a machine that has stopped still holds is not left behind; where the simulator lacks something, why it was given
        // up says so.
        match self.machine.referee().verdict() {
            Some(verdict) => Remains { contexts: 0, pool_blocks: 0, bug_checks: u64::from(!verdict.is_not_modelled()) },
            None => Remains {
                contexts: self.machine.wfp().contexts(),
                pool_blocks: self.machine.pool().live_count() as u64,
                bug_checks: 0,
            },
        }
    }
}

fn direction(direction: Direction) -> engine::Direction {
    match direction {
        Direction::Outbound => engine::Direction::Outbound,
        Direction::Inbound => engine::Direction::Inbound,
    }
}

fn buffers(packet: Packet) -> engine::Packet {
    engine::Packet { payloads: vec![packet.payload], transport_header: packet.header }
}

/// A Linux path as Windows would give it: lower case, on the first disk, in UTF-16LE with a terminating zero.
fn device_path(path: &str) -> Vec<u8> {
    let path = format!("\\device\\harddiskvolume1{}\0", path.replace('/', "\\").to_lowercase());
    path.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_device_path_with_its_terminating_zero() {
        let utf16: Vec<u16> =
            device_path("/usr/bin/Curl").chunks(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();

        assert_eq!(String::from_utf16(&utf16).unwrap(), "\\device\\harddiskvolume1\\usr\\bin\\curl\0");
    }

    #[test]
    fn a_file_that_is_no_driver_is_refused_at_once() {
        assert!(Simulated::new(Path::new("/dev/null")).is_err());
    }
}
