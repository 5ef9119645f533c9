//! The programs of the demo: how they are called, and what their lines mean.

use std::{collections::BTreeMap, env, net::SocketAddr, process::Command};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{
    program::Program,
    report::{Message, Protocol, Report, now},
};
use crate::traffic::event::Direction;

const HTTP_SERVER: &str = include_str!("programs/http_server.py");
const ECHO_SERVER: &str = include_str!("programs/echo_server.py");
const AGAIN: &str = include_str!("programs/again.py");
const ECHO_CLIENT: &str = include_str!("programs/echo_client.py");
const HEIR: &str = include_str!("programs/heir.py");
const TALK: &str = include_str!("programs/talk.pl");

/// Where a server listens.
#[derive(Clone, Debug)]
pub struct Ports(BTreeMap<String, u16>);

impl Ports {
    /// Those that a server has told.
    #[must_use]
    pub fn of(server: &Program) -> Self {
        Self(server.ready.clone().unwrap_or_default())
    }

    /// The one port of a program that has told of one.
    ///
    /// # Errors
    /// It has not.
    pub fn only(&self) -> Result<u16> {
        self.get("port")
    }

    fn get(&self, name: &str) -> Result<u16> {
        self.0.get(name).copied().with_context(|| format!("the server told no port for {name}"))
    }

    /// All four servers, as arguments for our own client.
    ///
    /// # Errors
    /// The server does not have them all.
    pub fn for_peer(&self) -> Result<Vec<String>> {
        Ok(vec![
            format!("tcp/127.0.0.1:{}", self.get("tcp4")?),
            format!("tcp/[::1]:{}", self.get("tcp6")?),
            format!("udp/127.0.0.1:{}", self.get("udp4")?),
            format!("udp/[::1]:{}", self.get("udp6")?),
        ])
    }

    fn for_python(&self) -> Result<Vec<String>> {
        Ok(vec![
            format!("tcp/127.0.0.1/{}", self.get("tcp4")?),
            format!("tcp/::1/{}", self.get("tcp6")?),
            format!("udp/127.0.0.1/{}", self.get("udp4")?),
            format!("udp/::1/{}", self.get("udp6")?),
        ])
    }
}

/// The HTTP server that curl is pointed at.
#[must_use]
pub fn http_server() -> (&'static str, Command) {
    ("python3 http server", python(HTTP_SERVER))
}

/// The echo server in Python.
#[must_use]
pub fn echo_server() -> (&'static str, Command) {
    ("python3 echo server", python(ECHO_SERVER))
}

/// The echo client in Python.
///
/// # Errors
/// The server does not have all ports.
pub fn echo_client(server: &Ports) -> Result<(&'static str, Command)> {
    let mut command = python(ECHO_CLIENT);
    command.args(server.for_python()?);
    Ok(("python3 echo client", command))
}

/// A program in Python that leaves its sockets to a child and exits. `later` is talked to in the first round that is asked for.
///
/// # Errors
/// A server does not have the ports.
pub fn heir(server: &Ports, later: &Ports) -> Result<(&'static str, Command)> {
    let mut command = python(HEIR);
    for port in [server.get("tcp4")?, server.get("udp4")?, later.get("udp4")?] {
        command.arg(format!("127.0.0.1/{port}"));
    }
    Ok(("python3 heir", command))
}

/// A program in Python that talks when it is asked to, from this port, and gives it up at once. 0: from any.
///
/// # Errors
/// The server does not have the ports.
pub fn again(port: u16, server: &Ports) -> Result<(&'static str, Command)> {
    let mut command = python(AGAIN);
    command.arg(port.to_string());
    command.args([format!("tcp/{}", server.get("tcp4")?), format!("udp/{}", server.get("udp4")?)]);
    Ok(("python3 again", command))
}

/// The client in Perl.
///
/// # Errors
/// The server does not have all ports.
pub fn perl(server: &Ports) -> Result<(&'static str, Command)> {
    let mut command = Command::new("perl");
    command.args(["-e", TALK]).args([format!("tcp/{}", server.get("tcp4")?), format!("udp/{}", server.get("udp4")?)]);
    Ok(("perl", command))
}

/// Our own peer.
///
/// # Errors
/// Our own program file is gone.
pub fn peer(arguments: &[&str], servers: &[String]) -> Result<(&'static str, Command)> {
    let mut command = Command::new(env::current_exe().context("find our own program file")?);
    command.arg("peer").args(arguments).args(servers);
    Ok(("flowtag-sim peer", command))
}

/// curl: gets `size` bytes. It never posts: whether its count of request bytes holds the body, too, depends on its version.
///
/// # Errors
/// The server does not have the port.
pub fn curl(server: &Ports, v6: bool, size: usize) -> Result<(&'static str, Command)> {
    let place =
        if v6 { format!("[::1]:{}", server.get("tcp6")?) } else { format!("127.0.0.1:{}", server.get("tcp4")?) };
    let mut command = Command::new("curl");
    // Nobody's .curlrc or proxy may come between.
    command.args([
        "-q",
        "--globoff",
        "--noproxy",
        "*",
        "--silent",
        "--show-error",
        "--max-time",
        "20",
        "--output",
        "/dev/null",
        "--write-out",
        "%{json}\n",
    ]);
    command.arg(format!("http://{place}/{size}"));
    Ok(("curl", command))
}

fn python(script: &str) -> Command {
    let mut command = Command::new("python3");
    command.args(["-I", "-c", script]);
    command
}

/// The message in a line of a program's output.
///
/// # Errors
/// There is none.
pub fn understand(name: &str, pid: u32, launched: f64, line: &str) -> Result<Message> {
    let message = if name == "curl" {
        let said: Curl = serde_json::from_str(line).with_context(|| format!("curl wrote: {line}"))?;
        Message::Flow(said.report(pid)?)
    } else {
        serde_json::from_str(line).with_context(|| format!("{name} wrote: {line}"))?
    };
    Ok(match message {
        // Those who do not know the clock lived for this flow alone, and have closed it.
        Message::Flow(flow) => Message::Flow(Report {
            opened: flow.opened.or(Some(launched)),
            closed: flow.closed.or_else(|| Some(now())),
            ..flow
        }),
        other => other,
    })
}

/// What curl's `--write-out '%{json}'` says, as far as we ask.
#[derive(Deserialize)]
struct Curl {
    local_ip: String,
    local_port: u16,
    remote_ip: String,
    remote_port: u16,
    size_request: u64,
    size_upload: u64,
    size_header: u64,
    size_download: u64,
    num_connects: u32,
}

impl Curl {
    fn report(&self, pid: u32) -> Result<Report> {
        if self.num_connects != 1 {
            bail!("curl made {} connections instead of one", self.num_connects);
        }
        Ok(Report {
            pid,
            program: "curl".into(),
            protocol: Protocol::Tcp,
            role: Direction::Outbound,
            local: SocketAddr::new(self.local_ip.parse()?, self.local_port),
            remote: SocketAddr::new(self.remote_ip.parse()?, self.remote_port),
            sent: self.size_request + self.size_upload,
            received: self.size_header + self.size_download,
            first: 0,
            opened: None,
            closed: None,
            created: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURL: &str = r#"{"local_ip":"::1","local_port":5000,"remote_ip":"::1","remote_port":80,"num_connects":1,
        "size_request":80,"size_upload":7,"size_header":100,"size_download":1000,"more":null}"#;

    #[test]
    fn curl_counts_headers_and_body_both_ways() {
        let Message::Flow(report) = understand("curl", 42, 1.0, CURL).unwrap() else { panic!("no flow") };

        assert_eq!((report.pid, report.sent, report.received), (42, 87, 1100));
        assert_eq!(report.local, "[::1]:5000".parse().unwrap());
    }

    #[test]
    fn a_program_without_a_clock_had_its_flow_since_it_was_launched() {
        let Message::Flow(report) = understand("curl", 42, 1.0, CURL).unwrap() else { panic!("no flow") };

        assert_eq!(report.opened, Some(1.0));
        assert!(report.closed.is_some());
    }

    #[test]
    fn a_second_connection_of_curl_is_not_passed_over() {
        let line = CURL.replace("\"num_connects\":1", "\"num_connects\":2");

        assert!(understand("curl", 42, 1.0, &line).is_err());
    }

    #[test]
    fn a_line_that_is_no_message_is_shown() {
        let error = understand("perl", 42, 1.0, "Segmentation fault").unwrap_err();

        assert!(error.to_string().contains("Segmentation fault"));
    }
}
