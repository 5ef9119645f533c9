//! The state of the base filtering engine's service, and who hears of it: `FwpmBfeState*`.
//!
//! DDI `FwpmBfeStateSubscribeChanges0`, `FwpmBfeStateGet0`, `FwpmBfeStateUnsubscribeChanges0`. The callback runs at
//! `PASSIVE_LEVEL`: so Microsoft's `WFPSampler` annotates its own, which opens and closes a session in it (Windows-driver-samples,
//! `network/trans/WFPSampler/sys/SubscriptionFunctions_BFEState.cpp`); the pages give no IRQL. Guesses: each subscriber is told
//! in turn of each state, when and by whom says [`Told`]; the device object is referenced while a callback may come, as for a
//! callout; unsubscribing does not wait for a callback that runs, which asks the most of a driver (the pages say that calling it
//! inside the callback may deadlock: that stops the machine); what it answers to a handle that is none.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
};

use super::{
    context::answer,
    inputs,
    status::{self, Status},
    switches::Told,
};
use crate::computer::{Call, Cpu, Export, Fails, Irql};

const DRIVER_VERIFIER_DETECTED_VIOLATION: u32 = 0xC4;

/// Handles start here: nothing that could be taken for a pointer of the driver's.
const FIRST_HANDLE: u64 = 0x5B5C_0000;

/// `FWPM_SERVICE_STATE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ServiceState {
    Stopped = 0,
    StartPending = 1,
    StopPending = 2,
    #[default]
    Running = 3,
}

/// The functions about the service's state.
pub const EXPORTS: &[Export] = &[
    Export {
        module: "fwpkclnt.sys",
        name: "FwpmBfeStateGet0",
        max_irql: Irql::DISPATCH,
        fails: Fails::Never,
        run: get,
        inputs: &[],
    },
    Export {
        module: "fwpkclnt.sys",
        name: "FwpmBfeStateSubscribeChanges0",
        max_irql: Irql::PASSIVE,
        fails: Fails::Status(&[status::INSUFFICIENT_RESOURCES]),
        run: |call| answer(call, subscribe(call)),
        inputs: inputs::BFE_STATE_SUBSCRIBE,
    },
    Export {
        module: "fwpkclnt.sys",
        name: "FwpmBfeStateUnsubscribeChanges0",
        max_irql: Irql::PASSIVE,
        fails: Fails::Status(&[status::UNSUCCESSFUL]),
        run: |call| answer(call, unsubscribe(call)),
        inputs: inputs::BFE_STATE_UNSUBSCRIBE,
    },
];

/// Who wants to hear of changes.
#[derive(Clone, Copy, Debug)]
struct Subscription {
    handle: u64,
    callback: u64,
    context: u64,
    device_object: u64,
}

/// A state that was reached, and whose subscriptions there were then.
#[derive(Debug)]
struct Change {
    state: ServiceState,
    handles: Vec<u64>,
}

/// All subscriptions, the callbacks that run and those that [`Told::Later`] puts off.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    all: Vec<Subscription>,
    untold: Vec<Change>,
    running: Vec<(u64, ThreadId)>,
    made: u64,
}

impl Subscriptions {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    fn add(&mut self, callback: u64, context: u64, device_object: u64) -> u64 {
        self.made += 1;
        let handle = FIRST_HANDLE + self.made;
        self.all.push(Subscription { handle, callback, context, device_object });
        handle
    }

    fn take(&mut self, handle: u64) -> Option<Subscription> {
        let index = self.all.iter().position(|subscription| subscription.handle == handle)?;
        Some(self.all.remove(index))
    }

    /// The subscription, if it is there still, whose callback is about to run on this thread.
    fn callback_begins(&mut self, handle: u64) -> Option<Subscription> {
        let subscription = self.all.iter().find(|subscription| subscription.handle == handle).copied()?;
        self.running.push((handle, thread::current().id()));
        Some(subscription)
    }

    fn callback_ends(&mut self, handle: u64) {
        let here = (handle, thread::current().id());
        if let Some(index) = self.running.iter().rposition(|running| *running == here) {
            self.running.remove(index);
        }
    }
}

fn get(call: &Call<'_>) -> u64 {
    let state = call.machine.wfp().state();
    if state.subscriptions.len() == 0 {
        drop(state);
        violation(call, "before FwpmBfeStateSubscribeChanges0, which must be called first");
    }
    state.bfe.state() as u64
}

fn subscribe(call: &Call<'_>) -> Status {
    let (device_object, callback, context) = (call.arg(0), call.arg(1), call.arg(2));
    call.callback(callback, "state change callback");
    if callback == 0 {
        return status::INVALID_PARAMETER;
    }
    if !call.machine.device_objects().reference(device_object) {
        violation(call, "with something that is no device object");
    }
    let handle = call.machine.wfp().state().subscriptions.add(callback, context, device_object);
    call.write(call.arg(3), handle);
    status::SUCCESS
}

fn unsubscribe(call: &Call<'_>) -> Status {
    let handle = call.arg(0);
    let here = (handle, thread::current().id());
    let taken = {
        let mut state = call.machine.wfp().state();
        if state.subscriptions.running.contains(&here) {
            drop(state);
            violation(call, "inside the callback that it is to end: that may deadlock");
        }
        state.subscriptions.take(handle)
    };
    let Some(subscription) = taken else { return status::INVALID_HANDLE };
    call.machine.device_objects().dereference(subscription.device_object);
    status::SUCCESS
}

fn violation(call: &Call<'_>, what: &str) -> ! {
    let text = format!("{} was called {what}", call.name());
    call.bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, [0, call.arg(0), call.caller(), 0], text)
}

/// Tells every subscriber of a state that the service has reached, now or later.
pub(super) fn tell(cpu: &Cpu, state: ServiceState) {
    let wfp = cpu.machine().wfp();
    let handles = wfp.state().subscriptions.all.iter().map(|subscription| subscription.handle).collect();
    let change = Change { state, handles };
    match wfp.switches().bfe_told {
        Told::AtOnce => call_back(cpu, change),
        Told::Later => wfp.state().subscriptions.untold.push(change),
    }
}

/// Has a system thread tell what was put off, in order, and waits for it; returns how many states that were.
pub(super) fn tell_untold(cpu: &Cpu) -> usize {
    let machine = cpu.machine();
    let untold = mem::take(&mut machine.wfp().state().subscriptions.untold);
    let count = untold.len();
    let all_told = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&all_told);
    machine.workers().run(machine, move |cpu| {
        for change in untold {
            call_back(cpu, change);
        }
        done.store(true, Ordering::Release);
    });
    machine.workers().wait(cpu, || all_told.load(Ordering::Acquire));
    count
}

fn call_back(cpu: &Cpu, Change { state, handles }: Change) {
    let wfp = cpu.machine().wfp();
    for handle in handles {
        let Some(subscription) = wfp.state().subscriptions.callback_begins(handle) else { continue };
        let Subscription { callback, context, device_object, .. } = subscription;
        let held = cpu.machine().device_objects().reference(device_object);
        cpu.call(callback, "state change callback", &[context, state as u64]);
        wfp.state().subscriptions.callback_ends(handle);
        if held {
            cpu.machine().device_objects().dereference(device_object);
        }
    }
}
