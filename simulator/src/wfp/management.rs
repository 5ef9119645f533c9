//! The management functions: `Fwpm*`.
//!
//! Win32 "Object Management", "WFP Error Codes"; DDI `FwpmCalloutAdd0`, `FWPS_CALLOUT_NOTIFY_FN2`. Guesses: which function gives
//! which error; notifyFn hears `DELETE_FILTER` of a filter whose addition is rolled back. Filters with conditions, and layers
//! without a model, stop the machine.

use super::{
    State,
    abi::{
        FwpValue, FwpmCallout, FwpmFilter, FwpmSession, FwpmSubLayer, FwpsFilter, Guid, SESSION_FLAG_DYNAMIC,
        TXN_READ_ONLY, action, callout_flag, data_type, notify,
    },
    arbitration::Verdict,
    classify::{Step, place_filter, steps},
    context::{answer, let_ended_callouts_go},
    inputs,
    layer::Layer,
    policy::{Action, Filter, ManagedCallout, Policy, Role, SubLayer, UNIVERSAL_SUBLAYER},
    status::{self, Status},
};
use crate::computer::{Call, Cpu, Export, Fails, Input, Irql, memory};

/// Longer display names than this are not read.
const NAME_LIMIT: usize = 256;

pub(super) const fn export(
    name: &'static str,
    failures: &'static [Status],
    inputs: &'static [Input],
    run: fn(&Call<'_>) -> u64,
) -> Export {
    Export { module: "fwpkclnt.sys", name, max_irql: Irql::PASSIVE, fails: Fails::Status(failures), run, inputs }
}

/// The management functions.
pub const EXPORTS: &[Export] = &[
    export(
        "FwpmEngineOpen0",
        &[status::EPT_NOT_REGISTERED, status::FWP_TCPIP_NOT_READY, status::INSUFFICIENT_RESOURCES],
        inputs::ENGINE_OPEN,
        |call| answer_result(call, open(call)),
    ),
    export(
        "FwpmEngineClose0",
        &[status::RPC_CALL_FAILED, status::FWP_SESSION_ABORTED, status::INVALID_HANDLE],
        inputs::SESSION_ONLY,
        |call| {
            answer_result(
                call,
                change_policy(call.cpu, |state| state.bfe.close(call.arg(0))).map(|given_up| {
                    notify_given_up(call.cpu, given_up);
                }),
            )
        },
    ),
    export(
        "FwpmTransactionBegin0",
        &[status::FWP_TIMEOUT, status::FWP_TXN_IN_PROGRESS, status::FWP_SESSION_ABORTED],
        inputs::TRANSACTION_BEGIN,
        |call| {
            let read_only = call.arg_u32(1) & TXN_READ_ONLY != 0;
            let begun = call.machine.wfp().state().bfe.begin(call.arg(0), read_only);
            answer_result(call, begun)
        },
    ),
    export(
        "FwpmTransactionCommit0",
        &[status::FWP_TXN_ABORTED, status::FWP_NO_TXN_IN_PROGRESS, status::FWP_SESSION_ABORTED],
        inputs::SESSION_ONLY,
        |call| {
            let committed = change_policy(call.cpu, |state| state.bfe.commit(call.arg(0)));
            let error = call.machine.wfp().switches().commit_error.filter(|_| committed.is_ok());
            answer_result(call, error.map_or(committed, Err))
        },
    ),
    export(
        "FwpmTransactionAbort0",
        &[status::FWP_NO_TXN_IN_PROGRESS, status::FWP_SESSION_ABORTED],
        inputs::SESSION_ONLY,
        |call| {
            let aborted = call.machine.wfp().state().bfe.abort(call.arg(0));
            answer_result(call, aborted.map(|given_up| notify_given_up(call.cpu, given_up)))
        },
    ),
    export(
        "FwpmSubLayerAdd0",
        &[
            status::FWP_ALREADY_EXISTS,
            status::FWP_NULL_DISPLAY_NAME,
            status::FWP_PROVIDER_NOT_FOUND,
            status::FWP_INCOMPATIBLE_TXN,
            status::FWP_SESSION_ABORTED,
        ],
        inputs::SUBLAYER_ADD,
        |call| answer_result(call, add_sublayer(call)),
    ),
    export(
        "FwpmCalloutAdd0",
        &[
            status::FWP_ALREADY_EXISTS,
            status::FWP_NULL_DISPLAY_NAME,
            status::FWP_LAYER_NOT_FOUND,
            status::FWP_PROVIDER_NOT_FOUND,
            status::FWP_INCOMPATIBLE_TXN,
            status::FWP_SESSION_ABORTED,
        ],
        inputs::CALLOUT_ADD,
        |call| answer_result(call, add_callout(call)),
    ),
    export(
        "FwpmFilterAdd0",
        &[
            status::FWP_CALLOUT_NOT_FOUND,
            status::FWP_SUBLAYER_NOT_FOUND,
            status::FWP_LAYER_NOT_FOUND,
            status::FWP_PROVIDER_NOT_FOUND,
            status::FWP_ALREADY_EXISTS,
            status::FWP_INCOMPATIBLE_LAYER,
            status::FWP_NULL_DISPLAY_NAME,
            status::FWP_CALLOUT_NOTIFICATION_FAILED,
            status::FWP_SESSION_ABORTED,
        ],
        inputs::FILTER_ADD,
        |call| answer_result(call, add_filter(call)),
    ),
];

pub(super) fn answer_result(call: &Call<'_>, result: Result<(), Status>) -> u64 {
    answer(call, result.err().unwrap_or(status::SUCCESS))
}

fn open(call: &Call<'_>) -> Result<(), Status> {
    let (session, handle_address) = (call.arg(3), call.arg(4));
    let session = if session == 0 { FwpmSession::default() } else { call.read(session) };
    let handle = call.machine.wfp().state().bfe.open(session.flags & SESSION_FLAG_DYNAMIC != 0)?;
    call.write(handle_address, handle);
    Ok(())
}

/// Every object needs a display name that can be read.
pub(super) fn check_name(call: &Call<'_>, name: u64) -> Result<(), Status> {
    if name == 0 {
        return Err(status::FWP_NULL_DISPLAY_NAME);
    }
    call.accessible(memory::read_utf16(name, NAME_LIMIT));
    Ok(())
}

/// The provider that an object names; NULL when it names none.
fn provider(call: &Call<'_>, key: u64) -> Option<Guid> {
    (key != 0).then(|| call.read(key))
}

/// The key that was given, or one of the engine's choice.
pub(super) fn key_or_new(state: &mut State, key: Guid) -> Guid {
    if key != Guid::NULL {
        return key;
    }
    state.last_filter_id += 1;
    Guid { data4: state.last_filter_id.to_be_bytes(), ..Guid::new(0xF117_E400, 0, 0x4000, [0; 8]) }
}

fn add_sublayer(call: &Call<'_>) -> Result<(), Status> {
    let sublayer: FwpmSubLayer = call.read(call.arg(1));
    check_name(call, sublayer.name)?;
    let provider = provider(call, sublayer.provider_key);
    let mut state = call.machine.wfp().state();
    let key = key_or_new(&mut state, sublayer.sub_layer_key);
    let weight = sublayer.weight;
    state.bfe.change(call.arg(0), |policy, owner| policy.add_sublayer(SubLayer { key, weight, provider, owner }))
}

fn add_callout(call: &Call<'_>) -> Result<(), Status> {
    let callout: FwpmCallout = call.read(call.arg(1));
    check_name(call, callout.name)?;
    let layer = Layer::from_key(callout.applicable_layer).ok_or(status::FWP_LAYER_NOT_FOUND)?;
    let provider = provider(call, callout.provider_key);
    let id = {
        let mut state = call.machine.wfp().state();
        let key = key_or_new(&mut state, callout.callout_key);
        let id = state.callouts.id_of(key);
        state.bfe.change(call.arg(0), |policy, owner| {
            policy.add_callout(ManagedCallout { key, id, layer, provider, owner })
        })?;
        id
    };
    if call.arg(3) != 0 {
        call.write(call.arg(3), id);
    }
    Ok(())
}

fn add_filter(call: &Call<'_>) -> Result<(), Status> {
    let session = call.arg(0);
    let given: FwpmFilter = call.read(call.arg(1));
    let mut filter = describe_filter(call, &given)?;
    let callout = {
        let mut state = call.machine.wfp().state();
        state.last_filter_id += 1;
        filter.id = state.last_filter_id;
        filter.key = key_or_new(&mut state, given.filter_key);
        state.bfe.change(session, |policy, owner| {
            filter.owner = owner;
            policy.check_filter(&filter)
        })?;
        filter.callout().and_then(|key| state.callouts.by_key(key))
    };
    if callout.is_some() {
        // What notifyFn makes of it is what classifyFn and later calls of it find: DDI FWPS_CALLOUT_NOTIFY_FN2.
        let told = notify_fn(call.cpu, notify::ADD_FILTER, &filter);
        filter.context = told.ok_or(status::FWP_CALLOUT_NOTIFICATION_FAILED)?;
    }
    change_policy(call.cpu, |state| state.bfe.change(session, |policy, _| policy.add_filter(filter)))?;
    if call.arg(3) != 0 {
        call.write(call.arg(3), filter.id);
    }
    Ok(())
}

/// What the driver's `FWPM_FILTER0` says; identity and owner are filled in by the caller.
fn describe_filter(call: &Call<'_>, given: &FwpmFilter) -> Result<Filter, Status> {
    check_name(call, given.name)?;
    let callout = |role| Action::Callout { key: given.action_callout_key, role };
    Ok(Filter {
        id: 0,
        key: given.filter_key,
        layer: Layer::from_key(given.layer_key).ok_or(status::FWP_LAYER_NOT_FOUND)?,
        sublayer: if given.sub_layer_key == Guid::NULL { UNIVERSAL_SUBLAYER } else { given.sub_layer_key },
        weight: weight(call, given.weight)?,
        action: match given.action_type {
            action::BLOCK => Action::Decide(Verdict::Block),
            action::PERMIT => Action::Decide(Verdict::Permit),
            action::CALLOUT_TERMINATING => callout(Role::Terminating),
            action::CALLOUT_INSPECTION => callout(Role::Inspection),
            action::CALLOUT_UNKNOWN => callout(Role::Unknown),
            _ => return Err(status::FWP_INVALID_ACTION_TYPE),
        },
        flags: given.flags,
        context: given.raw_context,
        provider: provider(call, given.provider_key),
        owner: None,
    })
}

/// A filter's weight: chosen by the engine, a range of 16, or a number behind a pointer.
fn weight(call: &Call<'_>, weight: FwpValue) -> Result<u64, Status> {
    match weight.value_type {
        data_type::EMPTY => Ok(0),
        data_type::UINT8 if weight.value & 0xFF <= 15 => Ok((weight.value & 0xFF) << 60),
        data_type::UINT64 => Ok(call.read(weight.value)),
        _ => Err(status::FWP_INVALID_WEIGHT),
    }
}

/// Lets `change` work on the engine, then does what a changed policy entails: flows of the authorization layers whose
/// filters changed are authorized again, and callouts hear of filters that are gone or in force.
pub(super) fn change_policy<T>(cpu: &Cpu, change: impl FnOnce(&mut State) -> Result<T, Status>) -> Result<T, Status> {
    let (result, gone, added) = {
        let mut state = cpu.machine().wfp().state();
        let before = state.bfe.policy().clone();
        let result = change(&mut state);
        let gone = before.filters_not_in(state.bfe.policy());
        let added = state.bfe.policy().filters_not_in(&before);
        state.policy_changed(gone.iter().chain(&added));
        (result, gone, added)
    };
    for filter in &gone {
        notify_fn(cpu, notify::DELETE_FILTER, filter);
    }
    for filter in &added {
        if wants_post_commit(cpu, filter) {
            notify_fn(cpu, notify::ADD_FILTER_POST_COMMIT, filter);
        }
    }
    result
}

impl State {
    fn policy_changed<'a>(&mut self, changed: impl Iterator<Item = &'a Filter>) {
        let mut layers: Vec<_> = changed.map(|filter| filter.layer).collect();
        layers.dedup();
        for layer in layers {
            self.steps.insert(layer, steps(self.bfe.policy(), layer).into());
            if layer.authorizes() {
                self.flows.mark_for_reauthorization(layer);
            }
        }
    }
}

fn notify_given_up(cpu: &Cpu, given_up: Option<Policy>) {
    let Some(given_up) = given_up else { return };
    let rolled_back = given_up.filters_not_in(cpu.machine().wfp().state().bfe.policy());
    for filter in &rolled_back {
        notify_fn(cpu, notify::DELETE_FILTER, filter);
    }
}

fn wants_post_commit(cpu: &Cpu, filter: &Filter) -> bool {
    let state = cpu.machine().wfp().state();
    let callout = filter.callout().and_then(|key| state.callouts.by_key(key));
    callout.is_some_and(|callout| callout.flags & callout_flag::ENABLE_COMMIT_ADD_NOTIFY != 0)
}

/// Calls the notifyFn of the filter's callout, if it is registered; the filter's context afterwards, if it agrees: by
/// `STATUS_SUCCESS`, any other status being an error (DDI `FWPS_CALLOUT_NOTIFY_FN2`).
fn notify_fn(cpu: &Cpu, kind: u64, filter: &Filter) -> Option<u64> {
    let Action::Callout { key, role } = filter.action else { return Some(filter.context) };
    let wfp = cpu.machine().wfp();
    let (callout, sublayer_weight) = {
        let mut state = wfp.state();
        let Some(callout) = state.callouts.by_key(key) else { return Some(filter.context) };
        state.callouts.call_begins(callout.id);
        (callout, state.bfe.policy().sublayer_weight(filter.sublayer))
    };
    let mut frame = wfp.frames().take();
    let described = place_filter(&mut frame, &Step { filter: *filter, sublayer_weight }, callout.id, role);
    let key = if kind == notify::DELETE_FILTER { 0 } else { frame.place(&filter.key) };
    let status = cpu.call(callout.notify, "notifyFn", &[kind, key, described]) as Status;
    let FwpsFilter { context, .. } = memory::read(described).expect("the frame is open");
    wfp.frames().give_back(frame);
    wfp.state().callouts.call_ends(callout.id);
    let_ended_callouts_go(cpu);
    (status == status::SUCCESS).then_some(context)
}
