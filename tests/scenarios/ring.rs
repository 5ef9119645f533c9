//! The ring full of flows.

use flowtag_simulator::wfp::{Direction, FlowHandle, Removal, layer::Field, status};

use flowtag_tests::rig::{Rig, field, outbound};

/// Fills the ring of 16; returns the flows, oldest first.
fn fill(rig: &Rig) -> Vec<FlowHandle> {
    (0..16).map(|_| rig.open(&outbound())).collect()
}

#[test]
fn a_full_ring_of_idle_flows_evicts_the_oldest() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    let newcomer = rig.open(&outbound());
    assert_eq!(field(&rig.line("close", flows[0]), "why"), "evicted");
    rig.line("open", newcomer);
    rig.stop();
    assert_eq!(rig.total("evicted"), 1);
}

/// The handle of the only flow that has been evicted.
fn evicted(rig: &Rig) -> String {
    let lines = rig.lines_of("close");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(field(&lines[0], "why"), "evicted");
    field(&lines[0], "flow").to_owned()
}

/// As trace lines write it.
fn handle(flow: FlowHandle) -> String {
    format!("{:#x}", flow.0)
}

#[test]
fn a_flow_that_sent_something_lately_is_not_evicted() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    rig.send(flows[0], 100);
    rig.open(&outbound());
    assert_eq!(evicted(&rig), handle(flows[1]));
    rig.stop();
}

#[test]
fn a_flow_that_received_something_lately_is_not_evicted() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    rig.receive(flows[0], 100);
    rig.open(&outbound());
    assert_eq!(evicted(&rig), handle(flows[1]));
    rig.stop();
}

#[test]
fn a_flow_that_sent_as_much_as_it_received_lately_is_not_evicted() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    rig.send(flows[0], 100);
    rig.receive(flows[0], 100);
    rig.open(&outbound());
    assert_eq!(evicted(&rig), handle(flows[1]));
    rig.stop();
}

#[test]
fn a_flow_that_sent_something_before_half_the_ring_was_younger_is_evicted() {
    let rig = Rig::with_small_ring();
    let first = rig.open(&outbound());
    rig.send(first, 100);
    (0..16).for_each(|_| _ = rig.open(&outbound()));
    assert_eq!(evicted(&rig), handle(first));
    rig.stop();
}

#[test]
fn a_flow_that_was_spared_and_sent_nothing_since_is_evicted_after_the_other_old_ones() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    rig.send(flows[0], 100);
    // Half of the ring is old: seven go, and then the first.
    (0..8).for_each(|_| _ = rig.open(&outbound()));
    let evicted: Vec<_> = rig.lines_of("close").iter().map(|line| field(line, "flow").to_owned()).collect();
    let expected: Vec<_> = flows[1..8].iter().chain([&flows[0]]).map(|flow| handle(*flow)).collect();
    assert_eq!(evicted, expected);
    rig.stop();
}

/// Opens a flow at a time, each after these have sent something, until one is evicted. Says how many were in vain.
fn open_until_one_is_evicted(rig: &Rig, senders: &[FlowHandle]) -> usize {
    let mut in_vain = 0;
    while rig.lines_of("close").is_empty() {
        assert!(in_vain < 100, "nobody is evicted");
        for flow in senders {
            rig.send(*flow, 100);
        }
        let opened = rig.lines_of("open").len();
        rig.open(&outbound());
        in_vain += usize::from(rig.lines_of("open").len() == opened);
    }
    in_vain
}

#[test]
fn where_all_flows_are_in_use_sixteen_newcomers_go_untracked_before_one_is_evicted() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    assert_eq!(open_until_one_is_evicted(&rig, &flows), 16);
    rig.stop();
    assert_eq!((rig.total("untracked"), rig.total("evicted")), (16, 1));
}

#[test]
fn where_all_flows_are_in_use_the_one_that_sent_least_is_evicted() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    let others: Vec<_> = flows.iter().copied().filter(|flow| *flow != flows[5]).collect();
    open_until_one_is_evicted(&rig, &[&flows[..], &others].concat());
    assert_eq!(evicted(&rig), handle(flows[5]));
    rig.stop();
}

#[test]
fn where_all_flows_are_in_use_and_sent_as_much_the_oldest_is_evicted() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    open_until_one_is_evicted(&rig, &flows);
    assert_eq!(evicted(&rig), handle(flows[0]));
    rig.stop();
}

#[test]
fn a_newcomer_that_finds_room_begins_the_sixteen_anew() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    for _ in 0..16 {
        for flow in &flows {
            rig.send(*flow, 100);
        }
        rig.open(&outbound());
    }
    rig.close(flows[15]);
    rig.open(&outbound());
    flows[..15].iter().for_each(|flow| rig.send(*flow, 100));
    rig.open(&outbound());
    rig.stop();
    assert_eq!((rig.total("untracked"), rig.total("evicted")), (17, 0));
}

#[test]
fn an_eviction_looks_at_eight_flows_and_no_more() {
    let rig = Rig::with_settings(&[("TraceLevel", 1), ("MaxFlows", 32)]);
    let flows: Vec<_> = (0..32).map(|_| rig.open(&outbound())).collect();
    flows[..8].iter().for_each(|flow| rig.send(*flow, 100));
    rig.open(&outbound());
    assert!(rig.lines_of("close").is_empty());
    rig.open(&outbound());
    assert_eq!(evicted(&rig), handle(flows[8]));
    rig.stop();
}

#[test]
fn no_flow_is_looked_at_twice_for_one_newcomer() {
    let rig = Rig::with_small_ring();
    let flows = fill(&rig);
    rig.set(|switches| switches.removal = Removal::PendingUntilTold);
    // Seven old flows are left to look at.
    rig.open(&outbound());
    flows[1..8].iter().for_each(|flow| rig.send(*flow, 100));
    rig.open(&outbound());
    rig.machine.run_deferred_deletes().unwrap();
    assert_eq!(evicted(&rig), handle(flows[0]));
    rig.set(|switches| switches.removal = Removal::AsDocumented);
    rig.stop();
}

#[test]
fn a_young_flow_is_evicted_where_none_is_old() {
    let rig = Rig::with_small_ring();
    fill(&rig);
    rig.set(|switches| switches.removal = Removal::PendingUntilTold);
    // The eighth is the last of the old ones.
    (0..9).for_each(|_| _ = rig.open(&outbound()));
    rig.machine.run_deferred_deletes().unwrap();
    assert_eq!(rig.lines_of("close").len(), 9);
    rig.set(|switches| switches.removal = Removal::AsDocumented);
    rig.stop();
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
    assert_eq!(rig.lines_of("open").iter().filter(|line| field(line, "flow") == handle(flows[0])).count(), 2);
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
