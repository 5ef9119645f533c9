//! The side that opens flows.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, UdpSocket},
};

use anyhow::{Context, Result, ensure};

use super::{
    super::report::{Message, Talk, now},
    PATIENCE, Server, begun, tell,
};

/// Opens a flow to each server, and one after the other again, and closes each when one round is done.
pub(super) fn pass(servers: &[Server], size: usize, count: u32) -> Result<()> {
    for _ in 0..count {
        for server in servers {
            let mut flow = OpenFlow::connect(*server)?;
            flow.round(size)?;
            flow.finish()?;
        }
    }
    Ok(())
}

/// Opens a flow to each server, and keeps all of them.
pub(super) fn hold(servers: &[Server], size: usize) -> Result<()> {
    let mut flows = servers.iter().map(|server| OpenFlow::connect(*server)).collect::<Result<Vec<_>>>()?;
    for flow in &mut flows {
        flow.round(size)?;
    }
    tell(&Message::Ready(BTreeMap::new()))?;
    for line in io::stdin().lines() {
        line?;
        for flow in &mut flows {
            flow.round(size)?;
        }
        tell(&Message::Idle)?;
    }
    flows.into_iter().try_for_each(OpenFlow::finish)
}

/// One flow.
struct OpenFlow {
    socket: Socket,
    talk: Talk,
}

enum Socket {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

impl OpenFlow {
    fn connect(Server { is_tcp, address }: Server) -> Result<Self> {
        let opened = now();
        let (socket, local) = if is_tcp {
            let stream = TcpStream::connect_timeout(&address, PATIENCE);
            let stream = stream.with_context(|| format!("connect to {address}"))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let local = stream.local_addr()?;
            (Socket::Tcp(stream), local)
        } else {
            let any: IpAddr = if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect(address)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            let local = socket.local_addr()?;
            (Socket::Udp(socket), local)
        };
        Ok(Self { socket, talk: begun(is_tcp, false, local, address, opened) })
    }

    /// Sends `size` bytes and waits until they are back.
    fn round(&mut self, size: usize) -> Result<()> {
        let message = vec![b'f'; size];
        let mut answer = vec![0; size];
        let remote = self.talk.remote;
        match &mut self.socket {
            Socket::Tcp(stream) => {
                stream.write_all(&message)?;
                stream.read_exact(&mut answer).with_context(|| format!("no answer from {remote}"))?;
            }
            Socket::Udp(socket) => {
                socket.send(&message)?;
                let length = socket.recv(&mut answer).with_context(|| format!("no answer from {remote}"))?;
                ensure!(length == size, "{remote} answered {length} bytes to {size}");
            }
        }
        self.talk.sent += size as u64;
        self.talk.received += size as u64;
        Ok(())
    }

    fn finish(self) -> Result<()> {
        let Self { socket, mut talk } = self;
        talk.closed = now();
        drop(socket);
        tell(&Message::Flow(talk))
    }
}
