use super::*;

const CLIENT: &str = "127.0.0.1:50000";
const SERVER: &str = "127.0.0.1:80";

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn process(pid: u32) -> Process {
    Process { pid, parent: 1, created: 5, path: Some(format!("/bin/{pid}")) }
}

fn created(socket: u64, pid: u32) -> Observation {
    Observation::Created { socket, owner: process(pid) }
}

fn packet(
    socket: u64,
    direction: Direction,
    transport: Transport,
    source: &str,
    destination: &str,
    payload: u32,
) -> Observation {
    let header = match transport {
        Transport::Tcp { .. } => 20,
        Transport::Udp => 8,
        Transport::Echo { .. } => 0,
    };
    let headers =
        Headers { source: at(source), destination: at(destination), transport, packet: Packet { header, payload } };
    Observation::Packet { socket, direction, headers }
}

/// What follows about flows.
fn run(seen: Vec<Observation>) -> Vec<Event> {
    let mut events = all(seen);
    events.retain(|event| !matches!(event, Event::Begin(_) | Event::Exit { .. }));
    events
}

fn all(seen: Vec<Observation>) -> Vec<Event> {
    let (mut tracker, mut events) = (Tracker::default(), Vec::new());
    for observation in seen {
        tracker.observe(observation, &mut events);
    }
    events
}

fn opened(event: &Event) -> &Flow {
    match event {
        Event::Open { flow, .. } => flow,
        other => panic!("{other:?} is not the beginning of a flow"),
    }
}

const SYN: Transport = Transport::Tcp { opens: true };
const SEGMENT: Transport = Transport::Tcp { opens: false };
use Direction::{Inbound, Outbound};

#[test]
fn an_owner_begins_before_its_flow_and_may_exit_before_it_ends() {
    let events = all(vec![
        Observation::Begun(process(42)),
        created(7, 42),
        packet(7, Outbound, Transport::Udp, CLIENT, SERVER, 3),
        Observation::Exited { pid: 42, created: 5 },
        packet(7, Outbound, Transport::Udp, CLIENT, "127.0.0.1:81", 3),
    ]);

    assert_eq!(events[0], Event::Begin(process(42)));
    assert_eq!(opened(&events[1]).pid, Some(42));
    assert_eq!(events[3], Event::Exit { pid: 42 });
    assert_eq!(opened(&events[4]).pid, Some(42), "it goes on in the name of the process that made the socket");
}

#[test]
fn an_owner_that_was_not_heard_of_begins_with_its_socket() {
    assert_eq!(all(vec![created(7, 42), created(8, 42)]), [Event::Begin(process(42))]);
}

#[test]
fn a_connect_opens_a_flow_of_the_creator_before_its_syn() {
    let events = run(vec![
        created(7, 42),
        Observation::Connecting { socket: 7, local: at(CLIENT), remote: at(SERVER) },
        packet(7, Outbound, SYN, CLIENT, SERVER, 0),
    ]);

    let flow = opened(&events[0]);
    assert_eq!((flow.pid, flow.path.as_deref(), flow.direction), (Some(42), Some("/bin/42"), Outbound));
    assert_eq!((flow.local, flow.remote), (at(CLIENT), at(SERVER)));
    assert_eq!(
        events[1],
        Event::Packet { flow: flow.id, direction: Outbound, packet: Packet { header: 20, payload: 0 } }
    );
}

#[test]
fn an_arriving_syn_opens_a_flow_of_the_listeners_creator_and_is_not_its_packet() {
    let events = run(vec![created(3, 80), packet(3, Inbound, SYN, CLIENT, SERVER, 0)]);

    let flow = opened(&events[0]);
    assert_eq!((flow.pid, flow.direction, flow.local, flow.remote), (Some(80), Inbound, at(SERVER), at(CLIENT)));
    assert!(matches!(events[0], Event::Open { arrived: Some(Packet { header: 20, payload: 0 }), .. }));
    assert_eq!(events.len(), 1);
}

#[test]
fn the_handshake_on_the_listener_and_the_data_on_the_child_are_one_flow() {
    let events = run(vec![
        created(3, 80),
        packet(3, Inbound, SYN, CLIENT, SERVER, 0),
        packet(3, Outbound, SEGMENT, SERVER, CLIENT, 0),
        packet(3, Inbound, SEGMENT, CLIENT, SERVER, 0),
        Observation::Accepted { local: at(SERVER), remote: at(CLIENT) },
        packet(99, Inbound, SEGMENT, CLIENT, SERVER, 500),
    ]);

    let flow = opened(&events[0]).id;
    assert_eq!(events.len(), 4);
    assert!(events[1..].iter().all(|event| matches!(event, Event::Packet { flow: of, .. } if *of == flow)));
}

#[test]
fn both_ends_of_a_loopback_connection_are_flows_of_their_own() {
    let events = run(vec![
        created(3, 80),
        created(7, 42),
        Observation::Connecting { socket: 7, local: at(CLIENT), remote: at(SERVER) },
        packet(7, Outbound, SYN, CLIENT, SERVER, 0),
        packet(3, Inbound, SYN, CLIENT, SERVER, 0),
    ]);

    assert_ne!(opened(&events[0]).id, opened(&events[2]).id);
    assert_eq!((opened(&events[0]).pid, opened(&events[2]).pid), (Some(42), Some(80)));
}

#[test]
fn a_tcp_flow_outlives_its_socket_and_ends_at_tcp_close() {
    let events = run(vec![
        created(7, 42),
        Observation::Connecting { socket: 7, local: at(CLIENT), remote: at(SERVER) },
        Observation::Released { socket: 7 },
        packet(7, Outbound, SEGMENT, CLIENT, SERVER, 0),
        Observation::Closed { local: at(CLIENT), remote: at(SERVER) },
    ]);

    let flow = opened(&events[0]).id;
    assert!(matches!(events[1], Event::Packet { .. }));
    assert_eq!(events[2], Event::Close { flow });
}

#[test]
fn an_accepted_flow_outlives_its_listener() {
    let events = run(vec![
        created(3, 80),
        packet(3, Inbound, SYN, CLIENT, SERVER, 0),
        Observation::Accepted { local: at(SERVER), remote: at(CLIENT) },
        Observation::Released { socket: 3 },
    ]);

    assert_eq!(events.len(), 1);
}

#[test]
fn a_half_open_flow_ends_with_its_listener() {
    let events =
        run(vec![created(3, 80), packet(3, Inbound, SYN, CLIENT, SERVER, 0), Observation::Released { socket: 3 }]);

    assert_eq!(events[1], Event::Close { flow: opened(&events[0]).id });
}

#[test]
fn a_segment_after_the_end_has_no_flow() {
    let events = run(vec![
        Observation::Connecting { socket: 7, local: at(CLIENT), remote: at(SERVER) },
        Observation::Closed { local: at(CLIENT), remote: at(SERVER) },
        packet(7, Outbound, SEGMENT, CLIENT, SERVER, 0),
    ]);

    assert_eq!(events.len(), 2);
}

#[test]
fn the_same_addresses_again_are_a_new_flow() {
    let connecting = || Observation::Connecting { socket: 7, local: at(CLIENT), remote: at(SERVER) };
    let events = run(vec![connecting(), Observation::Closed { local: at(CLIENT), remote: at(SERVER) }, connecting()]);

    assert_ne!(opened(&events[0]).id, opened(&events[2]).id);
}

#[test]
fn a_sent_datagram_opens_an_outbound_flow_and_is_its_first_packet() {
    let events = run(vec![created(5, 53), packet(5, Outbound, Transport::Udp, CLIENT, SERVER, 12)]);

    let flow = opened(&events[0]);
    assert_eq!((flow.direction, flow.protocol, flow.pid), (Outbound, protocol::UDP, Some(53)));
    assert_eq!(
        events[1],
        Event::Packet { flow: flow.id, direction: Outbound, packet: Packet { header: 8, payload: 12 } }
    );
}

#[test]
fn an_arriving_datagram_opens_an_inbound_flow_and_is_not_its_packet() {
    let events = run(vec![
        created(5, 53),
        packet(5, Inbound, Transport::Udp, CLIENT, SERVER, 12),
        packet(5, Inbound, Transport::Udp, CLIENT, SERVER, 13),
    ]);

    assert!(matches!(events[0], Event::Open { arrived: Some(Packet { payload: 12, .. }), .. }));
    assert!(matches!(events[1], Event::Packet { packet: Packet { payload: 13, .. }, .. }));
    assert_eq!(events.len(), 2);
}

#[test]
fn a_udp_socket_has_one_flow_for_each_remote_address_and_port() {
    let events = run(vec![
        packet(5, Outbound, Transport::Udp, SERVER, "127.0.0.1:1000", 1),
        packet(5, Outbound, Transport::Udp, SERVER, "127.0.0.1:1001", 1),
        packet(5, Outbound, Transport::Udp, SERVER, "127.0.0.1:1000", 1),
    ]);

    let flows = events.iter().filter(|event| matches!(event, Event::Open { .. })).count();
    assert_eq!((flows, events.len()), (2, 5));
}

#[test]
fn all_udp_flows_of_a_socket_end_with_it() {
    let events = run(vec![
        packet(5, Outbound, Transport::Udp, SERVER, "127.0.0.1:1001", 1),
        packet(5, Outbound, Transport::Udp, SERVER, "127.0.0.1:1000", 1),
        Observation::Released { socket: 5 },
    ]);

    assert_eq!(events.iter().filter(|event| matches!(event, Event::Close { .. })).count(), 2);
}

#[test]
fn a_socket_nobody_was_seen_to_create_has_no_pid() {
    let events = run(vec![packet(5, Outbound, Transport::Udp, CLIENT, SERVER, 1)]);

    assert_eq!(opened(&events[0]).pid, None);
}

#[test]
fn an_echo_request_and_its_reply_are_one_flow() {
    let echo = |reply| Transport::Echo { protocol: protocol::ICMP, kind: 8, reply, id: 9 };
    let events = run(vec![
        packet(5, Outbound, echo(false), "127.0.0.1:0", "127.0.0.2:0", 64),
        packet(5, Inbound, echo(true), "127.0.0.2:0", "127.0.0.1:0", 64),
    ]);

    assert_eq!((opened(&events[0]).local, opened(&events[0]).remote), (at("127.0.0.1:8"), at("127.0.0.2:0")));
    assert!(matches!(events[2], Event::Packet { direction: Inbound, .. }));
}

#[test]
fn the_copy_of_an_echo_that_a_raw_socket_gets_opens_nothing() {
    let echo = Transport::Echo { protocol: protocol::ICMP, kind: 8, reply: false, id: 9 };
    let events = run(vec![packet(5, Inbound, echo, "127.0.0.1:0", "127.0.0.1:0", 64)]);

    assert_eq!(events, []);
}
