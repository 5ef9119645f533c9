//! From what single probes see to flows, as WFP has them.
//!
//! A TCP flow is one end of a connection and is known by its two addresses: the socket that a probe names is, until the handshake is done, that of the
//! listener. A UDP flow is one socket's exchange with one remote address and port: it begins with the first datagram either way (a `connect` sends none)
//! and ends with the socket. ICMP flows are told apart by the identifier of the echo request.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
};

use super::{
    event::{Direction, Event, Flow, Packet, protocol},
    packet::{Headers, Transport},
};

/// What one probe saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A process created a socket. Accepted sockets are not created in this sense.
    Created {
        /// The kernel's name for the socket.
        socket: u64,
        /// Who did.
        owner: Owner,
    },
    /// The last handle to a socket was closed. TCP goes on: it still has to say good-bye.
    Released {
        /// The socket.
        socket: u64,
    },
    /// A TCP connect is about to send its SYN.
    Connecting {
        /// The socket.
        socket: u64,
        /// This end.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
    },
    /// A TCP handshake from outside is complete: the connection no longer depends on the listener.
    Accepted {
        /// This end.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
    },
    /// A TCP connection is over.
    Closed {
        /// This end.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
    },
    /// A packet.
    Packet {
        /// The socket that it comes from or goes to; of a handshake from outside, the listener.
        socket: u64,
        /// Which way it goes.
        direction: Direction,
        /// Its headers.
        headers: Headers,
    },
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its id.
    pub pid: u32,
    /// Its program file, if it could still be asked.
    pub path: Option<String>,
}

/// The flows that are open.
#[derive(Debug, Default)]
pub struct Tracker {
    owners: HashMap<u64, Owner>,
    tcp: HashMap<(SocketAddr, SocketAddr), Connection>,
    /// Per socket, in order, so that the flows of a closed socket end in the same order each time.
    datagrams: HashMap<u64, BTreeMap<Peer, u64>>,
    last: u64,
}

#[derive(Debug)]
struct Connection {
    flow: u64,
    /// The listener of a handshake that is not complete: should it go, the connection goes with it.
    listener: Option<u64>,
}

/// Where a flow leads.
#[derive(Clone, Copy)]
struct Way {
    direction: Direction,
    protocol: u8,
    local: SocketAddr,
    remote: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    Udp(SocketAddr),
    Echo(SocketAddr, u16),
}

impl Tracker {
    /// Takes in what a probe saw and appends what follows from it to `events`.
    pub fn observe(&mut self, seen: Observation, events: &mut Vec<Event>) {
        match seen {
            Observation::Created { socket, owner } => {
                self.owners.insert(socket, owner);
            }
            Observation::Released { socket } => self.release(socket, events),
            Observation::Connecting { socket, local, remote } => {
                let way = Way { direction: Direction::Outbound, protocol: protocol::TCP, local, remote };
                let flow = self.open(socket, way, None, events);
                self.tcp.insert((local, remote), Connection { flow, listener: None });
            }
            Observation::Accepted { local, remote } => {
                if let Some(connection) = self.tcp.get_mut(&(local, remote)) {
                    connection.listener = None;
                }
            }
            Observation::Closed { local, remote } => {
                if let Some(Connection { flow, .. }) = self.tcp.remove(&(local, remote)) {
                    events.push(Event::Close { flow });
                }
            }
            Observation::Packet { socket, direction, headers } => self.packet(socket, direction, &headers, events),
        }
    }

    fn packet(&mut self, socket: u64, direction: Direction, headers: &Headers, events: &mut Vec<Event>) {
        let (local, remote) = match direction {
            Direction::Outbound => (headers.source, headers.destination),
            Direction::Inbound => (headers.destination, headers.source),
        };
        let packet = headers.packet;
        let flow = match headers.transport {
            Transport::Tcp { opens } => {
                let way = Way { direction, protocol: protocol::TCP, local, remote };
                self.segment(socket, way, opens, packet, events)
            }
            Transport::Udp => {
                let way = Way { direction, protocol: protocol::UDP, local, remote };
                self.datagram(socket, way, packet, events)
            }
            Transport::Echo { protocol, kind, reply, id } => {
                let way = Way {
                    direction,
                    protocol,
                    local: SocketAddr::new(local.ip(), kind.into()),
                    remote: SocketAddr::new(remote.ip(), 0),
                };
                self.echo(socket, way, reply, id, events)
            }
        };
        if let Some(flow) = flow {
            events.push(Event::Packet { flow, direction, packet });
        }
    }

    /// The flow that a TCP segment belongs to.
    fn segment(&mut self, socket: u64, way: Way, opens: bool, packet: Packet, events: &mut Vec<Event>) -> Option<u64> {
        let ends = (way.local, way.remote);
        if let Some(connection) = self.tcp.get(&ends) {
            return Some(connection.flow);
        }
        // Segments after the end (RST, the last ACK) have no flow, on Windows neither.
        if opens && way.direction == Direction::Inbound {
            let flow = self.open(socket, way, Some(packet), events);
            self.tcp.insert(ends, Connection { flow, listener: Some(socket) });
        }
        None
    }

    /// The flow that a UDP datagram belongs to.
    fn datagram(&mut self, socket: u64, way: Way, packet: Packet, events: &mut Vec<Event>) -> Option<u64> {
        let peer = Peer::Udp(way.remote);
        if let Some(flow) = self.known(socket, peer) {
            return Some(flow);
        }
        let arrived = (way.direction == Direction::Inbound).then_some(packet);
        let flow = self.open(socket, way, arrived, events);
        self.datagrams.entry(socket).or_default().insert(peer, flow);
        arrived.is_none().then_some(flow)
    }

    /// The flow that an echo request or reply belongs to: that of the socket which sent the request. A raw ICMP socket gets copies of all others.
    fn echo(&mut self, socket: u64, way: Way, reply: bool, id: u16, events: &mut Vec<Event>) -> Option<u64> {
        if reply != (way.direction == Direction::Inbound) {
            return None;
        }
        let peer = Peer::Echo(way.remote, id);
        let known = self.known(socket, peer);
        if known.is_some() || reply {
            return known;
        }
        let flow = self.open(socket, way, None, events);
        self.datagrams.entry(socket).or_default().insert(peer, flow);
        Some(flow)
    }

    fn known(&self, socket: u64, peer: Peer) -> Option<u64> {
        self.datagrams.get(&socket)?.get(&peer).copied()
    }

    fn open(&mut self, socket: u64, way: Way, arrived: Option<Packet>, events: &mut Vec<Event>) -> u64 {
        self.last += 1;
        let (pid, path) = match self.owners.get(&socket) {
            Some(owner) => (Some(owner.pid), owner.path.clone()),
            None => (None, None),
        };
        let Way { direction, protocol, local, remote } = way;
        events
            .push(Event::Open { flow: Flow { id: self.last, pid, path, direction, protocol, local, remote }, arrived });
        self.last
    }

    fn release(&mut self, socket: u64, events: &mut Vec<Event>) {
        self.owners.remove(&socket);
        for flow in self.datagrams.remove(&socket).unwrap_or_default().into_values() {
            events.push(Event::Close { flow });
        }
        let mut half_open: Vec<u64> = self
            .tcp
            .extract_if(|_, connection| connection.listener == Some(socket))
            .map(|(_, connection)| connection.flow)
            .collect();
        half_open.sort_unstable();
        events.extend(half_open.into_iter().map(|flow| Event::Close { flow }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "127.0.0.1:50000";
    const SERVER: &str = "127.0.0.1:80";

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    fn created(socket: u64, pid: u32) -> Observation {
        Observation::Created { socket, owner: Owner { pid, path: Some(format!("/bin/{pid}")) } }
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

    fn run(seen: Vec<Observation>) -> Vec<Event> {
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
        let events =
            run(vec![connecting(), Observation::Closed { local: at(CLIENT), remote: at(SERVER) }, connecting()]);

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
}
