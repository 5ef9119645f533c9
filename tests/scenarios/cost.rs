//! What a tag costs the driver, counted instruction by instruction. `cargo xtask bench` measures more.

use flowtag_simulator::wfp::{Direction, FlowHandle, Packet};

use flowtag_tests::rig::{Rig, TCP, outbound};

/// Instructions of the driver for one more packet.
fn packet(rig: &Rig, flow: FlowHandle) -> u64 {
    let send = || rig.machine.transport(flow, Direction::Outbound, &Packet::new(TCP, 100)).unwrap();
    rig.machine.run(|cpu| cpu.count_instructions(send)).unwrap().1.count()
}

#[test]
fn a_packet_of_a_tagged_flow_takes_sixty_instructions_at_most() {
    let rig = Rig::started();
    let flow = rig.open(&outbound());
    rig.send(flow, 100);
    assert!((1..=60).contains(&packet(&rig, flow)));
}

#[test]
fn the_same_packet_takes_the_same_instructions_again() {
    let rig = Rig::started();
    let flow = rig.open(&outbound());
    rig.send(flow, 100);
    assert_eq!(packet(&rig, flow), packet(&rig, flow));
}

#[test]
fn a_packet_of_a_tagged_flow_calls_no_import() {
    let rig = Rig::started();
    let flow = rig.open(&outbound());
    rig.send(flow, 100);
    let before = rig.machine.faults().all_calls();
    rig.send(flow, 100);
    assert_eq!(rig.machine.faults().all_calls(), before);
}

#[test]
fn the_driver_goes_on_as_before_when_its_instructions_have_been_counted() {
    let rig = Rig::started();
    let flow = rig.open(&outbound());
    packet(&rig, flow);
    rig.close(flow);
    rig.stop();
}
