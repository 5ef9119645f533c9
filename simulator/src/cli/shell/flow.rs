//! `flow`: connections that pass the loaded driver's callouts.

use std::{fmt::Write, net::SocketAddr};

use super::outcome::Output;
use crate::{
    computer::Machine,
    referee::BugCheck,
    wfp::{Direction, FlowHandle, FlowSpec, Owner, Packet, Verdict},
};

const USAGE: &str = r"usage: flow open out|in tcp|udp|icmp|NUMBER LOCAL REMOTE [pid=N] [path=\device\…]
       flow send|receive ID BYTES
       flow close ID
       flow list
endpoints are 10.0.0.5:443 and [2001:db8::1]:443; for icmp the ports are type and code
";

/// What fits into an IP packet, whose total length has 16 bits, behind its own header and the largest of the transport's
/// (RFC 791, RFC 9293).
const LARGEST: u16 = u16::MAX - 20 - 20;

/// The flows that were opened here, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Flows(Vec<Flow>);

#[derive(Debug)]
struct Flow {
    handle: FlowHandle,
    spec: FlowSpec,
    open: bool,
}

impl Flows {
    pub(super) fn execute(&mut self, machine: &Machine, words: &[&str]) -> Output {
        let Some((&verb, rest)) = words.split_first() else { return Output::unusable(USAGE) };
        let done = match (verb.to_ascii_lowercase().as_str(), rest) {
            ("open", [direction, protocol, local, remote, options @ ..]) => {
                match spec(direction, protocol, local, remote, options) {
                    Ok(spec) => self.open(machine, spec),
                    Err(problem) => return Output::unusable(format!("{problem}\n{USAGE}")),
                }
            }
            ("send", [id, bytes]) => self.transport(machine, id, bytes, Direction::Outbound),
            ("receive", [id, bytes]) => self.transport(machine, id, bytes, Direction::Inbound),
            ("close", [id]) => self.close(machine, id),
            ("list", []) => Ok(Output::done(self.list())),
            _ => Ok(Output::unusable(USAGE)),
        };
        done.unwrap_or_else(|bug_check| Output::bug_check(&bug_check))
    }

    fn open(&mut self, machine: &Machine, spec: FlowSpec) -> Result<Output, BugCheck> {
        let handle = match spec.direction {
            Direction::Outbound => machine.open_flow(&spec)?,
            // The packet that opens it passes the transport layer first: a TCP SYN or an empty datagram.
            Direction::Inbound => machine.accept_flow(&spec, &Packet::new(spec.protocol, 0))?,
        };
        let open = machine.wfp().is_live(handle);
        self.0.push(Flow { handle, spec, open });
        let id = self.0.len();
        if !open {
            return Ok(Output::failed(format!("flow {id} was blocked\n")));
        }
        Ok(Output::done(format!("flow {id} is open, handle {:#x}\n", handle.0)))
    }

    fn transport(&self, machine: &Machine, id: &str, bytes: &str, direction: Direction) -> Result<Output, BugCheck> {
        let Some(flow) = self.find(id) else { return Ok(no_flow(id)) };
        let Some(bytes) = bytes.parse().ok().filter(|&bytes: &u16| bytes <= LARGEST) else {
            return Ok(Output::unusable(format!("'{bytes}' is no size of a packet: 0 to {LARGEST} bytes\n")));
        };
        let packet = Packet::new(flow.spec.protocol, bytes.into());
        let verdict = machine.transport(flow.handle, direction, &packet)?;
        Ok(match verdict {
            Verdict::Permit => Output::done(""),
            Verdict::Block => Output::failed("the packet was blocked\n"),
        })
    }

    fn close(&mut self, machine: &Machine, id: &str) -> Result<Output, BugCheck> {
        let Some(flow) = self.find(id) else { return Ok(no_flow(id)) };
        let handle = flow.handle;
        machine.close_flow(handle)?;
        for flow in self.0.iter_mut().filter(|flow| flow.handle == handle) {
            flow.open = false;
        }
        Ok(Output::done(""))
    }

    fn list(&self) -> String {
        let mut text = String::new();
        for (index, Flow { handle, spec, .. }) in self.0.iter().enumerate().filter(|(_, flow)| flow.open) {
            let direction = if spec.direction == Direction::Outbound { "out" } else { "in" };
            let pid = spec.pid.map_or_else(|| "-".into(), |pid| pid.to_string());
            let FlowSpec { protocol, local, remote, .. } = spec;
            writeln!(
                text,
                "{:>4}  {:#x}  {direction} protocol {protocol} {local} {remote} pid={pid}",
                index + 1,
                handle.0
            )
            .expect("a String takes all");
        }
        if text.is_empty() { "no flow is open\n".into() } else { text }
    }

    fn find(&self, id: &str) -> Option<&Flow> {
        let index = id.parse::<usize>().ok()?.checked_sub(1)?;
        self.0.get(index).filter(|flow| flow.open)
    }
}

fn no_flow(id: &str) -> Output {
    Output::unusable(format!("no flow {id} is open; `flow list` shows those that are\n"))
}

fn spec(direction: &str, protocol: &str, local: &str, remote: &str, options: &[&str]) -> Result<FlowSpec, String> {
    let direction = match direction.to_ascii_lowercase().as_str() {
        "out" => Direction::Outbound,
        "in" => Direction::Inbound,
        _ => return Err(format!("'{direction}' is no direction")),
    };
    let endpoint =
        |text: &str| -> Result<SocketAddr, String> { text.parse().map_err(|_| format!("'{text}' is no endpoint")) };
    let (local, remote) = (endpoint(local)?, endpoint(remote)?);
    if local.is_ipv4() != remote.is_ipv4() {
        return Err("the endpoints are of different families".into());
    }
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "icmp" if local.is_ipv6() => 58,
        "icmp" => 1,
        "tcp" => 6,
        "udp" => 17,
        number => number.parse().map_err(|_| format!("'{number}' is no protocol"))?,
    };
    let mut spec = FlowSpec { pid: None, path: None, owner: Owner::default(), direction, protocol, local, remote };
    for option in options {
        let no_option = || format!("'{option}' is neither pid= nor path=");
        let (name, value) = option.split_once('=').ok_or_else(no_option)?;
        match name.to_ascii_lowercase().as_str() {
            "pid" => spec.pid = Some(value.parse().map_err(|_| format!("'{value}' is no process id"))?),
            "path" => spec.path = Some(value.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()),
            _ => return Err(no_option()),
        }
    }
    Ok(spec)
}
