//! The side that answers.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};

use super::{
    super::report::{Message, Talk, now},
    begun, tell,
};

/// How often a waiting server looks whether it is to end.
const GLANCE: Duration = Duration::from_millis(20);

/// Echoes on loopback addresses until standard input ends. A machine without IPv6 has no servers for it.
pub(super) fn serve() -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut ports = BTreeMap::new();
    let mut threads = Vec::new();
    for (family, ip) in [("4", IpAddr::from(Ipv4Addr::LOCALHOST)), ("6", IpAddr::from(Ipv6Addr::LOCALHOST))] {
        let listener = match TcpListener::bind((ip, 0)) {
            Err(_) if ip.is_ipv6() => continue,
            bound => bound.with_context(|| format!("listen on {ip}"))?,
        };
        ports.insert(format!("tcp{family}"), listener.local_addr()?.port());
        let ending = Arc::clone(&stop);
        threads.push(thread::spawn(move || accept(&listener, &ending)));
        let socket = UdpSocket::bind((ip, 0)).with_context(|| format!("bind to {ip}"))?;
        ports.insert(format!("udp{family}"), socket.local_addr()?.port());
        let ending = Arc::clone(&stop);
        threads.push(thread::spawn(move || answer(&socket, &ending)));
    }
    tell(&Message::Ready(ports))?;
    io::stdin().lock().lines().try_for_each(|line| line.map(drop))?;
    stop.store(true, Ordering::Relaxed);
    threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a server thread panicked"))?)
}

fn accept(listener: &TcpListener, stop: &AtomicBool) -> Result<()> {
    listener.set_nonblocking(true)?;
    let mut connections = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, remote)) => connections.push(thread::spawn(move || echo(stream, remote))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(GLANCE),
            Err(error) => return Err(error).context("accept"),
        }
    }
    connections
        .into_iter()
        .try_for_each(|thread| thread.join().map_err(|_| anyhow!("a connection's thread panicked"))?)
}

fn echo(mut stream: TcpStream, remote: SocketAddr) -> Result<()> {
    let mut talk = begun(true, true, stream.local_addr()?, remote, now());
    // However long it is idle: services may take their time meanwhile. Who is left over is ended by the test.
    stream.set_nonblocking(false)?;
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).context("read from a client")?;
        if length == 0 {
            break;
        }
        stream.write_all(&buffer[..length]).context("answer a client")?;
        talk.received += length as u64;
        talk.sent += length as u64;
    }
    talk.closed = now();
    drop(stream);
    tell(&Message::Flow(talk))
}

fn answer(socket: &UdpSocket, stop: &AtomicBool) -> Result<()> {
    let local = socket.local_addr()?;
    socket.set_read_timeout(Some(GLANCE))?;
    let mut flows: BTreeMap<SocketAddr, Talk> = BTreeMap::new();
    let mut buffer = vec![0; 65_536];
    while !stop.load(Ordering::Relaxed) {
        let (length, remote) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            // The last: Windows answers so when a datagram that was sent before found nobody (page `recvfrom`, WSAECONNRESET).
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::ConnectionReset
                ) =>
            {
                continue;
            }
            Err(error) => return Err(error).context("receive a datagram"),
        };
        let begins = || Talk { first: length as u64, ..begun(false, true, local, remote, now()) };
        let flow = flows.entry(remote).or_insert_with(begins);
        flow.received += length as u64;
        flow.sent += socket.send_to(&buffer[..length], remote).context("answer a datagram")? as u64;
    }
    // All of them end with the socket, a moment from now.
    let closed = now();
    flows.into_values().try_for_each(|flow| tell(&Message::Flow(Talk { closed, ..flow })))
}
