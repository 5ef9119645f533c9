//! `FwpsFlowAssociateContext0` and `FwpsFlowRemoveContext0`, and the calls of flowDeleteFn that they and the end of a
//! flow bring about.
//!
//! DDI of the two. In a disassembly of one build: `NOT_FOUND` for a flow that is not there (`KfdAleGetTableFromHandle`). Guesses:
//! `INVALID_PARAMETER` for a callout that was added at another layer; a callout that is registered but was never added with
//! `FwpmCalloutAdd0` takes contexts.

use super::{
    flow::{Associated, Deletion, FlowId, Removed, Target},
    inputs,
    layer::Layer,
    status::{self, Status},
    switches::{
        DyingFlow, ExistingContext, HandleReuse, IrqlChoice, PendingAnswer, Removal, SecondContext, Switches,
        UnknownFlow,
    },
    touches,
};
use crate::{
    computer::{Call, Cpu, Export, Fails, Irql},
    interleave::{self, Touches},
    kernel,
};

/// The run-time functions for flow contexts.
pub const EXPORTS: &[Export] = &[
    Export {
        module: "fwpkclnt.sys",
        name: "FwpsFlowAssociateContext0",
        max_irql: Irql::DISPATCH,
        fails: Fails::Status(&[
            status::OBJECT_NAME_EXISTS,
            status::INVALID_PARAMETER,
            status::NOT_FOUND,
            status::INSUFFICIENT_RESOURCES,
            status::NO_MEMORY,
        ]),
        run: |call| answer(call, associate(call)),
        inputs: inputs::ASSOCIATE,
    },
    Export {
        module: "fwpkclnt.sys",
        name: "FwpsFlowRemoveContext0",
        max_irql: Irql::DISPATCH,
        fails: Fails::Status(&[
            status::UNSUCCESSFUL,
            status::INVALID_PARAMETER,
            status::NOT_FOUND,
            status::INSUFFICIENT_RESOURCES,
        ]),
        run: |call| answer(call, remove(call)),
        inputs: inputs::REMOVE,
    },
];

const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;

/// Counts a status and returns it.
pub(super) fn answer(call: &Call<'_>, status: Status) -> u64 {
    call.machine.wfp().count_answer(call.name(), status);
    status.into()
}

fn associate(call: &Call<'_>) -> Status {
    let (handle, context) = (call.arg(0), call.arg(3));
    let target = Target { layer: call.arg_u16(1), callout: call.arg_u32(2) };
    let wfp = call.machine.wfp();
    let switches = wfp.switches();
    let (associated, ends) = {
        let mut state = wfp.state();
        let takes = state.callouts.takes_contexts(target.callout, switches.refuse_contexts_when_leaving);
        if context == 0 || !takes || !state.callout_is_at(target) {
            return status::INVALID_PARAMETER;
        }
        let associated = state.flows.associate(handle, target, context, switches.dying_flow, switches.emptied);
        if matches!(associated, Associated::Done | Associated::DoneAndDeleted(_)) {
            state.callouts.context_added(target.callout);
        }
        let ends = if associated == Associated::Done { wfp.flow_ends_now(&state, handle) } else { None };
        (associated, ends)
    };
    if let Some(flow) = ends {
        end_flow(call.cpu, flow);
    }
    match associated {
        Associated::Done => status::SUCCESS,
        Associated::DoneAndDeleted(deletion) => {
            deliver_here(call.cpu, deletion);
            status::SUCCESS
        }
        Associated::NameExists => second_context(call, &switches),
        Associated::Dying if switches.dying_flow == DyingFlow::RefuseByChance && call.machine.random_below(2) == 0 => {
            status::INVALID_PARAMETER
        }
        Associated::Dying | Associated::NoFlow => status::NOT_FOUND,
    }
}

/// The callout has a context on that flow, and keeps it.
fn second_context(call: &Call<'_>, switches: &Switches) -> Status {
    if switches.second_context == SecondContext::Reported {
        call.bug_check(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            [0, call.arg(0), call.arg(3), 0],
            format!(
                "Associate on a flow that has a context of this callout: flow {:#x}, new context {:#x}, which nobody will \
                 give back if Windows answers STATUS_SUCCESS",
                call.arg(0),
                call.arg(3)
            ),
        );
    }
    match switches.existing_context {
        ExistingContext::NameExists => status::OBJECT_NAME_EXISTS,
        ExistingContext::Folded => status::SUCCESS,
    }
}

fn remove(call: &Call<'_>) -> Status {
    let target = Target { layer: call.arg_u16(1), callout: call.arg_u32(2) };
    let wfp = call.machine.wfp();
    let switches = wfp.switches();
    deliver_deferred_in_time(call.cpu);
    let removed = wfp.state().flows.remove(call.arg(0), target);
    let defer = match switches.removal {
        Removal::AsDocumented => false,
        Removal::PendingUntilTold => true,
        Removal::PendingByChance => call.machine.random_below(2) == 0,
    };
    let pending = match switches.pending_answer {
        PendingAnswer::Pending => status::PENDING,
        PendingAnswer::Folded => status::SUCCESS,
    };
    let status = match removed {
        Removed::NoFlow if switches.unknown_flow == UnknownFlow::NotFound => return status::NOT_FOUND,
        Removed::NoFlow | Removed::NoContext => return status::UNSUCCESSFUL,
        Removed::Later => pending,
        Removed::Now(deletion) if defer => {
            wfp.state().deferred.push_back(deletion);
            pending
        }
        Removed::Now(deletion) => {
            deliver_here(call.cpu, deletion);
            status::SUCCESS
        }
    };
    switches.removal_error.unwrap_or(status)
}

/// Ends `flow`: its contexts are deleted, except those that a classify is using.
pub(super) fn end_flow(cpu: &Cpu, flow: FlowId) {
    let wfp = cpu.machine().wfp();
    let switches = wfp.switches();
    let reuse = switches.handle_reuse != HandleReuse::Never;
    let reused = if reuse { touches::HANDLES } else { Touches::NOTHING };
    // The callout's count falls in this step, when its flowDeleteFn is about to be called.
    interleave::point("the flow ends", touches::flow(flow.handle).and(reused).and(touches::CALLOUT_COUNTS));
    let owed = wfp.state().flows.end(flow, switches.flow_end);
    deliver(cpu, owed.unwrap_or_default());
}

/// Every flow loses its contexts, as at its end, and lives on.
pub(super) fn end_all(cpu: &Cpu) {
    let wfp = cpu.machine().wfp();
    let flows = wfp.state().flows.all_live();
    for flow in flows {
        interleave::point("a flow loses its contexts", touches::flow(flow.handle).and(touches::CALLOUT_COUNTS));
        let owed = wfp.state().flows.lose_contexts(flow, wfp.switches().flow_end);
        deliver(cpu, owed);
    }
}

/// Lets those callouts go that ended with the filter engine and are not busy any longer.
pub(super) fn let_ended_callouts_go(cpu: &Cpu) {
    let wfp = cpu.machine().wfp();
    let gone = wfp.state().callouts.take_ended(wfp.switches().busy_until);
    for callout in gone {
        cpu.machine().device_objects().dereference(callout.device_object);
    }
}

/// Calls flowDeleteFn for each of `owed`, at a legal IRQL of the engine's choice.
pub(super) fn deliver(cpu: &Cpu, owed: Vec<Deletion>) {
    for deletion in owed {
        let irql = match cpu.machine().wfp().switches().irql {
            IrqlChoice::Fixed(irql) => irql,
            IrqlChoice::Random => Irql(cpu.machine().random_below(3) as u8),
        };
        let irql = irql.max(cpu.irql());
        cpu.at_irql(irql, || deliver_here(cpu, deletion));
    }
}

/// Calls flowDeleteFn at the present IRQL: synchronously, as seen from the driver.
fn deliver_here(cpu: &Cpu, deletion: Deletion) {
    let Deletion { flow, target, context } = deletion;
    let (wfp, device_objects) = (cpu.machine().wfp(), cpu.machine().device_objects());
    // The device object is referenced before the context stops keeping the callout registered: so in a disassembly of one
    // build (`WfpProcessFlowDelete`).
    let callout = {
        let mut state = wfp.state();
        state.flows.deletion_begins(deletion);
        let callout = state.callouts.deletion_begins(target.callout);
        callout.filter(|callout| device_objects.reference(callout.device_object))
    };
    if let Some(callout) = callout {
        cpu.call(callout.flow_delete, "flowDeleteFn", &[target.layer.into(), target.callout.into(), context]);
    }
    let counted = touches::CALLOUT_COUNTS.and(kernel::DEVICES).and(touches::ending(&wfp.switches()));
    interleave::point("flowDeleteFn has returned", counted.and(touches::flow(flow.handle)));
    {
        let mut state = wfp.state();
        state.flows.deletion_ends(deletion);
        if let Some(callout) = callout {
            state.callouts.deletion_ends(&callout);
            device_objects.dereference(callout.device_object);
        }
    }
    let_ended_callouts_go(cpu);
}

/// Runs everything that pending removals owe; returns how many they were.
pub(super) fn deliver_deferred(cpu: &Cpu) -> usize {
    interleave::point("pending removals", touches::DEFERRED);
    let owed = std::mem::take(&mut cpu.machine().wfp().state().deferred);
    let count = owed.len();
    for deletion in owed {
        deliver_late(cpu, deletion);
    }
    count
}

/// Calls a flowDeleteFn that a pending removal owes.
fn deliver_late(cpu: &Cpu, deletion: Deletion) {
    interleave::point("a pending removal is done", touches::CALLOUT_COUNTS.and(touches::flow(deletion.flow.handle)));
    deliver(cpu, vec![deletion]);
}

/// Time has passed: unless the test decides, another CPU may have ended its classify. Under
/// [`Removal::PendingByChance`] by chance; as documented, everything that is left of another switch.
pub(crate) fn deliver_deferred_in_time(cpu: &Cpu) {
    let wfp = cpu.machine().wfp();
    if wfp.switches().removal == Removal::PendingByChance {
        interleave::point("pending removals", touches::DEFERRED);
    }
    if !wfp.has_deferred() {
        return;
    }
    match wfp.switches().removal {
        Removal::AsDocumented => {
            deliver_deferred(cpu);
        }
        Removal::PendingByChance if cpu.machine().random_below(2) == 0 => {
            let owed = wfp.state().deferred.pop_front();
            if let Some(deletion) = owed {
                deliver_late(cpu, deletion);
            }
        }
        Removal::PendingByChance | Removal::PendingUntilTold => {}
    }
}

impl super::State {
    /// Whether the layer exists and the callout, if it has been added to the engine, was added there.
    fn callout_is_at(&self, target: Target) -> bool {
        let added = self.bfe.policy().callout_layer(target.callout);
        Layer::from_id(target.layer).is_some_and(|layer| added.is_none_or(|added| added == layer))
    }
}
