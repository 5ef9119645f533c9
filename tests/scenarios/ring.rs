//! The ring full of flows.

use flowtag_simulator::wfp::{Direction, FlowHandle, Removal, layer::Field, status};

use flowtag_tests::rig::{Rig, field, outbound};

/// Fills the ring of 16; returns the flows, oldest first.
fn fill(rig: &Rig) -> Vec<FlowHandle> {
    (0..16).map(|_| rig.open(&outbound())).collect()
}

#[test]
fn a_full_ring_evicts_the_oldest_flow() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    let newcomer = rig.open(&outbound());
    assert_eq!(field(&rig.line("close", flows[0]), "why"), "evicted");
    rig.line("open", newcomer);
    rig.stop();
    assert_eq!(rig.total("evicted"), 1);
}

#[test]
fn an_evicted_flow_carries_traffic_untagged() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    rig.open(&outbound());
    rig.send(flows[0], 100);
    rig.close(flows[0]);
    assert_eq!(field(&rig.line("close", flows[0]), "bytes"), "0/0");
    rig.stop();
}

#[test]
fn with_a_pending_eviction_the_newcomer_goes_untracked_and_the_oldest_is_closed_later() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    rig.set(|switches| switches.removal = Removal::PendingUntilTold);
    rig.open(&outbound());
    assert_eq!(rig.lines_of("close").len(), 0);
    assert_eq!(rig.machine.run_deferred_deletes().unwrap(), 2);
    assert_eq!(field(&rig.line("close", flows[0]), "why"), "evicted");
    rig.set(|switches| switches.removal = Removal::AsDocumented);
    rig.stop();
    assert_eq!((rig.total("opened"), rig.total("untracked")), (16, 1));
}

#[test]
fn after_a_pending_eviction_the_freed_slot_is_used() {
    let rig = Rig::with_small_ring();
    fill(&rig);
    rig.set(|switches| switches.removal = Removal::PendingUntilTold);
    rig.open(&outbound());
    rig.machine.run_deferred_deletes().unwrap();
    let later = rig.open(&outbound());
    rig.line("open", later);
    rig.set(|switches| switches.removal = Removal::AsDocumented);
    rig.stop();
}

#[test]
fn an_eviction_that_windows_refuses_leaves_the_newcomer_untracked() {
    let rig = Rig::with_small_ring();
    fill(&rig);
    rig.machine.faults().fail_times("FwpsFlowRemoveContext0", 1, 2, Some(status::UNSUCCESSFUL));
    rig.open(&outbound());
    rig.stop();
    assert_eq!((rig.total("opened"), rig.total("untracked")), (16, 1));
}

#[test]
fn an_ended_flow_makes_room_without_eviction() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    rig.close(flows[7]);
    let newcomer = rig.open(&outbound());
    rig.line("open", newcomer);
    rig.stop();
    assert_eq!(rig.total("evicted"), 0);
}

#[test]
fn a_reauthorization_in_a_full_ring_evicts_nobody() {
    let rig = Rig::installed(&[("TraceLevel", 1), ("MaxFlows", 16)]);
    let older = rig.open(&outbound());
    rig.start().unwrap();
    fill(&rig);
    rig.send(older, 10);
    rig.stop();
    assert_eq!((rig.total("reauth_skipped"), rig.total("evicted")), (1, 0));
}

#[test]
fn reauthorizing_a_tagged_flow_in_a_full_ring_changes_nothing() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    rig.machine.reauthorize(flows[3], Direction::Outbound).unwrap();
    rig.send(flows[3], 10);
    rig.close(flows[3]);
    assert_eq!(field(&rig.line("close", flows[3]), "bytes"), "10/0");
    rig.stop();
}

#[test]
fn a_tagged_flow_that_is_authorized_again_without_flags_evicts_nobody() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    // Without flags the driver cannot tell that this is a reauthorization, nor that a redirected connect is classified
    // for the second time.
    rig.set(|switches| switches.empty_fields = vec![Field::Flags]);
    rig.machine.reauthorize(flows[0], Direction::Outbound).unwrap();
    rig.line("open", flows[0]);
    assert!(rig.lines_of("close").is_empty());
    rig.stop();
    assert_eq!((rig.total("evicted"), rig.total("already_tagged")), (0, 1));
}

#[test]
fn a_flow_whose_eviction_is_pending_is_busy() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    rig.set(|switches| switches.removal = Removal::PendingUntilTold);
    rig.open(&outbound());
    rig.machine.reauthorize(flows[0], Direction::Outbound).unwrap();
    rig.machine.run_deferred_deletes().unwrap();
    rig.set(|switches| switches.removal = Removal::AsDocumented);
    rig.stop();
    assert_eq!((rig.total("busy"), rig.total("already_tagged"), rig.total("opened")), (1, 0, 16));
}

#[test]
fn an_evicted_flow_is_tagged_anew_at_its_next_authorization() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    rig.open(&outbound());
    rig.close(flows[5]);
    rig.machine.reauthorize(flows[0], Direction::Outbound).unwrap();
    assert_eq!(
        rig.lines_of("open").iter().filter(|line| field(line, "flow") == format!("{:#x}", flows[0].0)).count(),
        2
    );
    rig.stop();
}

#[test]
fn thousands_of_short_flows_pass_through_a_small_ring() {
    let rig = Rig::with_small_ring();
    for _ in 0..2_000 {
        rig.open(&outbound());
    }
    rig.stop();
    assert_eq!((rig.total("opened"), rig.total("closed"), rig.total("evicted")), (2_000, 2_000, 1_984));
}
