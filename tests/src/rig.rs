//! A machine with the driver in it, and shorthands for what scenarios and checks do to it.

#![expect(clippy::missing_panics_doc, reason = "a panic is how a rig says that a test failed")]
#![expect(clippy::must_use_candidate, reason = "many a test only wants the flow to be there")]

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::atomic::{AtomicU16, Ordering},
};

use flowtag_simulator::{
    Machine, Options,
    etw::{Event, Session, SessionId},
    kernel::registry::Value,
    service::{Config, ServiceError, State},
    wfp::{Direction, ExistingContext, FlowHandle, FlowSpec, Owner, Packet, SecondContext, Switches},
    windows::Release,
};

/// The protocol number of TCP.
pub const TCP: u8 = 6;
/// The protocol number of UDP.
pub const UDP: u8 = 17;
/// The protocol number of ICMP.
pub const ICMP: u8 = 1;
/// The protocol number of `ICMPv6`.
pub const ICMPV6: u8 = 58;

/// The name of the service.
pub const SERVICE: &str = "flowtag";

/// The id of the provider `flowtag`, {d8e20169-7792-5d9c-6d0d-03a6ce9a1af2}, as it lies in memory.
pub const PROVIDER: u128 = u128::from_le_bytes([
    0x69, 0x01, 0xe2, 0xd8, 0x92, 0x77, 0x9c, 0x5d, 0x6d, 0x0d, 0x03, 0xa6, 0xce, 0x9a, 0x1a, 0xf2,
]);

/// The image under test.
pub fn image() -> PathBuf {
    std::env::var_os("FLOWTAG_SYS").expect("FLOWTAG_SYS names flowtag.sys: run `cargo xtask test`").into()
}

/// What happens where a flow has a context already. The referee reports it, since the driver is to know what it has tagged;
/// or, with `FLOWTAG_EXISTING_CONTEXT=folded`, Windows gives the answer that is not documented, and what comes of that
/// shows by itself.
fn existing_context() -> (ExistingContext, SecondContext) {
    match std::env::var("FLOWTAG_EXISTING_CONTEXT").as_deref() {
        Err(_) => (ExistingContext::NameExists, SecondContext::Reported),
        Ok("folded") => (ExistingContext::Folded, SecondContext::Answered),
        Ok(other) => panic!("FLOWTAG_EXISTING_CONTEXT={other}: only `folded` is known"),
    }
}

/// Which Windows the machine runs: 2004, or with `FLOWTAG_WINDOWS=11` a newer one.
fn release() -> Release {
    match std::env::var("FLOWTAG_WINDOWS").as_deref() {
        Err(_) => Release::WINDOWS_10_2004,
        Ok("11") => Release::WINDOWS_11_21H2,
        Ok(other) => panic!("FLOWTAG_WINDOWS={other}: only `11` is known"),
    }
}

/// A machine on which the service exists.
pub struct Rig {
    /// The machine.
    pub machine: Machine,
}

impl Rig {
    /// The service is created, with these settings, and not started.
    pub fn installed(settings: &[(&str, u32)]) -> Self {
        Self::with_options(Options::default(), settings)
    }

    /// The same on a machine with these options.
    pub fn with_options(options: Options, settings: &[(&str, u32)]) -> Self {
        let machine = Machine::new(Options { release: release(), ..options });
        // The driver writes no lines that nobody sees.
        machine.debug_print().show_everything();
        let config = Config { binary_path: image().display().to_string(), ..Config::default() };
        machine.create_service(SERVICE, config).unwrap();
        for &(name, value) in settings {
            machine.registry().set_parameter(SERVICE, name, Value::Dword(value));
        }
        let existing = existing_context();
        machine.wfp().set(|switches| (switches.existing_context, switches.second_context) = existing);
        Self { machine }
    }

    /// The driver runs, tracing opens and closes.
    pub fn started() -> Self {
        Self::with_settings(&[("TraceLevel", 1)])
    }

    /// The driver runs with these settings.
    pub fn with_settings(settings: &[(&str, u32)]) -> Self {
        let rig = Self::installed(settings);
        rig.start().unwrap();
        rig
    }

    /// The driver runs, with room for as few flows as it can be told (16).
    pub fn with_small_ring() -> Self {
        Self::with_settings(&[("TraceLevel", 1), ("MaxFlows", 16)])
    }

    /// Starts the service.
    ///
    /// # Errors
    /// What `sc start` says.
    pub fn start(&self) -> Result<(), ServiceError> {
        self.machine.start_service(SERVICE).map(drop)
    }

    /// Stops the driver, which must leave nothing behind.
    pub fn stop(&self) {
        self.machine.stop_service(SERVICE).unwrap();
        self.assert_clean();
    }

    /// Nothing of the driver is left in the machine.
    pub fn assert_clean(&self) {
        let wfp = self.machine.wfp();
        assert_eq!(self.machine.referee().verdict().map(|bug_check| bug_check.to_string()), None);
        assert_eq!(wfp.contexts(), 0, "contexts");
        assert_eq!(wfp.callouts(), 0, "callouts");
        assert_eq!(wfp.filters(), 0, "filters");
        assert_eq!(wfp.managed_objects(), 0, "objects in the filter engine");
        assert_eq!(wfp.sessions(), 0, "sessions");
        let processes = self.machine.processes();
        assert_eq!(processes.routines(), 0, "process notify routines");
        assert_eq!((processes.references(), processes.handles()), (0, 0), "references to processes, and handles");
        assert_eq!(self.machine.etw().registrations(), 0, "providers of events");
        assert_eq!(self.machine.pool().live_count(), 0, "pool blocks: {:?}", self.machine.pool().live_blocks());
        assert_eq!(self.machine.query_service(SERVICE).unwrap().state, State::Stopped);
    }

    /// Changes how the filtering platform behaves.
    pub fn set(&self, change: impl FnOnce(&mut Switches)) {
        self.machine.wfp().set(change);
    }

    /// Opens a flow; no bug check may happen.
    pub fn open(&self, spec: &FlowSpec) -> FlowHandle {
        self.machine.open_flow(spec).unwrap()
    }

    /// Ends a flow; no bug check may happen.
    pub fn close(&self, flow: FlowHandle) {
        self.machine.close_flow(flow).unwrap();
    }

    /// Sends a TCP segment with this payload.
    pub fn send(&self, flow: FlowHandle, payload: u32) {
        self.machine.transport(flow, Direction::Outbound, &Packet::new(TCP, payload)).unwrap();
    }

    /// Receives a TCP segment with this payload.
    pub fn receive(&self, flow: FlowHandle, payload: u32) {
        self.machine.transport(flow, Direction::Inbound, &Packet::new(TCP, payload)).unwrap();
    }

    /// The driver's trace lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.machine.debug_print().lines().into_iter().map(|line| line.text.trim_end().to_owned()).collect()
    }

    /// The driver's lines of one kind, such as `open`.
    pub fn lines_of(&self, event: &str) -> Vec<String> {
        let start = format!("flowtag: {event} ");
        self.lines().into_iter().filter(|line| line.starts_with(&start)).collect()
    }

    /// The only line of one kind about a flow.
    pub fn line(&self, event: &str, flow: FlowHandle) -> String {
        let start = format!("flowtag: {event} flow={:#x} ", flow.0);
        let mut lines: Vec<_> = self.lines().into_iter().filter(|line| line.starts_with(&start)).collect();
        assert_eq!(lines.len(), 1, "lines `{start}…` in:\n{}", self.lines().join("\n"));
        lines.remove(0)
    }

    /// The totals of the last unload.
    pub fn totals(&self) -> HashMap<String, u64> {
        let lines = self.lines_of("totals");
        let last = lines.last().expect("a totals line");
        last.split(' ').filter_map(|field| field.split_once('=')).map(|(k, v)| (k.into(), v.parse().unwrap())).collect()
    }

    /// One of the totals of the last unload.
    pub fn total(&self, name: &str) -> u64 {
        self.totals()[name]
    }

    /// Starts a session that wants events of the driver up to this level and with these keywords.
    pub fn listen(&self, level: u8, keywords: u64) -> SessionId {
        self.machine.start_session(Session::of(PROVIDER, level, keywords)).unwrap()
    }

    /// The events that a session has got since last time.
    pub fn events(&self, session: SessionId) -> Vec<Event> {
        self.machine.etw().events(session)
    }

    /// Makes the `nth` next call of an import fail.
    pub fn fail(&self, import: &str, nth: u64, status: Option<u32>) {
        self.machine.faults().fail(import, nth, status);
    }
}

/// A flow of which a session has heard anything after its close, and that event. Where handles are used again, of the last flow
/// that had the handle.
pub fn told_of_after_its_end(events: &[Event]) -> Option<(u64, String)> {
    let of_flows = events.iter().filter_map(|event| Some((event.find("FlowHandle")?.number()?, event.name())));
    let last: BTreeMap<u64, &str> = of_flows.collect();
    last.into_iter().find(|&(_, name)| name != "FlowClose").map(|(flow, name)| (flow, name.to_owned()))
}

/// The value of a field of a trace line.
pub fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let value = line.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no field {name} in: {line}"))
}

/// A path as WFP gives it: UTF-16LE with its NUL.
pub fn path_blob(path: &str) -> Vec<u8> {
    path.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// An outbound TCP flow of pid 4242, each with another local port.
pub fn outbound() -> FlowSpec {
    static PORT: AtomicU16 = AtomicU16::new(10_000);
    let port = PORT.fetch_add(1, Ordering::Relaxed);
    FlowSpec {
        pid: Some(4242),
        path: Some(path_blob(r"\device\harddiskvolume3\windows\curl.exe")),
        owner: Owner::default(),
        direction: Direction::Outbound,
        protocol: TCP,
        local: endpoint("10.0.0.5", port),
        remote: endpoint("93.184.216.34", 443),
    }
}

/// An inbound TCP flow.
pub fn inbound() -> FlowSpec {
    FlowSpec { direction: Direction::Inbound, ..outbound() }
}

/// The same flow over IPv6.
pub fn over_v6(spec: FlowSpec) -> FlowSpec {
    let local = endpoint("fe80::2", spec.local.port());
    let remote = endpoint("2001:db8::1", spec.remote.port());
    FlowSpec { local, remote, ..spec }
}

/// An address with a port.
pub fn endpoint(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse::<IpAddr>().unwrap(), port)
}
