//! Echo requests over a raw socket, which needs the rights of an administrator (page *TCP/IP raw sockets*), or of root.

use std::{
    io::{self, Read},
    net::{IpAddr, SocketAddr},
    process,
    time::{Duration, Instant},
};

use anyhow::Result;
use etherparse::{
    IcmpEchoHeader, Icmpv4Header, Icmpv4Slice, Icmpv4Type, Icmpv6Header, Icmpv6Slice, Icmpv6Type, Ipv4HeaderSlice,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::{
    super::report::{Message, Talk, now},
    tell,
};
use crate::flows::{ICMP, ICMPV6};

/// How long to wait for a reply. That none comes is told by the bytes that were received.
const PATIENCE: Duration = Duration::from_secs(2);
/// The types of the two requests (RFC 792, RFC 4443), which events have for the port of this end (docs/events.md). Their code is 0.
const REQUEST: u16 = 8;
const REQUEST_V6: u16 = 128;

/// Sends an echo request to one of this machine's loopback addresses, and waits for its reply. Where the machine does not let it, it says so.
pub(super) fn request(address: IpAddr, size: usize) -> Result<()> {
    let opened = now();
    let mut socket = match open(address) {
        Ok(socket) => socket,
        Err(error) => {
            return tell(&Message::Refused(format!("a raw socket for an echo request to {address}: {error}")));
        }
    };
    // By its id a reply is told from those to other processes.
    let [low, high, ..] = process::id().to_le_bytes();
    let echo = IcmpEchoHeader { id: u16::from_le_bytes([low, high]), seq: 1 };
    let message = message(address, echo, size)?;
    let received = match socket.send(&message).and_then(|_| reply(&mut socket, address, echo)) {
        Ok(received) => received,
        Err(error) => return tell(&Message::Refused(format!("an echo request to {address}: {error}"))),
    };
    let (protocol, kind) = if address.is_ipv4() { (ICMP, REQUEST) } else { (ICMPV6, REQUEST_V6) };
    let closed = now();
    drop(socket);
    tell(&Message::Flow(Talk {
        protocol,
        inbound: false,
        local: SocketAddr::new(address, kind),
        remote: SocketAddr::new(address, 0),
        sent: message.len() as u64,
        received: received as u64,
        first: 0,
        opened,
        closed,
    }))
}

fn open(address: IpAddr) -> io::Result<Socket> {
    let (domain, protocol) =
        if address.is_ipv4() { (Domain::IPV4, Protocol::ICMPV4) } else { (Domain::IPV6, Protocol::ICMPV6) };
    let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
    // A loopback address has itself for its other end.
    socket.bind(&SocketAddr::new(address, 0).into())?;
    socket.connect(&SocketAddr::new(address, 0).into())?;
    Ok(socket)
}

fn message(address: IpAddr, echo: IcmpEchoHeader, size: usize) -> Result<Vec<u8>> {
    let payload = vec![b'f'; size];
    let header = match address {
        IpAddr::V4(_) => {
            Icmpv4Header::with_checksum(Icmpv4Type::EchoRequest(echo), &payload).to_bytes().as_slice().to_vec()
        }
        IpAddr::V6(ip) => {
            let kind = Icmpv6Type::EchoRequest(echo);
            Icmpv6Header::with_checksum(kind, ip.octets(), ip.octets(), &payload)?.to_bytes().as_slice().to_vec()
        }
    };
    Ok([header, payload].concat())
}

/// Waits for the reply, among copies of all else that comes for such sockets; how many bytes it has, 0 if it does not come.
fn reply(socket: &mut Socket, address: IpAddr, echo: IcmpEchoHeader) -> io::Result<usize> {
    let deadline = Instant::now() + PATIENCE;
    let mut buffer = vec![0; 65_536];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(0);
        }
        // On Windows socket2 counts whole milliseconds (0.6.5, sys/windows.rs), and 0 is no limit (page *SOL_SOCKET Socket Options*).
        socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let length = match socket.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => continue,
            Err(error) => return Err(error),
        };
        let replied = if address.is_ipv4() { reply_v4(&buffer[..length]) } else { reply_v6(&buffer[..length]) };
        if let Some((replied, length)) = replied
            && replied == echo
        {
            return Ok(length);
        }
    }
}

/// The echo reply in a datagram with its header, as raw sockets of IPv4 get it (page *TCP/IP raw sockets*, `raw(7)`), and its length.
fn reply_v4(datagram: &[u8]) -> Option<(IcmpEchoHeader, usize)> {
    let header = Ipv4HeaderSlice::from_slice(datagram).ok()?;
    let message = datagram.get(header.slice().len()..)?;
    match Icmpv4Slice::from_slice(message).ok()?.icmp_type() {
        Icmpv4Type::EchoReply(echo) => Some((echo, message.len())),
        _ => None,
    }
}

/// The same without that header, as those of IPv6 get it (RFC 3542).
fn reply_v6(message: &[u8]) -> Option<(IcmpEchoHeader, usize)> {
    match Icmpv6Slice::from_slice(message).ok()?.icmp_type() {
        Icmpv6Type::EchoReply(echo) => Some((echo, message.len())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use etherparse::PacketBuilder;

    use super::*;

    const ECHO: IcmpEchoHeader = IcmpEchoHeader { id: 0x1234, seq: 1 };

    #[test]
    fn a_request_has_id_and_payload_and_a_checksum_over_both() {
        let message = message(Ipv4Addr::LOCALHOST.into(), ECHO, 3).expect("it is short");

        let read = Icmpv4Slice::from_slice(&message).expect("it is one");
        assert_eq!((read.icmp_type(), read.payload()), (Icmpv4Type::EchoRequest(ECHO), b"fff".as_slice()));
        assert!(read.icmp_type().calc_checksum(read.payload()) == read.checksum());
    }

    #[test]
    fn a_request_of_ipv6_has_a_checksum_over_the_addresses_too() {
        let message = message(Ipv6Addr::LOCALHOST.into(), ECHO, 3).expect("it is short");

        let read = Icmpv6Slice::from_slice(&message).expect("it is one");
        let localhost = Ipv6Addr::LOCALHOST.octets();
        assert_eq!((read.icmp_type(), read.payload()), (Icmpv6Type::EchoRequest(ECHO), b"fff".as_slice()));
        assert!(read.is_checksum_valid(localhost, localhost));
    }

    #[test]
    fn a_reply_of_ipv4_comes_behind_the_header_and_is_the_whole_message() {
        let mut datagram = Vec::new();
        let packet = PacketBuilder::ipv4([127, 0, 0, 1], [127, 0, 0, 1], 64).icmpv4_echo_reply(0x1234, 1);
        packet.write(&mut datagram, b"fff").expect("there is room");

        assert_eq!(reply_v4(&datagram), Some((ECHO, 11)));
    }

    #[test]
    fn the_copy_of_a_request_is_no_reply() {
        let v4 = message(Ipv4Addr::LOCALHOST.into(), ECHO, 3).expect("it is short");
        let v6 = message(Ipv6Addr::LOCALHOST.into(), ECHO, 3).expect("it is short");
        let header = [0x45, 0, 0, 31, 0, 0, 0, 0, 64, 1, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];

        assert_eq!((reply_v4(&[&header, v4.as_slice()].concat()), reply_v6(&v6)), (None, None));
    }
}
