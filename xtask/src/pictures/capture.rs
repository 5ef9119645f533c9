//! The packets of a capture, as tshark reads them.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// What tshark is asked for, as Wireshark's columns have it.
const FIELDS: [&str; 10] = [
    "frame.number",
    "frame.time_relative",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "_ws.col.Protocol",
    "frame.len",
    "_ws.col.Info",
    "frame.comment",
];

/// A packet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packet {
    /// Its number in the file, where tshark counts process information, too.
    pub number: String,
    /// Seconds since the first one.
    pub time: String,
    pub source: String,
    pub destination: String,
    pub protocol: String,
    pub length: String,
    pub info: String,
    /// What `flowtag annotate` has written into it.
    pub comment: Option<String>,
}

impl Packet {
    /// The line of the comment that begins like this, without that.
    fn told(&self, name: &str) -> Option<&str> {
        self.comment.iter().flat_map(|comment| comment.lines()).find_map(|line| line.strip_prefix(name))
    }

    /// The id of the process that it belongs to.
    pub fn pid(&self) -> Option<&str> {
        self.told("PID: ")
    }

    /// The path of the program that this runs.
    pub fn path(&self) -> Option<&str> {
        self.told("Cmd: ")
    }

    /// The file name of the program.
    pub fn program(&self) -> Option<&str> {
        self.path()?.rsplit('\\').next()
    }
}

/// Reads the packets of a file.
pub fn packets(file: &Path) -> Result<Vec<Packet>> {
    let mut tshark = Command::new("tshark");
    // Release 4.0 shows process information as a packet of no protocol.
    tshark
        .args(["-n", "-Y", "ip || ipv6", "-T", "json", "-r"])
        .arg(file)
        .args(FIELDS.iter().flat_map(|field| ["-e", field]));
    let output = tshark.output().context("start tshark")?;
    ensure!(output.status.success(), "{tshark:?}: {}", String::from_utf8_lossy(&output.stderr));
    read(&output.stdout).with_context(|| format!("read what tshark says of {}", file.display()))
}

fn read(json: &[u8]) -> Result<Vec<Packet>> {
    let packets: Vec<Value> = serde_json::from_slice(json)?;
    packets.iter().map(|packet| packet_of(&packet["_source"]["layers"])).collect()
}

fn packet_of(layers: &Value) -> Result<Packet> {
    // Of a packet in a packet, as an ICMP error has one, the outer one comes first.
    let field = |name: &str| layers[name][0].as_str().map(str::to_owned);
    let needed = |name: &str| field(name).with_context(|| format!("a packet without {name}: {layers}"));
    Ok(Packet {
        number: needed("frame.number")?,
        time: needed("frame.time_relative")?,
        source: field("ip.src").map_or_else(|| needed("ipv6.src"), Ok)?,
        destination: field("ip.dst").map_or_else(|| needed("ipv6.dst"), Ok)?,
        protocol: needed("_ws.col.Protocol")?,
        length: needed("frame.len")?,
        info: needed("_ws.col.Info")?,
        comment: field("frame.comment"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_has_the_owner_that_its_comment_tells() {
        let json = r#"[{"_source": {"layers": {
            "frame.number": ["7"], "frame.time_relative": ["0.5"], "ipv6.src": ["::1"], "ipv6.dst": ["::2"],
            "_ws.col.Protocol": ["UDP"], "frame.len": ["67"], "_ws.col.Info": ["1 → 2 Len=5"],
            "frame.comment": ["PID: 42\nCmd: \\device\\harddiskvolume1\\usr\\bin\\new\\nginx\nParentPID: 1"]
        }}}]"#;

        let packets = read(json.as_bytes()).expect("packets");

        assert_eq!((packets.len(), &*packets[0].source, &*packets[0].destination), (1, "::1", "::2"));
        assert_eq!((packets[0].pid(), packets[0].program()), (Some("42"), Some("nginx")));
    }

    #[test]
    fn a_packet_without_a_comment_has_no_owner() {
        let packet = Packet { info: "PID: 42".to_owned(), ..Packet::default() };
        assert_eq!((packet.pid(), packet.program()), (None, None));
    }

    #[test]
    fn a_field_that_tshark_does_not_tell_is_named() {
        let error = read(br#"[{"_source": {"layers": {"frame.number": ["7"]}}}]"#).expect_err("no packets");
        assert!(error.to_string().starts_with("a packet without frame.time_relative"), "{error}");
    }
}
