//! A datagram to another machine.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use super::{
    super::report::{Message, now},
    begun, tell,
};

/// An address for documents, which nobody has (RFC 5737, TEST-NET-2), and the port of those who discard (RFC 863).
const NOBODY: (Ipv4Addr, u16) = (Ipv4Addr::new(198, 51, 100, 1), 9);

/// Sends it, as far as the next router. Where no network leads there, it says so.
pub(super) fn send(size: usize) -> anyhow::Result<()> {
    let opened = now();
    let sent = (|| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_ttl(1)?;
        socket.connect(NOBODY)?;
        let length = socket.send(&vec![b'f'; size])?;
        Ok::<_, std::io::Error>((socket.local_addr()?, length, socket))
    })();
    let (local, length, socket) = match sent {
        Ok(sent) => sent,
        Err(error) => return tell(&Message::Refused(format!("a datagram to another machine: {error}"))),
    };
    let mut talk = begun(false, false, local, SocketAddr::from(NOBODY), opened);
    talk.sent = length as u64;
    talk.closed = now();
    drop(socket);
    tell(&Message::Flow(talk))
}
