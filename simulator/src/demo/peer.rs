//! The demo's own programs: an echo server and a client, for TCP and UDP. They tell on standard output what flows they had.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;

use super::report::{Message, Protocol, Report, now};
use crate::traffic::event::Direction;

/// How long anything may take before the peer gives up.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a waiting server looks whether it is to end.
const GLANCE: Duration = Duration::from_millis(20);

/// `flowtag-sim peer`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Echo what arrives on TCP and UDP, IPv4 and IPv6 loopback, until standard input ends.
    Serve,
    /// Talk to echo servers.
    Talk {
        /// Keep the connections open: exchange a round for each line of standard input, and close when it ends
        #[arg(long)]
        hold: bool,
        /// Without --hold: how many connections, one after the other, to each server
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// Bytes of each message
        #[arg(long, default_value_t = 100)]
        size: usize,
        /// The servers, for example `tcp/127.0.0.1:7` or `udp/[::1]:7`
        #[arg(required = true)]
        servers: Vec<Server>,
    },
}

/// Runs a peer.
///
/// # Errors
/// The network or the other side does not do what it should.
pub fn run(arguments: &Args) -> Result<()> {
    match &arguments.role {
        Role::Serve => serve(),
        Role::Talk { hold: true, size, servers, .. } => hold(servers, *size),
        Role::Talk { count, size, servers, .. } => {
            for _ in 0..*count {
                for server in servers {
                    let mut flow = OpenFlow::connect(*server)?;
                    flow.round(*size)?;
                    flow.finish()?;
                }
            }
            Ok(())
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Server {
    protocol: Protocol,
    address: SocketAddr,
}

impl FromStr for Server {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (protocol, address) = text.split_once('/').context("a server is PROTOCOL/ADDRESS:PORT")?;
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            other => bail!("{other} is neither tcp nor udp"),
        };
        let address: SocketAddr = address.parse()?;
        ensure!(address.ip().is_loopback(), "{address} is not a loopback address, and peers talk to no other");
        Ok(Self { protocol, address })
    }
}

fn tell(message: &Message) -> Result<()> {
    let mut line = serde_json::to_string(message)?;
    line.push('\n');
    io::stdout().write_all(line.as_bytes()).context("write to standard output")
}

fn hold(servers: &[Server], size: usize) -> Result<()> {
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

/// One flow of a client.
struct OpenFlow {
    socket: Socket,
    report: Report,
}

enum Socket {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

impl OpenFlow {
    fn connect(server: Server) -> Result<Self> {
        let opened = now();
        let (socket, local) = match server.protocol {
            Protocol::Tcp => {
                let stream = TcpStream::connect_timeout(&server.address, PATIENCE)
                    .with_context(|| format!("connect to {}", server.address))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                let local = stream.local_addr()?;
                (Socket::Tcp(stream), local)
            }
            Protocol::Udp => {
                let any: IpAddr =
                    if server.address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
                let socket = UdpSocket::bind((any, 0))?;
                socket.connect(server.address)?;
                socket.set_read_timeout(Some(PATIENCE))?;
                let local = socket.local_addr()?;
                (Socket::Udp(socket), local)
            }
        };
        let mut report = report(server.protocol, Direction::Outbound, local, server.address);
        report.opened = Some(opened);
        Ok(Self { socket, report })
    }

    /// Sends `size` bytes and waits until they are back.
    fn round(&mut self, size: usize) -> Result<()> {
        let message = vec![b'f'; size];
        let mut answer = vec![0; size];
        match &mut self.socket {
            Socket::Tcp(stream) => {
                stream.write_all(&message)?;
                stream.read_exact(&mut answer).with_context(|| format!("no answer from {}", self.report.remote))?;
            }
            Socket::Udp(socket) => {
                socket.send(&message)?;
                let length =
                    socket.recv(&mut answer).with_context(|| format!("no answer from {}", self.report.remote))?;
                ensure!(length == size, "{} answered {length} bytes to {size}", self.report.remote);
            }
        }
        self.report.sent += size as u64;
        self.report.received += size as u64;
        Ok(())
    }

    fn finish(self) -> Result<()> {
        let Self { socket, mut report } = self;
        drop(socket);
        report.closed = Some(now());
        tell(&Message::Flow(report))
    }
}

fn report(protocol: Protocol, role: Direction, local: SocketAddr, remote: SocketAddr) -> Report {
    Report {
        pid: process::id(),
        program: "flowtag-sim peer".into(),
        protocol,
        role,
        local,
        remote,
        sent: 0,
        received: 0,
        first: 0,
        opened: None,
        closed: None,
        created: None,
    }
}

fn serve() -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut ports = BTreeMap::new();
    let mut threads = Vec::new();
    for (family, ip) in [("4", IpAddr::from(Ipv4Addr::LOCALHOST)), ("6", IpAddr::from(Ipv6Addr::LOCALHOST))] {
        let listener = TcpListener::bind((ip, 0)).with_context(|| format!("listen on {ip}"))?;
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
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("a server thread panicked"))??;
    }
    Ok(())
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
    for connection in connections {
        connection.join().map_err(|_| anyhow::anyhow!("a connection's thread panicked"))??;
    }
    Ok(())
}

fn echo(mut stream: TcpStream, remote: SocketAddr) -> Result<()> {
    let mut report = report(Protocol::Tcp, Direction::Inbound, stream.local_addr()?, remote);
    report.opened = Some(now());
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).context("read from a client")?;
        if length == 0 {
            break;
        }
        stream.write_all(&buffer[..length]).context("answer a client")?;
        report.received += length as u64;
        report.sent += length as u64;
    }
    drop(stream);
    report.closed = Some(now());
    tell(&Message::Flow(report))
}

fn answer(socket: &UdpSocket, stop: &AtomicBool) -> Result<()> {
    let local = socket.local_addr()?;
    socket.set_read_timeout(Some(GLANCE))?;
    let mut flows: BTreeMap<SocketAddr, Report> = BTreeMap::new();
    let mut buffer = vec![0; 65_536];
    while !stop.load(Ordering::Relaxed) {
        let (length, remote) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => continue,
            Err(error) => return Err(error).context("receive a datagram"),
        };
        let flow = flows.entry(remote).or_insert_with(|| Report {
            first: length as u64,
            opened: Some(now()),
            ..report(Protocol::Udp, Direction::Inbound, local, remote)
        });
        flow.received += length as u64;
        flow.sent += socket.send_to(&buffer[..length], remote).context("answer a datagram")? as u64;
    }
    // All of them end with the socket, a moment from now.
    let closed = Some(now());
    flows.into_values().try_for_each(|flow| tell(&Message::Flow(Report { closed, ..flow })))
}
