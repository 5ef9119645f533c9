//! Whatever fails, traffic is permitted.

use flowtag_simulator::{
    computer::Fails,
    wfp::{Direction, FlowSpec, Packet, Verdict},
    windows,
};

use flowtag_tests::rig::{Rig, TCP, inbound, outbound, over_v6};

/// Opens a flow of each kind and exchanges packets; every classification must permit.
fn assert_traffic_permitted(rig: &Rig, context: &str) {
    let older: Vec<_> = rig.machine.wfp().flows();
    let specs: [FlowSpec; 4] = [outbound(), inbound(), over_v6(outbound()), over_v6(inbound())];
    let opened = specs.iter().map(|spec| rig.open(spec));
    for flow in older.into_iter().chain(opened).collect::<Vec<_>>() {
        for direction in [Direction::Outbound, Direction::Inbound] {
            let verdict = rig.machine.transport(flow, direction, &Packet::new(TCP, 100)).unwrap();
            assert_eq!(verdict, Verdict::Permit, "{context}");
        }
    }
    assert_eq!(rig.machine.wfp().verdicts(Verdict::Block), 0, "{context}");
}

fn fallible() -> impl Iterator<Item = &'static str> {
    windows::imports().all().filter(|export| export.fails != Fails::Never).map(|export| export.name)
}

#[test]
fn traffic_is_permitted_when_an_import_fails_during_start() {
    for import in fallible() {
        let rig = Rig::installed(&[("TraceLevel", 3), ("MaxFlows", 16)]);
        rig.open(&outbound());
        rig.fail(import, 1, None);
        let started = rig.start();
        assert_traffic_permitted(&rig, import);
        if started.is_ok() {
            rig.machine.stop_service("flowtag").unwrap();
        }
        assert_traffic_permitted(&rig, import);
    }
}

#[test]
fn traffic_is_permitted_when_an_import_fails_while_the_driver_runs() {
    for import in fallible() {
        let rig = Rig::installed(&[("TraceLevel", 3), ("MaxFlows", 16)]);
        rig.open(&outbound());
        rig.start().unwrap();
        rig.fail(import, 1, None);
        for _ in 0..5 {
            assert_traffic_permitted(&rig, import); // the ring overflows on the way
        }
        rig.machine.stop_service("flowtag").unwrap();
        assert_traffic_permitted(&rig, import);
    }
}

#[test]
fn traffic_is_permitted_when_everything_that_can_fail_fails() {
    let rig = Rig::with_settings(&[("TraceLevel", 3), ("MaxFlows", 16)]);
    for import in ["ExAllocatePool2", "ExAcquireRundownProtection", "FwpsFlowAssociateContext0"] {
        rig.machine.faults().fail_times(import, 1, u64::MAX / 2, None);
        assert_traffic_permitted(&rig, import);
    }
    rig.stop();
}
