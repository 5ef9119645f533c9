//! Registering and unregistering callouts.
//!
//! DDI `FwpsCalloutRegister2`, `FwpsCalloutUnregisterById0`. Guess: a callout without classifyFn or notifyFn, or with flags
//! that this Windows does not know, is refused with `INVALID_PARAMETER`. The device object is referenced for as long as the
//! callout is registered; so in an older NETIO (0mWindyBug/WFPResearch, `FeAddCalloutEntry`), which takes NULL, too, and then
//! nothing keeps the driver's image. Stricter than that: who hands over no device object, or something else, stops the machine.

use super::{
    abi::{FwpsCallout, Guid},
    callout::ClassifyVersion,
    context::answer,
    inputs,
    status::{self, Status},
};
use crate::{
    computer::{Call, Export, Fails, Irql},
    referee::Watch,
};

const REGISTER_FAILURES: Fails = Fails::Status(&[
    status::FWP_ALREADY_EXISTS,
    status::INVALID_PARAMETER,
    status::INSUFFICIENT_RESOURCES,
    status::FWP_TCPIP_NOT_READY,
]);
/// Not `FWP_CALLOUT_NOT_FOUND`: said of a callout that stays registered it would be untrue, and a driver that is being
/// unloaded has nothing else to go by.
const UNREGISTER_FAILURES: Fails = Fails::Status(&[status::DEVICE_BUSY, status::FWP_IN_USE]);

/// The run-time functions for callouts.
pub const EXPORTS: &[Export] = &[
    Export {
        module: "fwpkclnt.sys",
        name: "FwpsCalloutRegister2",
        max_irql: Irql::PASSIVE,
        fails: REGISTER_FAILURES,
        run: |call| answer(call, register(call, ClassifyVersion::Two)),
        inputs: inputs::CALLOUT_REGISTER,
    },
    Export {
        module: "fwpkclnt.sys",
        name: "FwpsCalloutRegister0",
        max_irql: Irql::PASSIVE,
        fails: REGISTER_FAILURES,
        run: |call| answer(call, register(call, ClassifyVersion::Zero)),
        inputs: inputs::CALLOUT_REGISTER,
    },
    Export {
        module: "fwpkclnt.sys",
        name: "FwpsCalloutUnregisterById0",
        max_irql: Irql::PASSIVE,
        fails: UNREGISTER_FAILURES,
        run: |call| answer(call, unregister(call, call.arg_u32(0))),
        inputs: inputs::UNREGISTER_BY_ID,
    },
    Export {
        module: "fwpkclnt.sys",
        name: "FwpsCalloutUnregisterByKey0",
        max_irql: Irql::PASSIVE,
        fails: UNREGISTER_FAILURES,
        run: |call| {
            let key: Guid = call.read(call.arg(0));
            let callout = call.machine.wfp().state().callouts.by_key(key);
            let status = callout.map_or(status::FWP_CALLOUT_NOT_FOUND, |callout| unregister(call, callout.id));
            answer(call, status)
        },
        inputs: inputs::UNREGISTER_BY_KEY,
    },
];

const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;

/// `FWPS_CALLOUT0` and `FWPS_CALLOUT2` differ only in what their functions take.
fn register(call: &Call<'_>, version: ClassifyVersion) -> Status {
    let (device_object, id_address) = (call.arg(0), call.arg(2));
    let callout: FwpsCallout = call.read(call.arg(1));
    call.callback(callout.classify_fn, "classifyFn");
    call.callback(callout.notify_fn, "notifyFn");
    call.callback(callout.flow_delete_fn, "flowDeleteFn");
    let referenced = call.machine.device_objects().reference(device_object);
    if !referenced && call.machine.settings().watch == Watch::Closely {
        call.bug_check(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            [0, device_object, 0, 0],
            format!(
                "{} was given {device_object:#x}, which is no device object: nothing would keep the driver's image while \
                 WFP calls it",
                call.name()
            ),
        );
    }
    let known_flags = call.machine.wfp().switches().known_callout_flags;
    let registered = call.machine.wfp().state().callouts.register(&callout, version, device_object, known_flags);
    if registered.is_err() {
        call.machine.device_objects().dereference(device_object);
    }
    match registered {
        Ok(id) => {
            if id_address != 0 {
                call.write(id_address, id);
            }
            status::SUCCESS
        }
        Err(status) => status,
    }
}

fn unregister(call: &Call<'_>, id: u32) -> Status {
    let wfp = call.machine.wfp();
    super::context::deliver_deferred_in_time(call.cpu);
    super::context::let_ended_callouts_go(call.cpu);
    let switches = wfp.switches();
    let busy_answers = switches.busy_answers;
    let known = wfp.state().callouts.get(id).is_some();
    if known && busy_answers > 0 {
        wfp.set(|switches| switches.busy_answers = busy_answers - 1);
        wfp.state().callouts.set_leaving(id);
        return status::DEVICE_BUSY;
    }
    let unregistered = wfp.state().callouts.unregister(id, switches.busy_until);
    match unregistered {
        Ok(callout) => {
            call.machine.device_objects().dereference(callout.device_object);
            status::SUCCESS
        }
        Err(status) => status,
    }
}
