//! A packet that is classified again and again, for measurements.
//!
//! What the callout is told is built once, and the engine's own part of a classify (policy, locks, the context's
//! look-up) is left out: a call costs the crossing into the driver and the driver.

use super::{
    abi::{FwpsClassifyOut, RIGHT_ACTION_WRITE, action},
    callout::Callout,
    flow::Target,
    frame::Frame,
    layer::Layer,
    policy::Action,
    traffic::{Direction, FlowHandle, Packet, Snapshot},
    values::Situation,
};
use crate::computer::{Cpu, Machine};

/// A packet of one flow, ready to be classified at its transport layer.
///
/// Whoever keeps it promises that the flow lives and the driver stays loaded.
#[derive(Debug)]
pub struct Prepared {
    classify: u64,
    arguments: [u64; 7],
    /// What the arguments point into.
    _frame: Frame,
}

/// Where in a classifyFn's arguments the flow context stands.
const FLOW_CONTEXT: usize = 5;

impl Machine {
    /// Prepares a packet of `flow`; [`None`] if no callout has a context on the flow for this direction.
    #[must_use]
    pub fn prepare(&self, flow: FlowHandle, direction: Direction, packet: &Packet) -> Option<Prepared> {
        let flow = self.live_flow(flow)?;
        let (callout, context) = self.reader(&flow, direction)?;
        let mut frame = self.wfp().frames().take();
        let situation = Situation {
            layer: transport_layer(&flow, direction),
            spec: &flow.spec,
            flow_handle: Some(flow.handle),
            reauthorized_by: None,
            before_redirection: false,
            packet: Some(packet),
        };
        let built = situation.build(&mut frame, &self.wfp().switches());
        let out = FwpsClassifyOut { action_type: action::NONE, rights: RIGHT_ACTION_WRITE, ..Default::default() };
        let out = frame.place(&out);
        let arguments = [built.values, built.metadata, built.layer_data, 0, 0, context, out];
        Some(Prepared { classify: callout.classify, arguments, _frame: frame })
    }

    /// The context that a packet of `flow` would be classified with, if there is one.
    #[must_use]
    pub fn flow_context(&self, flow: FlowHandle, direction: Direction) -> Option<FlowContext> {
        let flow = self.live_flow(flow)?;
        self.reader(&flow, direction).map(|(_, context)| FlowContext(context))
    }

    /// The first callout at the flow's transport layer that has a context on it.
    fn reader(&self, flow: &Snapshot, direction: Direction) -> Option<(Callout, u64)> {
        let layer = transport_layer(flow, direction);
        self.wfp().steps(layer).iter().find_map(|step| {
            let Action::Callout { key, .. } = step.filter.action else { return None };
            let state = self.wfp().state();
            let callout = state.callouts.by_key(key)?;
            let context = state.flows.context(flow.id, Target { layer: layer.id(), callout: callout.id })?;
            Some((callout, context))
        })
    }
}

fn transport_layer(flow: &Snapshot, direction: Direction) -> Layer {
    Layer { point: direction.transport(), family: flow.authorized_at.family }
}

impl Prepared {
    /// Classifies the packet.
    pub fn classify(&self, cpu: &Cpu) {
        cpu.call(self.classify, "classifyFn", &self.arguments);
    }

    /// Calls the win64 function at `address` instead, with the same arguments.
    pub fn call(&self, cpu: &Cpu, address: u64) {
        cpu.call(address, "classifyFn", &self.arguments);
    }

    /// The same packet as one of the flow that has this context.
    pub fn classify_with(&self, cpu: &Cpu, context: &FlowContext) {
        let mut arguments = self.arguments;
        arguments[FLOW_CONTEXT] = context.0;
        cpu.call(self.classify, "classifyFn", &arguments);
    }
}

/// The context that a driver has hung on a flow.
#[derive(Clone, Copy, Debug)]
pub struct FlowContext(u64);
