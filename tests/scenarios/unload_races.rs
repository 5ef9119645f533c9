//! `sc stop` while other CPUs authorize, classify and end flows.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use flowtag_simulator::wfp::{Direction, FlowHandle, Removal};

use flowtag_tests::rig::{Rig, outbound};

/// Runs `others`, each in a thread of its own until told to stop, and stops the driver amidst.
fn stop_amidst(rig: &Rig, others: &[&(dyn Fn() + Sync)]) {
    let done = AtomicBool::new(false);
    let rounds = AtomicUsize::new(0);
    thread::scope(|scope| {
        for other in others {
            let (done, rounds) = (&done, &rounds);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    other();
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while rounds.load(Ordering::Relaxed) < 10 * others.len() {
            assert_eq!(rig.machine.referee().verdict().map(|bug_check| bug_check.to_string()), None);
            thread::yield_now();
        }
        let stopped = rig.machine.stop_service("flowtag");
        done.store(true, Ordering::Relaxed);
        stopped.unwrap();
    });
    rig.assert_clean();
    assert_eq!(rig.total("opened"), rig.total("closed"));
}

fn open_flows(rig: &Rig, count: usize) -> Vec<FlowHandle> {
    (0..count).map(|_| rig.open(&outbound())).collect()
}

#[test]
fn ten_thousand_flows_are_drained_while_two_cpus_classify_them() {
    let rig = Rig::with_settings(&[("TraceLevel", 0)]);
    let flows = open_flows(&rig, 10_000);
    let next = AtomicUsize::new(0);
    let classify = || {
        let flow = flows[next.fetch_add(1, Ordering::Relaxed) % flows.len()];
        rig.send(flow, 100);
        rig.receive(flow, 200);
    };
    stop_amidst(&rig, &[&classify, &classify]);
    assert_eq!(rig.total("opened"), 10_000);
}

#[test]
fn flows_are_authorized_on_another_cpu_during_unload() {
    let rig = Rig::with_settings(&[("TraceLevel", 0)]);
    let authorize = || {
        rig.open(&outbound());
    };
    stop_amidst(&rig, &[&authorize, &authorize]);
}

#[test]
fn flows_end_on_another_cpu_during_unload() {
    let rig = Rig::with_settings(&[("TraceLevel", 0)]);
    let flows = open_flows(&rig, 2_000);
    let next = AtomicUsize::new(0);
    let end = || {
        if let Some(&flow) = flows.get(next.fetch_add(1, Ordering::Relaxed)) {
            rig.close(flow);
        }
    };
    stop_amidst(&rig, &[&end]);
}

#[test]
fn everything_happens_on_other_cpus_during_unload_of_a_small_ring() {
    for round in 0..10 {
        let options = flowtag_simulator::Options { seed: round, ..Default::default() };
        let rig = Rig::with_options(options, &[("TraceLevel", 0), ("MaxFlows", 16)]);
        rig.start().unwrap();
        rig.set(|switches| switches.removal = Removal::PendingByChance);
        let shared = open_flows(&rig, 16);
        let next = AtomicUsize::new(0);
        let live = || {
            rig.open(&outbound());
        };
        let mixed = || {
            let flow = shared[next.fetch_add(1, Ordering::Relaxed) % shared.len()];
            rig.send(flow, 1);
            rig.machine.reauthorize(flow, Direction::Inbound).unwrap();
            let own = rig.open(&outbound());
            rig.receive(own, 1);
            rig.close(own);
        };
        stop_amidst(&rig, &[&live, &mixed]);
    }
}
