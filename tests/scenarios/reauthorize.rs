//! Flows that are authorized again: those older than the driver, and tagged ones.

use flowtag_simulator::wfp::{Direction, layer::Field};

use flowtag_tests::rig::{Rig, field, inbound, outbound};

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
