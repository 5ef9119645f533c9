//! Flows that are authorized again: those older than the driver, and tagged ones.

use flowtag_simulator::wfp::{Direction, layer::Field};

use flowtag_tests::rig::{Rig, field, inbound, outbound, over_v6};

#[test]
fn an_outbound_flow_older_than_the_driver_is_tagged_at_its_next_packet() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    let older = rig.open(&outbound());
    rig.start().unwrap();
    rig.send(older, 10);
    assert_eq!(field(&rig.line("open", older), "origin"), "reauth");
    rig.stop();
}

#[test]
fn an_inbound_packet_reauthorizes_an_outbound_flow() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    let older = rig.open(&outbound());
    rig.start().unwrap();
    rig.receive(older, 10);
    let line = rig.line("open", older);
    assert_eq!((field(&line, "origin"), field(&line, "dir")), ("reauth", "out"));
    rig.stop();
}

#[test]
fn an_accepted_flow_older_than_the_driver_is_tagged() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    let older = rig.open(&inbound());
    rig.start().unwrap();
    rig.send(older, 10);
    let line = rig.line("open", older);
    assert_eq!((field(&line, "origin"), field(&line, "dir")), ("reauth", "in"));
    rig.stop();
}

#[test]
fn ipv6_flows_older_than_the_driver_are_told_from_new_ones() {
    for spec in [outbound(), inbound()] {
        let rig = Rig::installed(&[("TraceLevel", 1)]);
        let older = rig.open(&over_v6(spec.clone()));
        rig.start().unwrap();
        rig.send(older, 10);
        let newer = rig.open(&over_v6(spec));
        assert_eq!(field(&rig.line("open", older), "origin"), "reauth");
        assert_eq!(field(&rig.line("open", newer), "origin"), "new");
        rig.stop();
    }
}

#[test]
fn fields_that_are_empty_on_reauthorization_are_shown_as_unknown() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    rig.set(|switches| {
        switches.empty_on_reauthorization =
            vec![Field::LocalAddress, Field::LocalPort, Field::RemoteAddress, Field::RemotePort, Field::Protocol];
    });
    let older = rig.open(&outbound());
    rig.start().unwrap();
    rig.send(older, 10);
    let line = rig.line("open", older);
    assert_eq!((field(&line, "origin"), field(&line, "proto")), ("reauth", "-"));
    rig.stop();
}

#[test]
fn an_empty_flags_field_is_not_taken_for_a_reauthorization() {
    let rig = Rig::started();
    rig.set(|switches| switches.empty_fields = vec![Field::Flags]);
    let flow = rig.open(&outbound());
    assert_eq!(field(&rig.line("open", flow), "origin"), "new");
    rig.stop();
}

#[test]
fn reauthorizing_a_tagged_flow_keeps_its_tag_and_counters() {
    let rig = Rig::started();
    let flow = rig.open(&outbound());
    rig.send(flow, 10);
    rig.machine.reauthorize(flow, Direction::Inbound).unwrap();
    rig.send(flow, 5);
    rig.close(flow);
    assert_eq!(field(&rig.line("close", flow), "bytes"), "15/0");
    rig.line("open", flow);
    rig.stop();
    assert_eq!(rig.total("already_tagged"), 1);
}

#[test]
fn an_expired_udp_flow_is_a_new_one_at_its_next_packet() {
    let rig = Rig::started();
    let first = rig.open(&outbound());
    let second = rig.machine.expire_flow(first).unwrap();
    assert_ne!(first, second);
    rig.line("close", first);
    rig.line("open", second);
    rig.stop();
}

/// What the driver has, and what it has done to get it: blocks of pool, contexts, lines, and calls but for those of the
/// two functions that raise and lower the IRQL.
fn possessions(rig: &Rig) -> [u64; 4] {
    let faults = rig.machine.faults();
    let calls = faults.all_calls() - faults.calls("KfRaiseIrql") - faults.calls("KeLowerIrql");
    [rig.machine.pool().live_count() as u64, rig.machine.wfp().contexts(), rig.lines().len() as u64, calls]
}

#[test]
fn ten_thousand_reauthorizations_of_a_tagged_flow_leave_everything_as_it_was() {
    for ring in [16, 65_536] {
        let rig = Rig::with_settings(&[("TraceLevel", 3), ("MaxFlows", ring)]);
        let flow = rig.open(&outbound());
        let before = possessions(&rig);
        for _ in 0..10_000 {
            rig.machine.reauthorize(flow, Direction::Outbound).unwrap();
        }
        assert_eq!(possessions(&rig), before, "in a ring of {ring}");
        rig.stop();
        assert_eq!((rig.total("opened"), rig.total("already_tagged")), (1, 10_000));
    }
}

#[test]
fn a_reauthorization_of_each_of_ten_thousand_tagged_flows_leaves_everything_as_it_was() {
    let rig = Rig::with_settings(&[("TraceLevel", 3), ("MaxFlows", 10_000)]);
    let flows: Vec<_> = (0..10_000).map(|_| rig.open(&outbound())).collect();
    let before = possessions(&rig);
    for flow in flows {
        rig.machine.reauthorize(flow, Direction::Outbound).unwrap();
    }
    assert_eq!(possessions(&rig), before);
    rig.stop();
    assert_eq!((rig.total("opened"), rig.total("already_tagged")), (10_000, 10_000));
}

#[test]
fn a_reauthorization_of_each_of_ten_thousand_flows_leaves_a_ring_of_sixteen_as_it_was() {
    let rig = Rig::installed(&[("TraceLevel", 1), ("MaxFlows", 16)]);
    let flows: Vec<_> = (0..10_000).map(|_| rig.open(&outbound())).collect();
    rig.start().unwrap();
    for flow in &flows[..16] {
        rig.machine.reauthorize(*flow, Direction::Outbound).unwrap();
    }
    let [blocks, contexts, lines, _] = possessions(&rig);
    for flow in flows {
        rig.machine.reauthorize(flow, Direction::Outbound).unwrap();
    }
    let [blocks_after, contexts_after, lines_after, _] = possessions(&rig);
    // The one line says that flows are skipped.
    assert_eq!((blocks_after, contexts_after, lines_after), (blocks, contexts, lines + 1));
    rig.stop();
    let totals = ["opened", "already_tagged", "reauth_skipped", "evicted"].map(|name| rig.total(name));
    assert_eq!(totals, [16, 16, 10_000 - 16, 0]);
}
