//! A driver that is measured, loaded into a machine of its own.

use std::{
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};
use flowtag_simulator::{
    Machine, Options,
    computer::Irql,
    etw::{Session, SessionId},
    kernel::{pool::PoolKind, processes::ProcessSpec, registry::Value},
    referee::Watch,
    service::Config,
    wfp::{Direction, FlowHandle, FlowSpec, IrqlChoice, Owner},
};
use flowtag_tests::{
    rig::{PROVIDER, path_blob},
    settings::TRACE_LEVEL,
    windivert::{self, FlowLayer, Unavailable, WinDivert},
};

const TCP: u8 = 6;

/// A typical path, and a long one. Whose flows have them runs on every machine.
pub const PATHS: [usize; 2] = [60, 260];

/// A running driver.
pub struct Subject {
    /// The machine it runs in.
    pub machine: Machine,
    service: String,
    /// `WinDivert`'s: where its events are read.
    events: Option<FlowLayer>,
    /// Who listens to flowtag's events.
    session: Option<SessionId>,
}

impl Subject {
    /// flowtag, tracing at `level`, with room for `flows`.
    pub fn flowtag(level: u32, flows: u32) -> Result<Self> {
        let image = env::var_os("FLOWTAG_SYS").context("FLOWTAG_SYS names flowtag.sys: run `cargo xtask bench`")?;
        Self::start("flowtag", image.as_ref(), &[("TraceLevel", level), ("MaxFlows", flows)])
    }

    /// flowtag at its default settings, but for its room for `flows`. Nobody sees its lines, as on every Windows where nobody
    /// has changed the Debug Print Filter.
    pub fn unheard(flows: u32) -> Result<Self> {
        let subject = Self::flowtag(TRACE_LEVEL.default, flows)?;
        subject.machine.debug_print().read_filter(subject.machine.registry());
        Ok(subject)
    }

    /// The same, and a session wants the events about flows.
    pub fn with_session(flows: u32) -> Result<Self> {
        let mut subject = Self::unheard(flows)?;
        subject.listen()?;
        Ok(subject)
    }

    /// A session wants the events about flows from now on.
    pub fn listen(&mut self) -> Result<SessionId> {
        const INFORMATION: u8 = 4;
        const FLOWS: u64 = 1;
        let session = self.machine.start_session(Session::of(PROVIDER, INFORMATION, FLOWS))?;
        self.session = Some(session);
        Ok(session)
    }

    /// One of the drivers in bench/fixtures.
    pub fn fixture(name: &str) -> Result<Self> {
        let folder = env::var_os("FLOWTAG_BENCH_FIXTURES");
        let folder = folder.context("FLOWTAG_BENCH_FIXTURES names a folder: run `cargo xtask bench`")?;
        Self::start(name, &PathBuf::from(folder).join(name).with_extension("dll"), &[])
    }

    fn start(service: &str, image: &Path, settings: &[(&str, u32)]) -> Result<Self> {
        let machine = Machine::new(options());
        // Lines that nobody sees cost nothing.
        machine.debug_print().show_everything();
        call_at_passive_level(&machine);
        let config = Config { binary_path: image.display().to_string(), ..Config::default() };
        machine.create_service(service, config).map_err(|error| anyhow!("create the service: {error}"))?;
        for &(name, value) in settings {
            machine.registry().set_parameter(service, name, Value::Dword(value));
        }
        machine.start_service(service).with_context(|| format!("start {}", image.display()))?;
        for length in PATHS {
            machine.start_process(&ProcessSpec { pid: Some(owner(length)), ..ProcessSpec::program(&path(length)) })?;
        }
        Ok(Self { machine, service: service.to_owned(), events: None, session: None })
    }

    /// `WinDivert64.sys`, telling of the flows that are established and deleted. [`None`] when it is not to be had.
    pub fn windivert() -> Result<Option<Self>> {
        let image = match windivert::image() {
            Ok(image) => image,
            Err(Unavailable::Missing(what)) => {
                eprintln!("WinDivert64.sys is not measured. {what}");
                return Ok(None);
            }
            Err(wrong @ Unavailable::Wrong(_)) => return Err(wrong.into()),
        };
        let driver = WinDivert::started(&image, options()).context("start WinDivert64.sys")?;
        call_at_passive_level(&driver.machine);
        let events = driver.open_flow_layer(true).context("open WinDivert's FLOW layer")?;
        let service = windivert::NAME.to_owned();
        Ok(Some(Self { machine: driver.machine, service, events: Some(events), session: None }))
    }

    /// Takes away what flows have left behind for others to read: trace lines and events.
    pub fn tidy_up(&self) -> Result<()> {
        drop(self.machine.debug_print().take_lines());
        if let Some(events) = &self.events {
            events.events().context("read WinDivert's events")?;
        }
        if let Some(session) = self.session {
            drop(self.machine.etw().events(session));
        }
        Ok(())
    }

    /// Opens a flow.
    pub fn open(&self, spec: &FlowSpec) -> Result<FlowHandle> {
        Ok(self.machine.open_flow(spec)?)
    }

    /// Opens this many flows whose process has a path of so many characters; none for 0.
    pub fn open_many(&self, count: u32, path_length: usize) -> Result<Vec<FlowHandle>> {
        let spec = flow(path_length);
        let opened = self.machine.run(|_| (0..count).map(|_| self.machine.open_flow(&spec)).collect::<Result<_, _>>());
        Ok(opened??)
    }

    /// A whole life of a flow.
    pub fn live(&self, spec: &FlowSpec) -> Result<()> {
        let flow = self.machine.open_flow(spec)?;
        Ok(self.machine.close_flow(flow)?)
    }

    /// Unloads the driver.
    pub fn stop(&self) -> Result<()> {
        self.machine.stop_service(&self.service).context("stop the service")?;
        Ok(())
    }
}

fn options() -> Options {
    Options { pool: PoolKind::Plain, watch: Watch::Loosely, ..Options::default() }
}

/// The IRQL that costs a driver most: it raises for itself.
fn call_at_passive_level(machine: &Machine) {
    machine.wfp().set(|switches| switches.irql = IrqlChoice::Fixed(Irql::PASSIVE));
}

/// A path of so many characters.
pub fn path(length: usize) -> String {
    r"\device\harddiskvolume3\".chars().chain(('a'..='z').cycle()).take(length).collect()
}

/// The id of the process with a path of so many characters.
const fn owner(path_length: usize) -> u64 {
    4_000 + 4 * path_length as u64
}

/// An outbound TCP flow over IPv4 whose process has a path of so many characters; none for 0. The driver knows the process if the
/// length is one of [`PATHS`].
pub fn flow(path_length: usize) -> FlowSpec {
    FlowSpec {
        pid: Some(owner(path_length)),
        path: (path_length > 0).then(|| path_blob(&path(path_length))),
        owner: Owner::default(),
        direction: Direction::Outbound,
        protocol: TCP,
        local: SocketAddr::from(([10, 0, 0, 5], 50123)),
        remote: SocketAddr::from(([93, 184, 216, 34], 443)),
    }
}
