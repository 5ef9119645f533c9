//! Counting packets and bytes of tagged flows.

use flowtag_simulator::wfp::{Direction, FlowHandleField, FlowSpec, Packet};

use flowtag_tests::rig::{ICMP, ICMPV6, Rig, UDP, field, inbound, outbound, over_v6};

/// The close line of a flow on which `traffic` ran.
fn close_line(spec: &FlowSpec, traffic: impl FnOnce(&Rig, flowtag_simulator::wfp::FlowHandle)) -> String {
    let rig = Rig::started();
    let flow = rig.open(spec);
    traffic(&rig, flow);
    rig.close(flow);
    let line = rig.line("close", flow);
    rig.stop();
    line
}

#[test]
fn packets_and_payload_bytes_are_counted_each_way() {
    let line = close_line(&outbound(), |rig, flow| {
        rig.send(flow, 517);
        rig.send(flow, 100);
        rig.receive(flow, 1460);
    });
    assert_eq!((field(&line, "packets"), field(&line, "bytes")), ("2/1", "617/1460"));
}

#[test]
fn ipv6_is_counted_too() {
    let line = close_line(&over_v6(outbound()), |rig, flow| {
        rig.send(flow, 10);
        rig.receive(flow, 20);
    });
    assert_eq!((field(&line, "packets"), field(&line, "bytes")), ("1/1", "10/20"));
}

#[test]
fn every_net_buffer_of_a_batch_is_counted_without_its_header() {
    let line = close_line(&outbound(), |rig, flow| {
        let batch = Packet { payloads: vec![100, 200, 300], transport_header: 32 };
        rig.machine.transport(flow, Direction::Outbound, &batch).unwrap();
        rig.machine.transport(flow, Direction::Inbound, &batch).unwrap();
    });
    assert_eq!((field(&line, "packets"), field(&line, "bytes")), ("3/3", "600/600"));
}

#[test]
fn a_udp_header_is_not_payload() {
    let spec = FlowSpec { protocol: UDP, ..outbound() };
    let line = close_line(&spec, |rig, flow| {
        rig.machine.transport(flow, Direction::Outbound, &Packet::new(UDP, 48)).unwrap();
    });
    assert_eq!(field(&line, "bytes"), "48/0");
}

#[test]
fn an_icmp_message_is_all_payload() {
    let spec = FlowSpec { protocol: ICMP, ..outbound() };
    let line = close_line(&spec, |rig, flow| {
        rig.machine.transport(flow, Direction::Outbound, &Packet::new(ICMP, 64)).unwrap();
    });
    assert_eq!(field(&line, "bytes"), "64/0");
}

#[test]
fn the_header_of_an_icmp_message_counts_as_payload() {
    for transport_header in [8, 9] {
        assert_all_is_payload(&Packet { payloads: vec![64 - transport_header], transport_header });
    }
}

/// What WFP calls the header of a message of 64 bytes is payload here, whatever its length.
fn assert_all_is_payload(message: &Packet) {
    for spec in [FlowSpec { protocol: ICMP, ..outbound() }, over_v6(FlowSpec { protocol: ICMPV6, ..outbound() })] {
        let line = close_line(&spec, |rig, flow| {
            rig.machine.transport(flow, Direction::Outbound, message).unwrap();
        });
        assert_eq!(field(&line, "bytes"), "64/0", "protocol {}", spec.protocol);
    }
}

/// Each member of the metadata has a bit of its own (fwpsk.h, `FWPS_METADATA_FIELD_…`).
#[test]
fn a_header_is_no_payload_where_the_flow_s_handle_is_not_told() {
    let line = close_line(&outbound(), |rig, flow| {
        rig.set(|switches| switches.flow_handle = FlowHandleField::Absent);
        rig.send(flow, 100);
    });
    assert_eq!(field(&line, "bytes"), "100/0");
}

#[test]
fn the_packet_that_opens_an_accepted_flow_is_not_counted() {
    let rig = Rig::started();
    let flow = rig.machine.accept_flow(&inbound(), &Packet::new(UDP, 48)).unwrap();
    rig.receive(flow, 10);
    rig.close(flow);
    assert_eq!(field(&rig.line("close", flow), "bytes"), "0/10");
    rig.stop();
}

#[test]
fn the_first_packet_each_way_is_traced_at_level_2() {
    let rig = Rig::with_settings(&[("TraceLevel", 2)]);
    let flow = rig.open(&outbound());
    rig.send(flow, 517);
    rig.send(flow, 1);
    rig.receive(flow, 33);
    let firsts = rig.lines_of("first");
    assert_eq!(
        firsts,
        [
            format!("flowtag: first flow={:#x} pid=4242 dir=out bytes=517", flow.0),
            format!("flowtag: first flow={:#x} pid=4242 dir=in bytes=33", flow.0),
        ]
    );
    rig.stop();
}

#[test]
fn every_packet_is_traced_at_level_3() {
    let rig = Rig::with_settings(&[("TraceLevel", 3)]);
    let flow = rig.open(&outbound());
    rig.send(flow, 517);
    rig.send(flow, 1);
    assert_eq!(rig.lines_of("packet"), [format!("flowtag: packet flow={:#x} pid=4242 dir=out bytes=1", flow.0)]);
    rig.stop();
}

#[test]
fn of_a_batch_that_is_a_flow_s_first_the_first_packet_is_the_flow_s_first() {
    for (level, first, packets) in [(1, 0, 0), (2, 1, 0), (3, 1, 2)] {
        let rig = Rig::with_settings(&[("TraceLevel", level)]);
        let flow = rig.open(&outbound());
        let batch = Packet { payloads: vec![100, 200, 300], transport_header: 32 };
        rig.machine.transport(flow, Direction::Outbound, &batch).unwrap();
        let lines = |event| rig.lines_of(event);
        assert_eq!((lines("first").len(), lines("packet").len()), (first, packets), "level {level}: {:?}", rig.lines());
        assert!(lines("first").iter().all(|line| field(line, "bytes") == "100"), "level {level}");
        rig.stop();
    }
}

#[test]
fn the_first_packet_is_the_first_though_it_is_empty() {
    let rig = Rig::with_settings(&[("TraceLevel", 2)]);
    let flow = rig.open(&outbound());
    for payload in [0, 0, 517] {
        rig.send(flow, payload);
    }
    assert_eq!(rig.lines_of("first"), [format!("flowtag: first flow={:#x} pid=4242 dir=out bytes=0", flow.0)]);
    rig.stop();
}

#[test]
fn nothing_about_flows_is_traced_at_level_0() {
    let rig = Rig::with_settings(&[("TraceLevel", 0)]);
    let flow = rig.open(&outbound());
    rig.send(flow, 517);
    rig.close(flow);
    assert!(rig.lines().iter().all(|line| !line.contains("flow=0x")));
    rig.stop();
    assert_eq!(rig.total("opened"), 1);
}

#[test]
fn packets_of_untagged_flows_are_not_looked_at() {
    let rig = Rig::with_settings(&[("TraceLevel", 3)]);
    let flow = rig.open(&FlowSpec { pid: None, ..outbound() });
    rig.send(flow, 517);
    assert_eq!(rig.lines_of("first").len() + rig.lines_of("packet").len(), 0);
    rig.stop();
}

#[test]
fn a_packet_without_flow_passes() {
    let rig = Rig::started();
    let verdict = rig.machine.transport_without_flow(&outbound(), Direction::Outbound, &Packet::new(6, 0)).unwrap();
    assert_eq!(verdict, flowtag_simulator::wfp::Verdict::Permit);
    rig.stop();
}

#[test]
fn time_from_open_to_close_is_in_milliseconds() {
    let line = close_line(&outbound(), |rig, _| rig.machine.clock().advance(std::time::Duration::from_millis(840)));
    assert_eq!(field(&line, "ms"), "840");
}
