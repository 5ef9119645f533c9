//! The order of teardown: what start acquires, and that each is released in the reverse order, also by a start that fails.

use std::sync::{Arc, Mutex, PoisonError};

use flowtag_simulator::computer::Call;

use flowtag_tests::rig::{Rig, outbound};

/// What start acquires, in this order, how often, what gives it back, and whether start fails without. What goes with something
/// else is not here: `WdfDriverCreate` with the driver; the key of the settings and the list of processes are given back before
/// start goes on. The last row stands for the filters, which one transaction adds and one deletes.
const TABLE: [(&str, usize, &str, bool); 5] = [
    ("WdfDeviceCreate", 1, "WdfObjectDelete", true),
    ("ExAllocatePool2", 1, "ExFreePoolWithTag", true),  // the ring
    ("ExAllocatePool2", 1, "ExFreePoolWithTag", false), // the table of processes
    ("FwpsCalloutRegister2", 8, "FwpsCalloutUnregisterById0", true),
    ("FwpmEngineOpen0", 1, "FwpmTransactionCommit0", true),
];

/// Everything that is acquired, one by one: what acquires it, what releases it, and whether start fails without. Callouts are
/// told apart by their run-time ids, which a fresh machine counts up in the order of registration.
fn acquisitions() -> Vec<(&'static str, String, bool)> {
    let mut all = Vec::new();
    for (acquire, times, release, needed) in TABLE {
        all.extend((0..times).map(|n| (acquire, step(release, FIRST_CALLOUT + n as u64), needed)));
    }
    all
}

/// The run-time id of the first callout of a machine.
const FIRST_CALLOUT: u64 = 0x101;

fn step(release: &str, callout: u64) -> String {
    if release == "FwpsCalloutUnregisterById0" { format!("{release} {callout:#x}") } else { release.to_owned() }
}

/// The steps of teardown, in their order: those of the table, and those that come before all of it.
#[derive(Clone, Default)]
struct Steps(Arc<Mutex<Vec<String>>>);

impl Steps {
    fn of(rig: &Rig) -> Self {
        let steps = Self::default();
        let seen = steps.clone();
        rig.machine.on_import(move |call| seen.note(call));
        steps
    }

    fn note(&self, call: &Call<'_>) {
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if call.name() == "FwpsCalloutRegister2" {
            // What start has given back itself is no part of teardown.
            steps.clear();
        }
        let known = TABLE.iter().any(|(_, _, release, _)| *release == call.name())
            || BEFORE.contains(&call.name())
            || call.name() == NO_MORE_EVENTS;
        let registers = call.name() == BEFORE[3] && call.arg_u8(2) == 0;
        if known && !registers {
            steps.push(step(call.name(), call.arg_u32(0).into()));
        }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Before anything is released nobody adds filters any more, nobody associates, and no context is left. The subscription is made
/// before the filters are added and ended before they are deleted: who hears that the engine runs adds them.
const BEFORE: [&str; 4] = [
    "FwpmBfeStateUnsubscribeChanges0",
    "ExWaitForRundownProtectionRelease",
    "FwpsFlowRemoveContext0",
    "PsSetCreateProcessNotifyRoutineEx2",
];

/// Nobody adds filters, then nobody associates, and then nobody tells of processes. Who hears of the engine's state asks for it,
/// which takes the subscription; who associates asks whose a flow is, which takes the table that the routine keeps.
fn alone() -> Vec<String> {
    [BEFORE[1], BEFORE[0], BEFORE[1], BEFORE[3]].map(str::to_owned).to_vec()
}

/// Start begins with the provider of events, so that there are some for what fails. It goes when nothing is left of which there are
/// any, captures having ended, and before the memory that these read.
const NO_MORE_EVENTS: &str = "EtwUnregister";

/// What gives back the first `count` acquisitions, the last one first.
fn releases(count: usize) -> Vec<String> {
    let mut releases: Vec<_> = acquisitions().into_iter().take(count).rev().map(|(_, release, _)| release).collect();
    // The device, the ring and the table go last.
    let memory = releases.len() - count.min(3);
    releases.splice(memory..memory, [BEFORE[1], NO_MORE_EVENTS].map(str::to_owned));
    releases
}

#[test]
fn unload_releases_in_the_reverse_order_of_acquisition() {
    let rig = Rig::started();
    let steps = Steps::of(&rig);
    rig.stop();
    assert_eq!(steps.take(), [alone(), releases(acquisitions().len())].concat());
}

#[test]
fn contexts_are_removed_when_nobody_associates_any_more_and_before_anything_else_goes() {
    let rig = Rig::started();
    rig.open(&outbound());
    let steps = Steps::of(&rig);
    rig.stop();
    let mut steps = steps.take();
    steps.truncate(8);
    // The record goes with its second context.
    let drained = [BEFORE[2], BEFORE[2], "ExFreePoolWithTag", "FwpmTransactionCommit0"].map(str::to_owned).to_vec();
    assert_eq!(steps, [alone(), drained].concat());
}

#[test]
fn a_start_that_fails_releases_what_it_has_in_the_reverse_order() {
    let all = acquisitions();
    for (count, (failing, _, _)) in all.iter().enumerate().filter(|(_, (.., needed))| *needed) {
        let rig = Rig::installed(&[]);
        let nth = all[..count].iter().filter(|(acquire, ..)| acquire == failing).count() as u64 + 1;
        rig.fail(failing, nth, None);
        let steps = Steps::of(&rig);
        rig.start().unwrap_err();
        let mut steps = steps.take();
        steps.retain(|step| step != BEFORE[1]);
        let subscribed = if *failing == "FwpmEngineOpen0" { vec![BEFORE[0].to_owned()] } else { Vec::new() };
        let watching = if count > 1 { vec![BEFORE[3].to_owned()] } else { Vec::new() };
        let mut expected = [subscribed, watching, releases(count)].concat();
        expected.retain(|step| step != BEFORE[1]);
        assert_eq!(steps, expected, "{failing}, call {nth}");
        rig.assert_clean();
    }
}
