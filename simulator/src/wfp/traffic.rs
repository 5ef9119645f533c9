//! Traffic from outside: connections that are opened, carry packets and end.
//!
//! The order of events is that of the stack (Win32 "TCP Packet Flows", "UDP Packet Flows"): outbound, authorization comes before
//! the packet's transport layer; inbound, after it. So does an inbound packet that causes a flow to be authorized again (same
//! pages); that an outbound one does, too, is a guess. Simplifications: `ALE_FLOW_ESTABLISHED` follows authorization
//! at once (for TCP there are packets in between); an endpoint's other layers do not exist; idle flows end when the test says so.

use std::{net::SocketAddr, sync::Arc};

use super::{
    arbitration::{Decision, Verdict},
    classify::classify,
    context,
    flow::FlowId,
    layer::{Family, Layer, Point},
    management,
    policy::{Action, Filter, SubLayer},
    touches,
    values::Situation,
};
use crate::{
    computer::{Cpu, Machine},
    interleave,
    referee::BugCheck,
};

/// The TCP protocol number.
const TCP: u8 = 6;
/// The UDP protocol number.
const UDP: u8 = 17;

/// The direction of a packet, or the direction in which a flow was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From this machine.
    Outbound,
    /// To this machine.
    Inbound,
}

impl Direction {
    /// `FWP_DIRECTION`.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Outbound => 0,
            Self::Inbound => 1,
        }
    }

    pub(super) fn transport(self) -> Point {
        match self {
            Self::Outbound => Point::OutboundTransport,
            Self::Inbound => Point::InboundTransport,
        }
    }
}

/// What the engine knows of who has a flow's endpoint, beside process and path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The service tag of the thread that made the endpoint; `None` leaves the metadata out.
    pub service_tag: Option<u64>,
    /// The security identifier of its app container; `None` for none, which is S-1-0-0.
    pub package: Option<Vec<u8>>,
}

/// What the engine knows of a flow: who has it, and between which endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowSpec {
    /// The process that owns the endpoint; `None` leaves the metadata out.
    pub pid: Option<u64>,
    /// The process path as raw bytes (UTF-16LE, usually with its NUL); `None` leaves the metadata out.
    pub path: Option<Vec<u8>>,
    /// What else is known of that process.
    pub owner: Owner,
    /// Who opened it.
    pub direction: Direction,
    /// The IP protocol.
    pub protocol: u8,
    /// The local endpoint; for ICMP its port is the type.
    pub local: SocketAddr,
    /// The remote endpoint; for ICMP its port is the code.
    pub remote: SocketAddr,
}

/// A flow, by the handle that callouts see. After the flow's end it may name another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowHandle(pub u64);

/// A packet: a `NET_BUFFER_LIST` with one `NET_BUFFER` for each payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Payload bytes of each `NET_BUFFER`; several for a batch.
    pub payloads: Vec<u32>,
    /// Bytes of the transport header in front of each of them.
    pub transport_header: u32,
}

impl Packet {
    /// A packet with one buffer of `payload` bytes and a transport header of the protocol's usual size.
    ///
    /// An ICMP message is all payload.
    #[must_use]
    pub fn new(protocol: u8, payload: u32) -> Self {
        let transport_header = match protocol {
            TCP => 20,
            UDP => 8,
            _ => 0,
        };
        Self { payloads: vec![payload], transport_header }
    }
}

fn family(spec: &FlowSpec) -> Family {
    if spec.local.is_ipv4() { Family::V4 } else { Family::V6 }
}

/// A flow's state, copied so that no lock is held while callouts run.
pub(super) struct Snapshot {
    pub(super) id: FlowId,
    pub(super) handle: u64,
    pub(super) spec: Arc<FlowSpec>,
    pub(super) authorized_at: Layer,
}

/// Traffic.
impl Machine {
    /// Opens a flow: it is created and authorized. Blocked, it ends at once (a guess: the half-open flow dies).
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn open_flow(&self, spec: &FlowSpec) -> Result<FlowHandle, BugCheck> {
        self.run(|cpu| {
            let switches = self.wfp().switches();
            interleave::point("a flow begins", touches::HANDLES);
            let flow = {
                let mut state = self.wfp().state();
                let id = state.flows.open(Arc::new(spec.clone()), switches.handle_reuse);
                snapshot(&state.flows, id).expect("just opened")
            };
            let handle = FlowHandle(flow.handle);
            let twice = switches.connect_twice && flow.authorized_at.point == Point::AuthConnect;
            if (twice && authorize(cpu, &flow, Authorization::BeforeRedirection) == Verdict::Block)
                || authorize(cpu, &flow, Authorization::First) == Verdict::Block
            {
                context::end_flow(cpu, flow.id);
                return handle;
            }
            let established = Layer { point: Point::FlowEstablished, family: family(spec) };
            classify(cpu, Some(flow.id), &situation(&flow, established));
            handle
        })
    }

    /// Opens an inbound flow as its first packet does: the packet passes the transport layer before its flow exists.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn accept_flow(&self, spec: &FlowSpec, packet: &Packet) -> Result<FlowHandle, BugCheck> {
        self.transport_without_flow(spec, Direction::Inbound, packet)?;
        self.open_flow(spec)
    }

    /// Sends or receives a packet of a flow, authorizing the flow again first when policy has changed (inbound: last).
    ///
    /// A packet of a flow that has ended meets no callout.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn transport(&self, flow: FlowHandle, direction: Direction, packet: &Packet) -> Result<Verdict, BugCheck> {
        self.run(|cpu| {
            let Some(flow) = self.live_flow(flow) else { return Verdict::Permit };
            let pass = || {
                let layer = Layer { point: direction.transport(), family: flow.authorized_at.family };
                classify(cpu, Some(flow.id), &Situation { packet: Some(packet), ..situation(&flow, layer) })
            };
            let again = || self.authorize_if_policy_changed(cpu, &flow, direction);
            let verdicts = match direction {
                Direction::Outbound => [again(), pass()],
                Direction::Inbound => [pass(), again()],
            };
            if verdicts.contains(&Verdict::Block) { Verdict::Block } else { Verdict::Permit }
        })
    }

    /// A packet that belongs to no flow, as the RST that answers a connection to a closed port: most metadata is absent.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn transport_without_flow(
        &self,
        spec: &FlowSpec,
        direction: Direction,
        packet: &Packet,
    ) -> Result<Verdict, BugCheck> {
        self.run(|cpu| {
            let layer = Layer { point: direction.transport(), family: family(spec) };
            let situation = Situation {
                layer,
                spec,
                flow_handle: None,
                reauthorized_by: None,
                before_redirection: false,
                packet: Some(packet),
            };
            classify(cpu, None, &situation)
        })
    }

    /// Ends a flow. Nothing happens when it has ended already.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn close_flow(&self, flow: FlowHandle) -> Result<(), BugCheck> {
        self.run(|cpu| {
            if let Some(flow) = self.live_flow(flow) {
                context::end_flow(cpu, flow.id);
            }
        })
    }

    /// A UDP flow idles out and the next packet opens another one for the same endpoints: its new handle.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    ///
    /// # Panics
    /// When the flow has ended already.
    pub fn expire_flow(&self, flow: FlowHandle) -> Result<FlowHandle, BugCheck> {
        let spec = self.live_flow(flow).expect("only a live flow can expire").spec;
        self.close_flow(flow)?;
        self.open_flow(&spec)
    }

    /// Authorizes a flow again, as a packet in `direction` does after policy has changed.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn reauthorize(&self, flow: FlowHandle, direction: Direction) -> Result<Verdict, BugCheck> {
        self.authorize_live(flow, Authorization::Again(direction))
    }

    /// Authorizes a flow again without saying so, as a connect that is classified twice: see [`Switches::connect_twice`].
    ///
    /// [`Switches::connect_twice`]: super::Switches::connect_twice
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn authorize_again(&self, flow: FlowHandle) -> Result<Verdict, BugCheck> {
        self.authorize_live(flow, Authorization::First)
    }

    fn authorize_live(&self, flow: FlowHandle, authorization: Authorization) -> Result<Verdict, BugCheck> {
        self.run(|cpu| self.live_flow(flow).map_or(Verdict::Permit, |flow| authorize(cpu, &flow, authorization)))
    }

    /// A filter of another product blocks or permits everything at `layer`, from a sub-layer of this weight.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn add_foreign_filter(&self, layer: Layer, weight: u16, verdict: Verdict) -> Result<(), BugCheck> {
        self.add_foreign(layer, weight, Action::Decide(verdict))
    }

    /// A callout of another product decides on everything at `layer`, from a sub-layer of this weight.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn add_foreign_callout(&self, layer: Layer, weight: u16, decision: Decision) -> Result<(), BugCheck> {
        self.add_foreign(layer, weight, Action::Foreign(decision))
    }

    fn add_foreign(&self, layer: Layer, weight: u16, action: Action) -> Result<(), BugCheck> {
        self.run(|cpu| {
            let _ = management::change_policy(cpu, |state| {
                state.last_filter_id += 1;
                let id = state.last_filter_id;
                let key = super::abi::Guid::new(0xF0E1_6200, 0, 0, id.to_be_bytes());
                let policy = state.bfe.policy_mut();
                policy.add_sublayer(SubLayer { key, weight, provider: None, owner: None })?;
                let filter = Filter {
                    id,
                    key,
                    layer,
                    sublayer: key,
                    weight: 0,
                    action,
                    flags: 0,
                    context: 0,
                    provider: None,
                    owner: None,
                };
                policy.add_filter(filter)
            });
        })
    }

    /// Runs the flowDeleteFn calls that pending removals owe; returns how many.
    ///
    /// # Errors
    /// The bug check that the driver caused.
    pub fn run_deferred_deletes(&self) -> Result<usize, BugCheck> {
        self.run(context::deliver_deferred)
    }

    pub(super) fn live_flow(&self, flow: FlowHandle) -> Option<Snapshot> {
        interleave::point("a flow is looked up", touches::flow(flow.0).and(touches::HANDLE));
        let state = self.wfp().state();
        snapshot(&state.flows, state.flows.live(flow.0)?)
    }

    fn authorize_if_policy_changed(&self, cpu: &Cpu, flow: &Snapshot, direction: Direction) -> Verdict {
        interleave::point("policy is looked up", touches::POLICY.and(touches::flow(flow.handle)));
        let pending = {
            let mut state = self.wfp().state();
            state.flows.get_mut(flow.id).is_some_and(|flow| std::mem::take(&mut flow.reauthorize))
        };
        if pending { authorize(cpu, flow, Authorization::Again(direction)) } else { Verdict::Permit }
    }
}

fn snapshot(flows: &super::Flows, id: FlowId) -> Option<Snapshot> {
    let flow = flows.get(id)?;
    let spec = Arc::clone(&flow.spec);
    Some(Snapshot { id, handle: flow.handle, spec, authorized_at: flow.authorized_at() })
}

fn situation(flow: &Snapshot, layer: Layer) -> Situation<'_> {
    Situation {
        layer,
        spec: &flow.spec,
        flow_handle: Some(flow.handle),
        reauthorized_by: None,
        before_redirection: false,
        packet: None,
    }
}

/// Why a flow is authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Authorization {
    /// It is new.
    First,
    /// It is new, and will be redirected. In a disassembly of one build such a connect is classified with
    /// `IS_HONORING_POLICY_AUTHORIZE` first, and then again without, under the same handle and never as a reauthorization.
    /// (Simplification: both times with the same addresses.)
    BeforeRedirection,
    /// Policy has changed, and a packet in this direction came by.
    Again(Direction),
}

/// ALE authorization. Only non-TCP flows bring their first packet along: WDK "Data offset positions" for connects, a guess for
/// accepts.
fn authorize(cpu: &Cpu, flow: &Snapshot, authorization: Authorization) -> Verdict {
    let first_packet = (flow.spec.protocol != TCP).then(|| Packet::new(flow.spec.protocol, 0));
    let reauthorized_by = match authorization {
        Authorization::Again(direction) => Some(direction),
        Authorization::First | Authorization::BeforeRedirection => None,
    };
    let situation = Situation {
        reauthorized_by,
        before_redirection: authorization == Authorization::BeforeRedirection,
        packet: first_packet.as_ref(),
        ..situation(flow, flow.authorized_at)
    };
    classify(cpu, Some(flow.id), &situation)
}
