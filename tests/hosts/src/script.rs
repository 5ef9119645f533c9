//! Scripts: what all hosts act out. `README.md` beside them says what each line means.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

/// A script, read.
pub struct Script {
    /// Its file's name, without the extension.
    pub name: String,
    /// Its file, for a host that reads it itself.
    pub path: PathBuf,
    /// What happens, each with the number of its line.
    pub steps: Vec<(usize, Step)>,
}

/// One thing that happens.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A setting is stored.
    Setting { name: String, value: u32 },
    /// The driver is loaded; its entry point answers this.
    Start { status: u32 },
    /// The driver is unloaded.
    Stop,
    /// A flow is opened and authorized.
    Open { flow: String, connection: Connection },
    /// A packet from this machine.
    Send { flow: String, payload: u32 },
    /// A packet to this machine.
    Receive { flow: String, payload: u32 },
    /// A flow is authorized again, with the flag that says so.
    Reauthorize { flow: String },
    /// A flow is authorized again, without it.
    Again { flow: String },
    /// The filter engine's service starts, or stops.
    Bfe { start: bool },
    /// A process begins.
    Begin { pid: u64, parent: u64, path: String },
    /// A process exits.
    Exit { pid: u64 },
    /// A flow ends.
    End { flow: String },
    /// The next call of an import answers this; [`None`] is a null pointer.
    Fail { import: String, status: Option<u32> },
}

/// Who opens a flow, and between which endpoints.
#[derive(Debug, PartialEq, Eq)]
pub struct Connection {
    /// From this machine, not to it.
    pub outbound: bool,
    /// The IP protocol's number.
    pub protocol: u8,
    /// For ICMP the port is the type.
    pub local: SocketAddr,
    /// For ICMP the port is the code.
    pub remote: SocketAddr,
    /// The process.
    pub pid: u64,
    /// Its path.
    pub path: String,
}

impl Script {
    /// All scripts of this folder, by name.
    ///
    /// # Errors
    /// Says which line of which script makes no sense.
    pub fn all() -> Result<Vec<Self>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "script"));
        paths.sort();
        ensure!(!paths.is_empty(), "there is no script in {}", folder.display());
        paths.into_iter().map(Self::read).collect()
    }

    fn read(path: PathBuf) -> Result<Self> {
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let steps = steps(&text).with_context(|| format!("read {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, path, steps })
    }
}

/// Reads a script. It must end with the driver stopped: whatever is left behind then was left by the driver.
fn steps(text: &str) -> Result<Vec<(usize, Step)>> {
    let mut steps = Vec::new();
    let mut running = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let step = step(line).with_context(|| format!("line {number}: {line}"))?;
        let needed = !matches!(step, Step::Start { .. } | Step::Setting { .. } | Step::Fail { .. });
        ensure!(
            running == needed || matches!(step, Step::Bfe { .. } | Step::Begin { .. } | Step::Exit { .. }),
            "line {number}: {line}: the driver is {}running",
            if running { "" } else { "not " }
        );
        match step {
            Step::Start { status } => running = status == 0,
            Step::Stop => running = false,
            _ => {}
        }
        steps.push((number, step));
    }
    ensure!(!running, "it ends with the driver running");
    Ok(steps)
}

fn step(line: &str) -> Result<Step> {
    // A path may have spaces in it, and goes on to the end of the line.
    let words: Vec<_> = line.splitn(7, ' ').collect();
    if let ["begin", pid, parent, path] = line.splitn(4, ' ').collect::<Vec<_>>()[..] {
        return Ok(Step::Begin { pid: pid.parse()?, parent: parent.parse()?, path: path.into() });
    }
    Ok(match words[..] {
        ["setting", name, value] => Step::Setting { name: name.into(), value: number(value)? },
        ["start"] => Step::Start { status: 0 },
        ["start", status] => Step::Start { status: number(status)? },
        ["stop"] => Step::Stop,
        [verb @ ("connect" | "accept"), flow, protocol, local, remote, pid, path] => {
            let outbound = verb == "connect";
            let connection = connection(outbound, [protocol, local, remote, pid, path])?;
            Step::Open { flow: flow.into(), connection }
        }
        ["send", flow, payload] => Step::Send { flow: flow.into(), payload: number(payload)? },
        ["receive", flow, payload] => Step::Receive { flow: flow.into(), payload: number(payload)? },
        ["reauthorize", flow] => Step::Reauthorize { flow: flow.into() },
        ["again", flow] => Step::Again { flow: flow.into() },
        ["bfe", "start"] => Step::Bfe { start: true },
        ["bfe", "stop"] => Step::Bfe { start: false },
        ["exit", pid] => Step::Exit { pid: pid.parse()? },
        ["end", flow] => Step::End { flow: flow.into() },
        ["fail", import, "null"] => Step::Fail { import: import.into(), status: None },
        ["fail", import, status] => Step::Fail { import: import.into(), status: Some(number(status)?) },
        _ => bail!("no line looks like this; README.md beside the scripts has them all"),
    })
}

fn connection(outbound: bool, [protocol, local, remote, pid, path]: [&str; 5]) -> Result<Connection> {
    let protocol = match protocol {
        "icmp" => 1,
        "tcp" => 6,
        "udp" => 17,
        "icmpv6" => 58,
        _ => bail!("{protocol} is no protocol"),
    };
    let endpoint = |text: &str| text.parse::<SocketAddr>().with_context(|| format!("{text} is no endpoint"));
    let (local, remote) = (endpoint(local)?, endpoint(remote)?);
    ensure!(local.is_ipv4() == remote.is_ipv4(), "the endpoints are of different families");
    let pid = pid.parse().with_context(|| format!("{pid} is no process id"))?;
    Ok(Connection { outbound, protocol, local, remote, pid, path: path.into() })
}

/// A number, decimal or hexadecimal.
fn number(text: &str) -> Result<u32> {
    let number = text.strip_prefix("0x").map_or_else(|| text.parse(), |digits| u32::from_str_radix(digits, 16));
    number.with_context(|| format!("{text} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_on_to_the_end_of_the_line() {
        let line = r"accept ping icmpv6 [fe80::2]:128 [fe80::1]:0 77 \users\ann lee\a  b.exe";
        let Step::Open { flow, connection } = step(line).unwrap() else { panic!("no flow is opened") };
        assert_eq!((flow.as_str(), connection.outbound, connection.protocol), ("ping", false, 58));
        assert_eq!(connection.path, r"\users\ann lee\a  b.exe");
    }

    #[test]
    fn numbers_may_be_hexadecimal() {
        assert_eq!(step("start 0xc000009a").unwrap(), Step::Start { status: 0xc000_009a });
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for line in [
            "begin",
            "begin 8 4",
            "exit",
            "exit web",
            "start now",
            "send web",
            "bfe",
            "bfe pause",
            "connect web tcp 10.0.0.5:1 [::1]:2 3 path",
            "fail Import",
        ] {
            assert!(step(line).is_err(), "{line}");
        }
    }

    #[test]
    fn traffic_without_the_driver_is_refused() {
        assert!(steps("start 0xc000009a\nend web\n").is_err());
    }

    #[test]
    fn a_script_that_leaves_the_driver_running_is_refused() {
        assert!(steps("start\nstop\nstart\n").is_err());
    }

    #[test]
    fn the_scripts_can_be_read() {
        let names: Vec<_> = Script::all().unwrap().into_iter().map(|script| script.name).collect();
        assert_eq!(names, ["engine", "failures", "life", "processes"]);
    }
}
