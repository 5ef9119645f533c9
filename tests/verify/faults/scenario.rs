//! Four lives of the driver with everything in them, on one CPU: the same calls in every run, until one of them fails.
//!
//! Whatever fails, the driver must end each life with nothing left behind, all traffic is permitted, and it goes on with
//! its work: it starts when it is asked once more, and it tags flows after the fault.

use std::net::SocketAddr;

use flowtag_simulator::{
    Options,
    computer::call_stack::CallStack,
    kernel::{
        processes::{Process, ProcessKind, ProcessSpec},
        registry::Value,
    },
    service::ServiceError,
    wfp::{
        Direction, DyingFlow, FlowHandle, FlowSpec, HandleReuse, IrqlChoice, Owner, Packet, PathMemory, PendingAnswer,
        Removal, Switches, Verdict, WriteRight, layer::Field, status,
    },
};
use flowtag_tests::rig::{ICMP, Rig, SERVICE, TCP, UDP, endpoint, field, path_blob};
use serde::{Deserialize, Serialize};

use super::fault::Fault;

/// Small, so that it overflows.
const MAX_FLOWS: u32 = 32;
/// The image of the process that has the flows, and of those that come and go.
const IMAGE: &str = r"\Device\HarddiskVolume3\Windows\System32\curl.exe";
/// The id of the process that has the flows.
const OWNER: u64 = 4242;
/// Process ids of the flows that show that the driver still works: from here on, one for each life.
const PROBES: u64 = 1_000_000;

/// What a run has seen, when nothing was wrong.
#[derive(Serialize, Deserialize)]
pub struct Seen {
    /// The places that called imports that can fail, and how often.
    pub stacks: Vec<(CallStack, u64)>,
    /// How many of the planned faults have struck.
    pub struck: usize,
}

/// Runs the scenario with these faults.
///
/// # Panics
/// When something is wrong: the message says what.
pub fn run(faults: &[Fault], seed: u64) -> Seen {
    let options = Options { seed, ..Options::default() };
    let rig = Rig::with_options(options, &[("TraceLevel", 3), ("MaxFlows", MAX_FLOWS)]);
    let planned: Vec<_> = faults.iter().map(|fault| fault.at).collect();
    rig.machine.faults().watch_stacks(&planned);
    let session_may_stay = faults.iter().any(|fault| fault.import == "FwpmEngineClose0");
    let leaves = |import: &str| import.starts_with("FwpmTransaction") || import.ends_with("DeleteByKey0");
    let objects_may_stay = faults.iter().any(|fault| leaves(fault.import));
    let mut scenario = Scenario {
        rig,
        faults: faults.len(),
        session_may_stay,
        objects_may_stay,
        flows: Vec::new(),
        owner: None,
        opened: 0,
        lives: 0,
    };
    scenario.change_owner();
    scenario.older_flows();
    scenario.start_that_fails();
    scenario.waiting_life();
    scenario.documented_life();
    scenario.hostile_life();
    scenario.last_life();
    let faults = scenario.rig.machine.faults();
    Seen { stacks: faults.stacks_seen(), struck: faults.struck().len() }
}

struct Scenario {
    rig: Rig,
    /// How many calls may fail.
    faults: usize,
    /// A session that cannot be closed stays until the filter engine is started again.
    session_may_stay: bool,
    /// So does what Windows says is in use, is not there, or is of a session that is over.
    objects_may_stay: bool,
    /// Live flows, the oldest first.
    flows: Vec<(FlowHandle, u8)>,
    /// The process that has the flows: in each life of the driver another one.
    owner: Option<Process>,
    opened: u16,
    lives: u64,
}

/// The scenario's parts, in their order.
impl Scenario {
    /// Flows that are older than the driver.
    fn older_flows(&mut self) {
        self.open_each_kind();
    }

    /// What starting meets on a machine where it cannot end well.
    fn start_that_fails(&mut self) {
        self.rig.set(|switches| switches.commit_error = Some(status::FWP_TIMEOUT));
        self.rig.start().expect_err("the commit fails");
        self.assert_gone();
        self.rig.set(|switches| switches.commit_error = None);
    }

    /// It is started before the filter engine is, which then stops and starts once more.
    fn waiting_life(&mut self) {
        self.rig.machine.stop_bfe().unwrap();
        // Without a subscription there is nothing to wait for.
        let waits = self.rig.start().is_ok();
        self.rig.machine.start_bfe().unwrap();
        if !waits {
            self.assert_gone();
            self.start();
        }
        self.restart_engine();
        self.processes_come_and_go();
        self.open_each_kind();
        self.exchange_packets();
        self.probe();
        self.stop();
    }

    /// Windows does as documented; it is an older one, without the newer offload flags. A session wants all events.
    fn documented_life(&mut self) {
        self.rig.set(|switches| switches.known_callout_flags = 0x1 | 0x2 | 0x40);
        let session = self.rig.listen(0, 0);
        self.start();
        self.exchange_packets(); // reauthorizes the older flows
        for _ in 0..6 {
            self.open_each_kind();
            self.exchange_packets();
        }
        self.rig.machine.capture_state(session).unwrap();
        self.reauthorize_all(); // with the ring full
        self.close_every_second();
        self.reauthorize_all();
        for dying in [DyingFlow::Refuse, DyingFlow::RefuseByChance, DyingFlow::DeleteLater, DyingFlow::DeleteInline] {
            self.rig.set(|switches| switches.dying_flow = dying);
            for ends_after in [1, 2] {
                self.flows_that_end_during_authorization(ends_after);
            }
        }
        self.idle_out();
        self.processes_come_and_go();
        self.packets_without_flow();
        self.open_each_kind();
        self.probe();
        self.stop();
        self.rig.machine.stop_session(session).unwrap();
        drop(self.rig.events(session));
    }

    /// Windows does what it may do at its worst.
    fn hostile_life(&mut self) {
        self.rig.machine.registry().set_parameter("flowtag", "TraceLevel", Value::Dword(99));
        self.rig.set(|switches| {
            switches.known_callout_flags = u32::MAX;
            switches.irql = IrqlChoice::Random;
            switches.removal = Removal::PendingByChance;
            switches.pending_answer = PendingAnswer::Folded;
            switches.handle_reuse = HandleReuse::AtOnce;
            switches.busy_answers = 2;
            switches.write_right = WriteRight::ByChance;
            switches.process_path = PathMemory::Paged;
            switches.empty_on_reauthorization = vec![Field::LocalPort, Field::RemotePort];
        });
        self.start();
        self.exchange_packets();
        for _ in 0..3 {
            self.open_each_kind();
            self.close_every_second();
        }
        self.rig.set(|switches| {
            switches.removal_error = Some(status::UNSUCCESSFUL);
            switches.process_path = PathMemory::NonPaged; // paging out is dear
        });
        self.open_each_kind();
        self.open_each_kind();
        self.open_each_kind();
        self.rig.set(|switches| {
            switches.removal_error = None;
            switches.removal = Removal::PendingUntilTold;
        });
        self.open_each_kind();
        self.rig.machine.run_deferred_deletes().unwrap();
        self.rig.set(|switches| switches.removal = Removal::PendingByChance);
        self.open_each_kind();
        self.exchange_packets();
        self.restart_engine();
        self.probe();
        self.rig.machine.stop_bfe().unwrap(); // the filters vanish, the callouts stay
        self.stop();
        self.rig.machine.start_bfe().unwrap();
    }

    /// Once more, as if nothing had been.
    fn last_life(&mut self) {
        self.rig.set(|switches| *switches = Switches::default());
        self.start();
        self.exchange_packets();
        self.open_each_kind();
        self.probe();
        self.stop();
    }
}

/// Starting and stopping, and what must be true then.
impl Scenario {
    /// Starts the driver. A start that a fault spoils must leave nothing, and each fault spoils one at most.
    fn start(&mut self) {
        for _ in 0..self.faults {
            match self.rig.start() {
                Ok(()) => return,
                Err(ServiceError::Entry(_)) => self.assert_gone(),
                Err(error) => panic!("start: {error}"),
            }
        }
        self.rig.start().unwrap_or_else(|error| panic!("start, after every fault: {error}"));
    }

    /// Restarts the filter engine, which must have the filters then; a fault spoils one restart at most. A driver that could not
    /// subscribe hears of none, and is started anew.
    fn restart_engine(&mut self) {
        for _ in 0..=self.faults {
            self.rig.machine.stop_bfe().unwrap();
            self.rig.machine.start_bfe().unwrap();
            if self.rig.machine.wfp().filters() > 0 {
                return;
            }
        }
        assert_eq!(self.rig.lines_of("not subscribed").len(), 1, "the driver has heard of no restart");
        self.rig.machine.stop_service(SERVICE).unwrap();
        self.assert_gone();
        self.start();
    }

    /// Stops the driver, which must have tagged a probe.
    fn stop(&mut self) {
        self.rig.machine.stop_service("flowtag").unwrap_or_else(|error| panic!("stop: {error}"));
        self.assert_gone();
        let lines: Vec<_> = self.rig.machine.debug_print().take_lines();
        let probe = format!(" pid={} ", PROBES + self.lives);
        let tagged = lines.iter().any(|line| line.text.starts_with("flowtag: open ") && line.text.contains(&probe));
        assert!(tagged, "life {}: the driver tags no flow any more", self.lives + 1);
        let owner = self.owner.expect("there is always one");
        for line in lines.iter().filter(|line| line.text.starts_with("flowtag: open ")) {
            let (pid, key) = (field(&line.text, "pid"), field(&line.text, "key"));
            let right = pid == OWNER.to_string() && key == format!("{:#x}", owner.key);
            assert!(key == "-" || right, "life {}: not the owner's key: {}", self.lives + 1, line.text);
        }
        self.lives += 1;
        self.change_owner();
    }

    /// Flows that the driver must tag, whatever has failed before: one more than there are faults.
    fn probe(&mut self) {
        self.close_every_second();
        for _ in 0..=self.faults {
            let pid = Some(PROBES + self.lives);
            let spec = FlowSpec { pid, ..self.spec(Direction::Outbound, TCP, false) };
            let flow = self.rig.open(&spec);
            self.flows.push((flow, TCP));
        }
    }

    /// What a life could not delete the next start deletes, unless another fault strikes there.
    fn start_until_nothing_is_left_in_the_engine(&self) {
        for _ in 0..self.faults {
            if self.rig.machine.wfp().managed_objects() == 0 {
                return;
            }
            if self.rig.start().is_ok() {
                self.rig.machine.stop_service(SERVICE).unwrap();
            }
        }
    }

    /// Nothing of the driver is left, and traffic flows on.
    fn assert_gone(&mut self) {
        self.exchange_packets();
        if self.objects_may_stay {
            self.start_until_nothing_is_left_in_the_engine();
        }
        if self.session_may_stay && self.rig.machine.wfp().sessions() > 0 {
            self.rig.machine.stop_bfe().unwrap();
            self.rig.machine.start_bfe().unwrap();
        }
        self.rig.assert_clean();
        assert_eq!(self.rig.machine.wfp().verdicts(Verdict::Block), 0, "classifications that blocked");
        if let Some(totals) = self.rig.lines_of("totals").last() {
            assert!(balanced(totals), "opened is not closed: {totals}");
        }
    }
}

fn balanced(totals: &str) -> bool {
    field(totals, "opened") == field(totals, "closed")
}

/// What processes do.
impl Scenario {
    /// The next process of the same program has the id.
    fn change_owner(&mut self) {
        if let Some(owner) = self.owner {
            self.rig.machine.exit_process(owner, 0).unwrap();
        }
        let spec = ProcessSpec { pid: Some(OWNER), ..ProcessSpec::program(IMAGE) };
        self.owner = Some(self.rig.machine.start_process(&spec).unwrap());
    }

    /// One after the other, under one id.
    fn processes_come_and_go(&self) {
        for (kind, image) in [
            (ProcessKind::Win32, Some(IMAGE)),
            (ProcessKind::Subsystem, None),
            (ProcessKind::Threadless, Some(IMAGE)),
            (ProcessKind::Win32, Some(IMAGE)),
        ] {
            let image = image.map(str::to_owned);
            let spec = ProcessSpec { pid: Some(OWNER + 4), kind, image, ..ProcessSpec::program(IMAGE) };
            let process = self.rig.machine.start_process(&spec).unwrap();
            self.rig.machine.exit_process(process, 0).unwrap();
        }
    }
}

/// What flows do.
impl Scenario {
    fn spec(&mut self, direction: Direction, protocol: u8, v6: bool) -> FlowSpec {
        self.opened += 1;
        let (local, remote) = if v6 { ("fe80::2", "2001:db8::1") } else { ("10.0.0.5", "93.184.216.34") };
        let [local, remote]: [SocketAddr; 2] = match protocol {
            ICMP => [endpoint(local, 8), endpoint(remote, 0)],
            _ => [endpoint(local, 10_000 + self.opened), endpoint(remote, 443)],
        };
        // Some processes have no path.
        let path =
            (!self.opened.is_multiple_of(7)).then(|| path_blob(r"\device\harddiskvolume3\windows\system32\curl.exe"));
        FlowSpec { pid: Some(4242), path, owner: Owner::default(), direction, protocol, local, remote }
    }

    /// A flow of each family, protocol and direction, with its first packets.
    fn open_each_kind(&mut self) {
        for v6 in [false, true] {
            for protocol in [TCP, UDP, ICMP] {
                for direction in [Direction::Outbound, Direction::Inbound] {
                    let spec = self.spec(direction, protocol, v6);
                    let flow = match direction {
                        Direction::Outbound => self.rig.open(&spec),
                        Direction::Inbound => self.rig.machine.accept_flow(&spec, &Packet::new(protocol, 100)).unwrap(),
                    };
                    self.flows.push((flow, protocol));
                }
            }
        }
    }

    /// A packet each way on the newest flows, one of them with several buffers.
    fn exchange_packets(&self) {
        for &(flow, protocol) in self.flows.iter().rev().take(24) {
            let several = Packet { payloads: vec![100, 0, 1_460], ..Packet::new(protocol, 0) };
            self.pass(flow, Direction::Outbound, &several);
            self.pass(flow, Direction::Inbound, &Packet::new(protocol, 200));
        }
    }

    fn pass(&self, flow: FlowHandle, direction: Direction, packet: &Packet) {
        assert_eq!(self.rig.machine.transport(flow, direction, packet).unwrap(), Verdict::Permit, "a packet's verdict");
    }

    fn reauthorize_all(&self) {
        for (index, &(flow, _)) in self.flows.iter().enumerate() {
            let direction = if index % 2 == 0 { Direction::Outbound } else { Direction::Inbound };
            assert_eq!(self.rig.machine.reauthorize(flow, direction).unwrap(), Verdict::Permit, "a reauthorization");
        }
    }

    fn close_every_second(&mut self) {
        for (index, (flow, protocol)) in std::mem::take(&mut self.flows).into_iter().enumerate() {
            if index % 2 == 0 {
                self.rig.close(flow);
            } else {
                self.flows.push((flow, protocol));
            }
        }
    }

    /// The flow ends inside the driver's n-th association, so that the next one meets a flow that is dying.
    fn flows_that_end_during_authorization(&mut self, ends_after: u32) {
        for v6 in [false, true] {
            for direction in [Direction::Outbound, Direction::Inbound] {
                self.rig.set(|switches| switches.end_flow_after_associations = Some(ends_after));
                let spec = self.spec(direction, TCP, v6);
                self.rig.open(&spec);
            }
        }
        self.rig.set(|switches| switches.end_flow_after_associations = None);
    }

    /// A flow of UDP idles out, and its next packet opens another.
    fn idle_out(&mut self) {
        let place = self.flows.iter().position(|(_, protocol)| *protocol == UDP).expect("a flow of UDP");
        self.flows[place].0 = self.rig.machine.expire_flow(self.flows[place].0).unwrap();
    }

    fn packets_without_flow(&mut self) {
        for v6 in [false, true] {
            for direction in [Direction::Outbound, Direction::Inbound] {
                let spec = self.spec(direction, TCP, v6);
                let verdict = self.rig.machine.transport_without_flow(&spec, direction, &Packet::new(TCP, 0)).unwrap();
                assert_eq!(verdict, Verdict::Permit, "a packet without flow");
            }
        }
    }
}
