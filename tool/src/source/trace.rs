//! The driver's trace lines (docs/traces.md) as events. What a line does not tell, and its event would, is zero.
//!
//! `close` lines do not say whose flow it was: that is remembered from its `open` line. Most lines about the driver have no event
//! of the same contents; they are passed over.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use super::clock::Clock;
use crate::{
    event::{
        Direction, Event, Flow, Loaded, Lost, Origin, Packet, Process, Step, Told, Totals, Traffic, Why, number::Hex,
    },
    time::{MILLISECOND, Time},
};

/// What each line of the driver's begins with; before it is what the program that saved it wrote.
const MARK: &str = "flowtag: ";
/// Where nothing is told.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// Nobody's app container. Lines do not tell of it.
const NO_PACKAGE: &str = "S-1-0-0";

/// A line that is not as docs/traces.md has it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoLine {
    #[error("the line has no {0}, which docs/traces.md gives it: is it cut?")]
    Missing(&'static str),
    #[error("{field}={value} is not as docs/traces.md has it: is the line cut, or from another driver?")]
    Value { field: &'static str, value: String },
}

/// Reads one line after the other.
#[derive(Debug)]
pub(super) struct Reader {
    clock: Clock,
    /// The flows that are open, by their handles.
    open: HashMap<u64, Flow>,
    version: String,
    found: bool,
}

/// The fields of a line.
struct Words<'a>(&'a str);

impl Reader {
    pub(super) fn new(began: Option<Time>) -> Self {
        Self { clock: Clock::new(began), open: HashMap::new(), version: String::new(), found: false }
    }

    /// Whether there was a line of the driver's.
    pub(super) const fn found(&self) -> bool {
        self.found
    }

    /// The event of a line; `None` if it has none, or is of somebody else.
    pub(super) fn read(&mut self, line: &str) -> Result<Option<Told>, NoLine> {
        let Some((before, line)) = line.split_once(MARK) else { return Ok(None) };
        self.found = true;
        let time = self.clock.time(before);
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words = Words(rest.trim_end());
        let event = match verb {
            "open" => {
                let flow = words.flow()?;
                self.open.insert(flow.handle, flow.clone());
                Event::FlowOpen(flow)
            }
            "first" => Event::FirstPacket(words.packet()?),
            "packet" => Event::Packet(words.packet()?),
            "close" => {
                let (traffic, why) = words.end()?;
                let handle = words.hexadecimal("flow")?;
                let flow = self.open.remove(&handle);
                Event::FlowClose(flow.map_or_else(|| words.nobodys(handle), Ok)?, traffic, why)
            }
            "loading" => {
                words.get("version")?.clone_into(&mut self.version);
                return Ok(None);
            }
            "loaded" => Event::Loaded(Loaded {
                version: self.version.clone(),
                trace_level: words.number("trace_level")?,
                max_flows: words.number("max_flows")?,
            }),
            "load" => Event::LoadFailed(words.step()?),
            "lost" => Event::Lost(Lost {
                kind: words.get("first")?.to_owned(),
                status: words.get("status").map_or(Ok(0), status)?,
            }),
            "stopping" => Event::Stopping { live_flows: words.number("live")? },
            "totals" => Event::Totals(words.totals()?),
            _ => return Ok(None),
        };
        Ok(Some(Told { time, event }))
    }
}

impl<'a> Words<'a> {
    /// What stands behind `name=`, up to the next space. A path, the last field of its line, is not looked into.
    fn get(&self, name: &'static str) -> Result<&'a str, NoLine> {
        let fields = self.0.split(' ').filter_map(|word| word.split_once('='));
        fields
            .take_while(|(field, _)| name == "path" || *field != "path")
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
            .ok_or(NoLine::Missing(name))
    }

    fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, NoLine> {
        let value = self.get(name)?;
        value.parse().map_err(|_| wrong(name, value))
    }

    fn hexadecimal(&self, name: &'static str) -> Result<u64, NoLine> {
        let value = self.get(name)?;
        value.parse().map(|Hex(number)| number).map_err(|_| wrong(name, value))
    }

    /// A field that may be `-`, which is zero.
    fn known<T: Default>(&self, name: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<T, NoLine> {
        match self.get(name)? {
            "-" => Ok(T::default()),
            value => read(value).ok_or_else(|| wrong(name, value)),
        }
    }

    /// `out/in`.
    fn both_ways(&self, name: &'static str) -> Result<(u64, u64), NoLine> {
        let value = self.get(name)?;
        let both = value.split_once('/').and_then(|(out, r#in)| Some((out.parse().ok()?, r#in.parse().ok()?)));
        both.ok_or_else(|| wrong(name, value))
    }

    fn direction(&self) -> Result<Direction, NoLine> {
        match self.get("dir")? {
            "out" => Ok(Direction::Out),
            "in" => Ok(Direction::In),
            other => Err(wrong("dir", other)),
        }
    }

    fn flow(&self) -> Result<Flow, NoLine> {
        let hex = |text: &str| text.parse().ok().map(|Hex(number)| number);
        let protocol = self.known("proto", protocol)?;
        let (local, remote) = self.ends()?;
        Ok(Flow {
            handle: self.hexadecimal("flow")?,
            process: Process {
                id: self.number("pid")?,
                start_key: self.known("key", hex)?,
                created: self.known("start", |text| text.parse().ok())?,
                parent: self.known("ppid", |text| text.parse().ok())?,
                path: self.known("path", |text| Some(unescaped(text)))?,
            },
            service_tag: self.known("svc", hex)?,
            package_sid: NO_PACKAGE.to_owned(),
            direction: self.direction()?,
            protocol,
            local,
            remote,
            interface: 0,
            compartment: 0,
            origin: match self.get("origin")? {
                "new" => Origin::New,
                "reauth" => Origin::Reauthorized,
                other => return Err(wrong("origin", other)),
            },
        })
    }

    /// Local and remote end: what stands on either side of the arrow. ICMP has type and code for ports.
    fn ends(&self) -> Result<(SocketAddr, SocketAddr), NoLine> {
        const ENDS: &str = "address -> address";
        let mut words = self.0.split(' ');
        let mut before = "";
        let local = loop {
            match words.next() {
                Some("->") => break before,
                Some(word) => before = word,
                None => return Err(NoLine::Missing(ENDS)),
            }
        };
        let remote = words.next().ok_or(NoLine::Missing(ENDS))?;
        let end = |text: &str| endpoint(text).ok_or_else(|| wrong(ENDS, text));
        let (mut local, mut remote) = (end(local)?, end(remote)?);
        if let Ok(kind) = self.get("type") {
            local.set_port(if kind == "-" { 0 } else { self.number("type")? });
            remote.set_port(self.known("code", |text| text.parse().ok())?);
        }
        // One family: where only one end is told, the other is nowhere in the same.
        match (local.is_ipv6(), remote.is_ipv6()) {
            (true, false) => remote.set_ip(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)),
            (false, true) => local.set_ip(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)),
            _ => {}
        }
        Ok((local, remote))
    }

    fn packet(&self) -> Result<Packet, NoLine> {
        Ok(Packet {
            handle: self.hexadecimal("flow")?,
            process_id: self.number("pid")?,
            start_key: 0,
            direction: self.direction()?,
            bytes: self.number("bytes")?,
        })
    }

    fn end(&self) -> Result<(Traffic, Why), NoLine> {
        let (out_packets, in_packets) = self.both_ways("packets")?;
        let (out_bytes, in_bytes) = self.both_ways("bytes")?;
        let duration = self.number::<u64>("ms")?.saturating_mul(MILLISECOND);
        let why = match self.get("why")? {
            "deleted" => Why::Ended,
            "evicted" => Why::Evicted,
            "unload" => Why::Unload,
            other => return Err(wrong("why", other)),
        };
        Ok((Traffic { out_packets, in_packets, out_bytes, in_bytes, duration }, why))
    }

    /// A flow whose `open` line is not in the log.
    fn nobodys(&self, handle: u64) -> Result<Flow, NoLine> {
        Ok(Flow {
            handle,
            process: Process { id: self.number("pid")?, ..Process::default() },
            service_tag: 0,
            package_sid: NO_PACKAGE.to_owned(),
            direction: Direction::Out,
            protocol: 0,
            local: NOWHERE,
            remote: NOWHERE,
            interface: 0,
            compartment: 0,
            origin: Origin::New,
        })
    }

    fn step(&self) -> Result<Step, NoLine> {
        Ok(Step { step: self.get("step")?.to_owned(), status: status(self.get("status")?)? })
    }

    fn totals(&self) -> Result<Totals, NoLine> {
        Ok(Totals {
            opened: self.number("opened")?,
            closed: self.number("closed")?,
            evicted: self.number("evicted")?,
            untracked: self.number("untracked")?,
            reauth_skipped: self.number("reauth_skipped")?,
            alloc_failed: self.number("alloc_failed")?,
            associate_failed: self.number("associate_failed")?,
            already_tagged: self.number("already_tagged")?,
            busy: self.number("busy")?,
            gone: self.number("gone")?,
            unnamed: self.number("unnamed")?,
            blocked: self.number("blocked")?,
            unlisted: self.number("unlisted")?,
        })
    }
}

fn status(text: &str) -> Result<u32, NoLine> {
    let status = text.parse().ok().and_then(|Hex(number)| u32::try_from(number).ok());
    status.ok_or_else(|| wrong("status", text))
}

fn wrong(field: &'static str, value: &str) -> NoLine {
    NoLine::Value { field, value: value.to_owned() }
}

fn protocol(text: &str) -> Option<u8> {
    match text {
        "icmp" => Some(1),
        "tcp" => Some(6),
        "udp" => Some(17),
        "icmpv6" => Some(58),
        number => number.parse().ok(),
    }
}

/// `10.0.0.5:443`, `[fe80::2]:443`, and without a port as ICMP has it; `-` for either part that is not told.
fn endpoint(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    if text == "-" {
        return Some(NOWHERE);
    }
    let (address, port) = text.rsplit_once(':')?;
    let port = if port == "-" { 0 } else { port.parse().ok()? };
    let address = match address {
        "-" => NOWHERE.ip(),
        bracketed if bracketed.starts_with('[') => {
            IpAddr::V6(bracketed.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?)
        }
        bare => IpAddr::V4(bare.parse().ok()?),
    };
    Some(SocketAddr::new(address, port))
}

/// The path as it was: `%20` and `%u4f60` are code units of UTF-16, as `unescape()` of ECMAScript reads them.
fn unescaped(text: &str) -> String {
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let digits = rest.get(1..3).map(|two| ("", two)).filter(|_| character == '%');
        let escape = match digits {
            Some((_, two)) if two.starts_with('u') => rest.get(2..6).map(|digits| (digits, 6)),
            Some((_, two)) => Some((two, 3)),
            None => None,
        };
        let unit = escape.and_then(|(digits, length)| Some((u16::from_str_radix(digits, 16).ok()?, length)));
        if let Some((unit, length)) = unit {
            units.push(unit);
            rest = &rest[length..];
        } else {
            units.extend(character.encode_utf16(&mut [0; 2]).iter());
            rest = &rest[character.len_utf8()..];
        }
    }
    String::from_utf16_lossy(&units)
}
