//! A program of the test's own that talks, and says on standard output what flows it had.

mod away;
mod client;
mod echo;
mod server;

use std::{
    env,
    io::{self, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    process,
    str::FromStr,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use super::report::{Hello, Message, Talk, now};
use crate::{
    flows::{TCP, UDP},
    time::Time,
};

/// How long anything may take before a peer gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a peer does.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Role {
    /// Echo what arrives on TCP and UDP, IPv4 and IPv6 loopback, until standard input ends
    Serve,
    /// Talk to echo servers
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
    /// Send what no peer answers: an echo request to each loopback address, and a datagram to another machine
    Alone {
        /// Bytes of each
        #[arg(long, default_value_t = 56)]
        size: usize,
    },
}

/// Runs a peer.
///
/// # Errors
/// The network or the other side does not do what it should.
pub fn run(role: &Role) -> Result<()> {
    tell(&Message::Hello(hello()?))?;
    match role {
        Role::Serve => server::serve(),
        Role::Talk { hold: true, size, servers, .. } => client::hold(servers, *size),
        Role::Talk { count, size, servers, .. } => client::pass(servers, *size, *count),
        Role::Alone { size } => {
            echo::request(Ipv4Addr::LOCALHOST.into(), *size)?;
            echo::request(Ipv6Addr::LOCALHOST.into(), *size)?;
            away::send(*size)
        }
    }
}

fn hello() -> Result<Hello> {
    #[cfg(unix)]
    let parent = Some(std::os::unix::process::parent_id());
    // There std does not say.
    #[cfg(not(unix))]
    let parent = None;
    let program = env::current_exe().context("find our own program file")?.to_string_lossy().into_owned();
    Ok(Hello { pid: process::id(), parent, program, now: now() })
}

/// An echo server of another peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    is_tcp: bool,
    address: SocketAddr,
}

impl FromStr for Server {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (protocol, address) = text.split_once('/').context("a server is PROTOCOL/ADDRESS:PORT")?;
        let is_tcp = match protocol {
            "tcp" => true,
            "udp" => false,
            other => bail!("{other} is neither tcp nor udp"),
        };
        let address: SocketAddr = address.parse()?;
        ensure!(address.ip().is_loopback(), "{address} is not a loopback address, and peers talk to no other");
        Ok(Self { is_tcp, address })
    }
}

/// A flow that begins now.
fn begun(is_tcp: bool, inbound: bool, local: SocketAddr, remote: SocketAddr, opened: Time) -> Talk {
    let protocol = if is_tcp { TCP } else { UDP };
    Talk { protocol, inbound, local, remote, sent: 0, received: 0, first: 0, opened, closed: opened }
}

fn tell(message: &Message) -> Result<()> {
    let mut line = serde_json::to_string(message)?;
    line.push('\n');
    io::stdout().write_all(line.as_bytes()).context("write to standard output")
}
