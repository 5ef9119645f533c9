//! What a case is.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use flowtag_simulator::{
    Machine,
    etw::{Session, SessionId},
    kernel::processes::{Process, ProcessSpec},
    wfp::{Direction, FlowHandle, Packet, Switches},
};
use flowtag_tests::rig::{PROVIDER, TCP, outbound};

/// A machine with flows, and threads that do something to them at once.
#[derive(Clone)]
pub struct Case {
    /// Its name, by which it can be run again.
    pub name: String,
    /// Flows that are open before the threads begin; the ring holds 16.
    pub open: u64,
    /// What each thread does, one thing after the other.
    pub threads: Vec<Vec<Does>>,
    /// How Windows behaves.
    pub windows: Windows,
    /// Small enough for the explorer.
    pub small: bool,
}

/// How Windows behaves where it has a choice.
#[derive(Clone, Copy)]
pub struct Windows {
    /// In the case's name; empty for the documented behaviour.
    pub name: &'static str,
    /// Sets the switches.
    pub set: fn(&mut Switches),
    /// The first removal of a context has no effect, and answers `STATUS_UNSUCCESSFUL`.
    pub removal_fails: bool,
}

/// One thing that a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// A program connects: its flow is opened and authorized.
    Connect,
    /// A flow is authorized again, as after a change of policy.
    Reauthorize(Flow),
    /// A flow is authorized again as if for the first time, as a connect that is classified twice.
    Again(Flow),
    /// A packet leaves.
    Send(Flow),
    /// A packet arrives.
    Receive(Flow),
    /// The network ends a flow.
    End(Flow),
    /// Windows gets round to what pending removals owe.
    Deferred,
    /// The base filtering engine's service is stopped and started.
    Restart,
    /// The process that has opened the flows exits, and another one of the same program gets its id, if that is free.
    Succeed,
    /// Another process begins, and exits.
    Pass,
    /// `sc start`: the driver does not run before.
    Load,
    /// A session begins that wants events of flows.
    Listen,
    /// The same, and it asks for the live ones.
    Capture,
    /// `sc stop`.
    Unload,
}

/// What all threads of a run know.
pub struct Known {
    /// Who has opened the flows.
    pub owner: Owner,
    /// The sessions that were begun.
    pub sessions: Sessions,
}

/// Who has opened the flows of a case.
pub struct Owner {
    /// It.
    pub process: Process,
    /// It exited when the driver was to be told of it.
    pub told: AtomicBool,
}

/// The image of all processes of a case, as `outbound` has it.
const IMAGE: &str = r"\Device\HarddiskVolume3\Windows\curl.exe";

impl Owner {
    /// Begins.
    pub fn begin(machine: &Machine) -> Result<Self, String> {
        let process = machine.start_process(&spec(Some(4242))).map_err(|bug_check| bug_check.to_string())?;
        Ok(Self { process, told: AtomicBool::new(false) })
    }
}

fn spec(pid: Option<u64>) -> ProcessSpec {
    ProcessSpec { pid, ..ProcessSpec::program(IMAGE) }
}

/// The sessions that a case has begun.
pub type Sessions = Mutex<Vec<SessionId>>;

/// A flow of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The oldest, which is evicted first.
    Oldest,
    /// The youngest of those that were open before.
    Youngest,
    /// The one that `Connect` opens, if it has done so, and has got no handle that was used before.
    New,
}

impl Case {
    /// The handle of a flow: handles are given out in order.
    fn handle(&self, flow: Flow) -> FlowHandle {
        FlowHandle(match flow {
            Flow::Oldest => 1,
            Flow::Youngest => self.open,
            Flow::New => self.open + 1,
        })
    }

    /// Whether the driver does not run when the threads begin.
    pub fn loads(&self) -> bool {
        self.threads.iter().flatten().any(|does| *does == Does::Load)
    }

    /// Does it. What the service control manager or the referee says is the error.
    pub fn perform(&self, machine: &Machine, known: &Known, does: Does) -> Result<(), String> {
        let Known { owner, sessions } = known;
        let listen = || {
            let session = machine.start_session(Session::of(PROVIDER, 4, 1))?;
            sessions.lock().unwrap_or_else(PoisonError::into_inner).push(session);
            Ok(session)
        };
        let packet = Packet::new(TCP, 100);
        let done = match does {
            Does::Connect => machine.open_flow(&outbound()).map(drop),
            Does::Reauthorize(flow) => machine.reauthorize(self.handle(flow), Direction::Outbound).map(drop),
            Does::Again(flow) => machine.authorize_again(self.handle(flow)).map(drop),
            Does::Send(flow) => machine.transport(self.handle(flow), Direction::Outbound, &packet).map(drop),
            Does::Receive(flow) => machine.transport(self.handle(flow), Direction::Inbound, &packet).map(drop),
            Does::End(flow) => machine.close_flow(self.handle(flow)),
            Does::Deferred => machine.run_deferred_deletes().map(drop),
            Does::Restart => machine.stop_bfe().and_then(|()| machine.start_bfe()),
            Does::Succeed => {
                owner.told.store(machine.processes().routines() > 0, Ordering::Relaxed);
                machine.exit_process(owner.process, 0).and_then(|()| {
                    // Whoever has looked it up keeps its id.
                    if machine.processes().has(4242) {
                        Ok(())
                    } else {
                        machine.start_process(&spec(Some(4242))).map(drop)
                    }
                })
            }
            Does::Pass => machine.start_process(&spec(None)).and_then(|process| machine.exit_process(process, 0)),
            Does::Load => return machine.start_service("flowtag").map(drop).map_err(|error| error.to_string()),
            Does::Listen => listen().map(drop),
            Does::Capture => listen().and_then(|session| machine.capture_state(session)),
            Does::Unload => return machine.stop_service("flowtag").map(drop).map_err(|error| error.to_string()),
        };
        done.map_err(|bug_check| bug_check.to_string())
    }
}
