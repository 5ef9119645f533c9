//! From what single probes see to flows, as WFP has them.
//!
//! A TCP flow is one end of a connection and is known by its two addresses: the socket that a probe names is, until the handshake is done, that of the
//! listener. A UDP flow is one socket's exchange with one remote address and port: it begins with the first datagram either way (a `connect` sends none)
//! and ends with the socket. ICMP flows are told apart by the identifier of the echo request. What becomes of processes is in `processes`.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
};

use super::{
    event::{Direction, Event, Flow, Packet, Process, protocol},
    packet::{Headers, Transport},
    processes::Processes,
};

/// What one probe saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A process has begun to run a program.
    Begun(Process),
    /// A process exits.
    Exited {
        /// Its id.
        pid: u32,
        /// When it had begun, as in [`Process::created`].
        created: u64,
    },
    /// A process created a socket. Accepted sockets are not created in this sense.
    Created {
        /// The kernel's name for the socket.
        socket: u64,
        /// Who did.
        owner: Process,
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

/// The flows that are open.
#[derive(Debug, Default)]
pub struct Tracker {
    processes: Processes,
    owners: HashMap<u64, Process>,
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
            Observation::Begun(process) => self.processes.begin(process, events),
            Observation::Exited { pid, created } => self.processes.exit(pid, created, events),
            Observation::Created { socket, owner } => {
                self.processes.meet(&owner, events);
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
#[path = "tracker_tests.rs"]
mod tests;
