//! Whatever is refused, fails or is repeated more often than the ring has slots leaves the ring as it was.

use flowtag_simulator::wfp::{Direction, DyingFlow, HandleReuse, Removal, Verdict, layer, status};

use flowtag_tests::rig::{Rig, outbound, over_v6};

/// Slots of the ring, and how often each thing is done.
const SLOTS: usize = 16;
const RUNS: usize = 4 * SLOTS;

const ASSOCIATE: &str = "FwpsFlowAssociateContext0";
const REMOVE: &str = "FwpsFlowRemoveContext0";

fn evictions(rig: &Rig) -> usize {
    rig.lines_of("close").iter().filter(|line| line.ends_with(" why=evicted")).count()
}

/// As many flows as there are slots find room, and one more pushes out one.
fn assert_all_slots_are_free(rig: &Rig) {
    let (opened, evicted) = (rig.lines_of("open").len(), evictions(rig));
    for _ in 0..SLOTS {
        rig.open(&outbound());
    }
    assert_eq!((rig.lines_of("open").len() - opened, evictions(rig) - evicted), (SLOTS, 0), "slots are lost");
    rig.open(&outbound());
    assert_eq!(evictions(rig) - evicted, 1, "there are more slots than before");
    rig.machine.stop_service("flowtag").unwrap();
    assert_eq!(rig.total("opened"), rig.total("closed"));
}

/// Opens a flow again and again, after `prepare` each time, and closes it if it lives.
fn assert_opening_leaves_the_ring_as_it_was(prepare: impl Fn(&Rig)) {
    let rig = Rig::with_small_ring();
    let before = (*rig.machine.wfp().switches()).clone();
    for _ in 0..RUNS {
        prepare(&rig);
        let flow = rig.open(&outbound());
        if rig.machine.wfp().flows().contains(&flow) {
            rig.close(flow);
        }
    }
    rig.set(|switches| *switches = before);
    assert_all_slots_are_free(&rig);
}

#[test]
fn flows_that_come_and_go() {
    assert_opening_leaves_the_ring_as_it_was(|_| {});
}

#[test]
fn associations_that_windows_refuses() {
    for nth in [1, 2] {
        for status in [status::NO_MEMORY, status::NOT_FOUND, status::INVALID_PARAMETER, status::OBJECT_NAME_EXISTS] {
            assert_opening_leaves_the_ring_as_it_was(|rig| rig.fail(ASSOCIATE, nth, Some(status)));
        }
    }
}

#[test]
fn first_associations_that_are_taken_back_late() {
    assert_opening_leaves_the_ring_as_it_was(|rig| {
        rig.machine.run_deferred_deletes().unwrap();
        rig.set(|switches| switches.removal = Removal::PendingUntilTold);
        rig.fail(ASSOCIATE, 2, Some(status::NO_MEMORY));
    });
}

#[test]
fn first_associations_that_cannot_be_taken_back_until_the_flow_ends() {
    assert_opening_leaves_the_ring_as_it_was(|rig| {
        rig.fail(ASSOCIATE, 2, Some(status::NO_MEMORY));
        rig.fail(REMOVE, 1, Some(status::UNSUCCESSFUL));
    });
}

#[test]
fn flows_that_end_while_they_are_tagged() {
    for nth in [1, 2] {
        for dying_flow in [DyingFlow::Refuse, DyingFlow::DeleteInline, DyingFlow::DeleteLater] {
            assert_opening_leaves_the_ring_as_it_was(|rig| {
                rig.set(|switches| {
                    switches.end_flow_after_associations = Some(nth);
                    switches.dying_flow = dying_flow;
                });
            });
        }
    }
}

#[test]
fn records_that_there_is_no_memory_for() {
    assert_opening_leaves_the_ring_as_it_was(|rig| rig.fail("ExAllocatePool2", 1, None));
}

#[test]
fn authorizations_that_are_refused_rundown_protection() {
    assert_opening_leaves_the_ring_as_it_was(|rig| rig.fail("ExAcquireRundownProtection", 1, None));
}

#[test]
fn connects_that_are_classified_twice() {
    assert_opening_leaves_the_ring_as_it_was(|rig| rig.set(|switches| switches.connect_twice = true));
}

#[test]
fn handles_that_are_used_again() {
    assert_opening_leaves_the_ring_as_it_was(|rig| rig.set(|switches| switches.handle_reuse = HandleReuse::AtOnce));
}

#[test]
fn tagged_flows_that_are_authorized_again() {
    let rig = Rig::with_small_ring();
    let flow = rig.open(&outbound());
    for _ in 0..RUNS {
        rig.machine.reauthorize(flow, Direction::Outbound).unwrap();
        rig.machine.authorize_again(flow).unwrap();
    }
    rig.close(flow);
    assert_all_slots_are_free(&rig);
}

#[test]
fn older_flows_that_find_the_ring_full() {
    let rig = Rig::installed(&[("TraceLevel", 1), ("MaxFlows", 16)]);
    let older: Vec<_> = (0..RUNS).map(|_| rig.open(&outbound())).collect();
    rig.start().unwrap();
    let tagged: Vec<_> = (0..SLOTS).map(|_| rig.open(&outbound())).collect();
    for &flow in &older {
        rig.send(flow, 1);
    }
    for flow in older.into_iter().chain(tagged) {
        rig.close(flow);
    }
    assert_all_slots_are_free(&rig);
}

#[test]
fn blocked_flows() {
    let rig = Rig::with_small_ring();
    let connect = layer::Layer { point: layer::Point::AuthConnect, family: layer::Family::V6 };
    rig.machine.add_foreign_filter(connect, 100, Verdict::Block).unwrap();
    for _ in 0..RUNS {
        rig.open(&over_v6(outbound()));
    }
    assert_all_slots_are_free(&rig);
}

/// Fills the ring, then opens flow after flow while Windows is told to let nobody be pushed out; then all flows end.
fn assert_hindered_evictions_leave_the_ring_as_it_was(hinder: impl Fn(&Rig)) {
    let rig = Rig::with_small_ring();
    for _ in 0..SLOTS {
        rig.open(&outbound());
    }
    hinder(&rig);
    for _ in 0..RUNS {
        rig.open(&outbound());
    }
    rig.set(|switches| switches.removal = Removal::AsDocumented);
    rig.machine.run_deferred_deletes().unwrap();
    for flow in rig.machine.wfp().flows() {
        rig.close(flow);
    }
    assert_all_slots_are_free(&rig);
}

#[test]
fn evictions_that_are_pending() {
    assert_hindered_evictions_leave_the_ring_as_it_was(|rig| {
        rig.set(|switches| switches.removal = Removal::PendingUntilTold);
    });
}

#[test]
fn evictions_that_windows_refuses() {
    assert_hindered_evictions_leave_the_ring_as_it_was(|rig| {
        rig.machine.faults().fail_times(REMOVE, 1, 2 * SLOTS as u64, Some(status::UNSUCCESSFUL));
    });
}

#[test]
fn drivers_that_are_started_and_stopped() {
    let rig = Rig::installed(&[("TraceLevel", 1), ("MaxFlows", 16)]);
    for _ in 0..RUNS {
        rig.start().unwrap();
        rig.open(&outbound());
        rig.stop();
    }
    rig.start().unwrap();
    assert_all_slots_are_free(&rig);
}
