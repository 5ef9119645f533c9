//! Classification: which callouts hear of an event, at which IRQL, and what comes of it.
//!
//! DDI `FWPS_CALLOUT_CLASSIFY_FN2`, `FWPS_CALLOUT2`; SDK `FWPS_ACTION0`, `FWPS_CLASSIFY_OUT0`. Guesses: the action is
//! `FWP_ACTION_NONE` until somebody decides; the filter of a conditional callout does not match a flow without its
//! context, whatever its role. Stricter than Windows, which lets wrong answers pass as right ones: a callout that breaks the
//! contract of `FWPS_CLASSIFY_OUT0` stops the machine, unless [`WrongAnswer`] says otherwise.

use super::{
    abi::{
        FILTER_FLAG_PERMIT_IF_CALLOUT_UNREGISTERED, FwpValue, FwpsClassifyOut, FwpsFilter, Guid, RIGHT_ACTION_WRITE,
        action, data_type,
    },
    arbitration::{Arbiter, Decision, Verdict, judge},
    callout::{Callout, ClassifyVersion},
    context,
    flow::{FlowId, Target},
    frame::Frame,
    layer::{Layer, Point},
    policy::{Action, Filter, Policy, Role},
    switches::{ActionAbove, HandleReuse, IrqlChoice, PathMemory, Switches, WriteRight, WrongAnswer},
    touches,
    values::{Arguments, Situation},
};
use crate::{
    computer::{Cpu, Irql, memory},
    interleave::{self, Touches},
};

/// Bug check: a driver violated a rule that Driver Verifier checks.
const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;

/// A filter as it is evaluated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) filter: Filter,
    pub(super) sublayer_weight: u16,
}

/// The filters of `layer` in order.
pub(super) fn steps(policy: &Policy, layer: Layer) -> Vec<Step> {
    let with_weight = |filter: Filter| Step { filter, sublayer_weight: policy.sublayer_weight(filter.sublayer) };
    policy.evaluation_order(layer).into_iter().map(with_weight).collect()
}

/// Classifies `situation`, calling the driver as often as filters ask for it. No lock is held meanwhile.
pub(super) fn classify(cpu: &Cpu, flow: Option<FlowId>, situation: &Situation<'_>) -> Verdict {
    let wfp = cpu.machine().wfp();
    interleave::point("filters are looked up", touches::POLICY);
    let steps = wfp.steps(situation.layer);
    if steps.is_empty() {
        return Verdict::Permit;
    }
    let switches = wfp.switches();
    let irql = cpu.irql().max(choose_irql(cpu, &switches, situation));
    let verdict = cpu.at_irql(irql, || {
        let classification = Classification { cpu, flow, situation, switches: &switches, built: None };
        classification.evaluate(&steps)
    });
    wfp.count_verdict(verdict);
    verdict
}

/// DDI `FWPS_CALLOUT_CLASSIFY_FN2` says `<= DISPATCH_LEVEL` and no more; the odds are a guess.
fn choose_irql(cpu: &Cpu, switches: &Switches, situation: &Situation<'_>) -> Irql {
    if let IrqlChoice::Fixed(irql) = switches.irql {
        return irql;
    }
    let fresh_connection = situation.layer.point == Point::AuthConnect && situation.reauthorized_by.is_none();
    let transport = matches!(situation.layer.point, Point::OutboundTransport | Point::InboundTransport);
    match cpu.machine().random_below(8) {
        0..4 if fresh_connection => Irql::PASSIVE,
        0 => Irql::PASSIVE,
        1 if transport => Irql::APC,
        _ => Irql::DISPATCH,
    }
}

struct Classification<'a> {
    cpu: &'a Cpu,
    flow: Option<FlowId>,
    situation: &'a Situation<'a>,
    switches: &'a Switches,
    /// Built when the first callout is called.
    built: Option<(Frame, Arguments)>,
}

impl Classification<'_> {
    fn evaluate(mut self, steps: &[Step]) -> Verdict {
        let mut arbiter = Arbiter::new(self.switches.block_ends_evaluation);
        for step in steps {
            if !arbiter.evaluates(step.filter.sublayer) {
                continue;
            }
            match step.filter.action {
                Action::Decide(verdict) => arbiter.decide(Decision::of_filter(verdict)),
                Action::Foreign(decision) => arbiter.answer(decision),
                Action::Callout { key, role } => {
                    if let Some(decision) = self.ask(step, key, role, &arbiter) {
                        arbiter.answer(decision);
                    }
                }
            }
        }
        if let Some((frame, _)) = self.built {
            self.cpu.page_in(&frame.pages_at_guard());
            self.cpu.machine().wfp().frames().give_back(frame);
        }
        arbiter.verdict()
    }

    /// Asks the callout `key`, if there is one to ask.
    fn ask(&mut self, step: &Step, key: Guid, role: Role, above: &Arbiter) -> Option<Decision> {
        let target = |callout: &Callout| Target { layer: self.situation.layer.id(), callout: callout.id };
        let contexts = touches::flow(self.situation.flow_handle.unwrap_or(0)).and(touches::CALLOUT_COUNTS);
        interleave::point("a classify begins", contexts);
        let (callout, flow_context) = {
            let mut state = self.cpu.machine().wfp().state();
            let Some(callout) = state.callouts.by_key(key) else { return unregistered(&step.filter, role) };
            let flow_context = self.flow.and_then(|flow| state.flows.context(flow, target(&callout)));
            if callout.conditional_on_flow() && flow_context.is_none() {
                return None;
            }
            // From here until `leave` the context stays valid and the callout registered.
            state.callouts.call_begins(callout.id);
            if let Some(flow) = self.flow {
                state.flows.enter(flow, target(&callout));
            }
            (callout, flow_context.unwrap_or(0))
        };
        let decision = self.call(step, &callout, role, flow_context, above);
        let reuse = self.switches.handle_reuse == HandleReuse::AfterClassifies;
        let freed = if reuse { touches::HANDLES } else { Touches::NOTHING };
        interleave::point("a classify ends", contexts.and(freed).and(touches::ending(self.switches)));
        let owed = {
            let mut state = self.cpu.machine().wfp().state();
            state.callouts.call_ends(callout.id);
            self.flow.map(|flow| state.flows.leave(flow, target(&callout))).unwrap_or_default()
        };
        context::deliver(self.cpu, owed);
        context::let_ended_callouts_go(self.cpu);
        context::deliver_deferred_in_time(self.cpu);
        decision
    }

    fn call(&mut self, step: &Step, callout: &Callout, role: Role, context: u64, above: &Arbiter) -> Option<Decision> {
        let rights = if self.grants(above.grants_write()) { RIGHT_ACTION_WRITE } else { 0 };
        let action_type = match self.switches.action_above {
            ActionAbove::Shown => above.action(),
            ActionAbove::Hidden => action::NONE,
        };
        let before = FwpsClassifyOut { action_type, rights, ..FwpsClassifyOut::default() };
        let (frame, arguments) = self.built();
        let filter = place_filter(frame, step, callout.id, role);
        let classify_out = frame.place(&before);
        let Arguments { values, metadata, layer_data } = arguments;
        let call = |arguments: &[u64]| self.cpu.call(callout.classify, "classifyFn", arguments);
        match callout.version {
            ClassifyVersion::Zero => call(&[values, metadata, layer_data, filter, context, classify_out]),
            ClassifyVersion::Two => call(&[values, metadata, layer_data, 0, filter, context, classify_out]),
        };
        let after: FwpsClassifyOut = memory::read(classify_out).expect("the frame is open");
        self.check(callout, role, before, after)
    }

    /// The frame of this classify, built when it is first needed.
    fn built(&mut self) -> (&mut Frame, Arguments) {
        let Self { cpu, situation, switches, built, .. } = self;
        let (frame, arguments) = built.get_or_insert_with(|| {
            let mut frame = cpu.machine().wfp().frames().take();
            let arguments = situation.build(&mut frame, switches);
            if switches.process_path == PathMemory::Paged && cpu.irql() < Irql::DISPATCH {
                cpu.page_out_at_dispatch(frame.pages_at_guard());
            }
            (frame, arguments)
        });
        (frame, *arguments)
    }

    fn grants(&self, arbitrated: bool) -> bool {
        match self.switches.write_right {
            WriteRight::AsArbitrated => arbitrated,
            WriteRight::Never => false,
            WriteRight::ByChance => arbitrated && self.cpu.machine().random_below(2) == 0,
        }
    }

    fn check(
        &self,
        callout: &Callout,
        role: Role,
        before: FwpsClassifyOut,
        after: FwpsClassifyOut,
    ) -> Option<Decision> {
        let (meant, violation) = judge(role, (before.action_type, before.rights), (after.action_type, after.rights));
        let parameters = [0, callout.classify, after.action_type.into(), after.rights.into()];
        let tolerant = self.switches.wrong_answer == WrongAnswer::AsWindows;
        if let Some(violation) = violation.filter(|violation| !(tolerant && violation.is_tolerated())) {
            let reason = format!("classifyFn answered {:#x}: {violation}", after.action_type);
            self.cpu.bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, parameters, reason);
        }
        let system = |out: &FwpsClassifyOut| (out.out_context, out.filter_id, out.reserved);
        if system(&before) != system(&after) {
            let reason = "classifyFn changed outContext, filterId or reserved of FWPS_CLASSIFY_OUT0, which are WFP's";
            self.cpu.bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, parameters, reason);
        }
        meant
    }
}

/// A filter whose callout is not registered: it blocks, unless it only inspects or says otherwise.
fn unregistered(filter: &Filter, role: Role) -> Option<Decision> {
    match role {
        Role::Inspection => None,
        _ if filter.flags & FILTER_FLAG_PERMIT_IF_CALLOUT_UNREGISTERED != 0 => {
            Some(Decision::of_filter(Verdict::Permit))
        }
        Role::Terminating | Role::Unknown => Some(Decision::of_filter(Verdict::Block)),
    }
}

/// Places the filter as callouts see it and returns its address.
pub(super) fn place_filter(frame: &mut Frame, step: &Step, callout_id: u32, role: Role) -> u64 {
    let weight =
        FwpValue { value_type: data_type::UINT64, value: frame.place(&step.filter.weight), ..FwpValue::default() };
    frame.place(&FwpsFilter {
        filter_id: step.filter.id,
        weight,
        sub_layer_weight: step.sublayer_weight,
        action_type: match role {
            Role::Terminating => action::CALLOUT_TERMINATING,
            Role::Inspection => action::CALLOUT_INSPECTION,
            Role::Unknown => action::CALLOUT_UNKNOWN,
        },
        callout_id,
        context: step.filter.context,
        ..FwpsFilter::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wfp::layer::Family;

    fn filter(flags: u32) -> Filter {
        Filter {
            id: 1,
            key: Guid::NULL,
            layer: Layer { point: Point::OutboundTransport, family: Family::V4 },
            sublayer: Guid::NULL,
            weight: 0,
            action: Action::Callout { key: Guid::NULL, role: Role::Terminating },
            flags,
            context: 0,
            provider: None,
            owner: None,
        }
    }

    #[test]
    fn a_terminating_filter_can_permit_while_its_callout_is_not_registered() {
        let filter = filter(FILTER_FLAG_PERMIT_IF_CALLOUT_UNREGISTERED);
        assert_eq!(unregistered(&filter, Role::Terminating), Some(Decision::of_filter(Verdict::Permit)));
    }

    #[test]
    fn a_filter_of_unknown_kind_blocks_while_its_callout_is_not_registered() {
        assert_eq!(unregistered(&filter(0), Role::Unknown), Some(Decision::of_filter(Verdict::Block)));
    }
}
