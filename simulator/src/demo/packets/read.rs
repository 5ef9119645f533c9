//! Reads an annotated capture, and shares nothing with what has written it: blocks are read by the crate pcap-parser, process
//! information after what Wireshark's wiretap/pcapng-wireshark-custom.c says of it, option 8 and comments after
//! draft-ietf-opsawg-pcapng.

use std::net::SocketAddr;

use anyhow::{Context, Result, anyhow, ensure};
use pcap_parser::{
    Block, PcapNGOption,
    pcapng::{CustomBlock, EnhancedPacketBlock, parse_block_le},
    traits::PcapNGPacketBlock,
};

use crate::{
    demo::report::Protocol,
    etw::tracelogging::time,
    traffic::packet::{Headers, Transport},
};

/// `epb_processid_threadid`.
const OWNER: u16 = 8;
const COMMENT: u16 = 1;
/// The number of the Wireshark Foundation among private enterprises (IANA), and its number of process information.
const WIRESHARK: u32 = 32_622;
const PROCESS_INFORMATION: u32 = 3;
const PARENT: u16 = 5;
const STARTED: u16 = 9;
/// `ETHERTYPE_IP`, `ETHERTYPE_IPV6`.
const IP: [[u8; 2]; 2] = [[0x08, 0x00], [0x86, 0xdd]];
const ETHERNET: usize = 14;
/// 1970, in units of 100 ns since 1601 (Win32, "Converting a `time_t` value to a `FILETIME`").
const UNIX: u64 = 116_444_736_000_000_000;

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When it was captured, in units of 100 ns since 1970.
    pub at: u64,
    /// Protocol, sender and receiver, of TCP and UDP.
    pub ends: Option<(Protocol, SocketAddr, SocketAddr)>,
    /// Whose it is said to be.
    pub owner: Option<Owner>,
}

/// Whose a packet is said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The process id of option 8.
    pub pid: u32,
    /// What was said of this process before the packet; [`None`] if nothing was, or the packet's comment names another process.
    pub process: Option<Process>,
}

/// A process, as the file tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// The id of the process that started it, if that is known.
    pub parent: Option<u32>,
    /// When it began, in units of 100 ns since 1601, if that is known.
    pub created: Option<u64>,
}

/// All packets of a file.
///
/// # Errors
/// It is no capture in which all times are whole nanoseconds, or what is said of owners is not in its form.
pub fn packets(file: &[u8]) -> Result<Vec<Packet>> {
    let mut packets = Vec::new();
    let mut processes = Vec::new();
    let mut nanoseconds = Vec::new();
    let mut rest = file;
    while !rest.is_empty() {
        let place = file.len() - rest.len();
        // What pcap-parser says has all that it has read in it.
        let (behind, block) = parse_block_le(rest).map_err(|_| anyhow!("no sound block at byte {place}"))?;
        rest = behind;
        let read = match &block {
            Block::InterfaceDescription(interface) => {
                nanoseconds.push(interface.if_tsresol == 9);
                Ok(())
            }
            Block::EnhancedPacket(packet) => {
                let exact = nanoseconds.get(packet.if_id as usize).is_some_and(|&exact| exact);
                ensure!(exact, "the packet at byte {place} has no time in nanoseconds");
                self::packet(packet, &processes).map(|packet| packets.push(packet))
            }
            Block::Custom(block) => process(block).map(|process| processes.extend(process)),
            _ => Ok(()),
        };
        read.with_context(|| format!("the block at byte {place}"))?;
    }
    Ok(packets)
}

fn packet(block: &EnhancedPacketBlock<'_>, processes: &[Process]) -> Result<Packet> {
    let nanoseconds = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
    let mut owner = None;
    let mut comment = None;
    for PcapNGOption { code, len, value } in &block.options {
        let value = value.get(..usize::from(*len)).context("an option is cut off")?;
        match code.0 {
            OWNER => {
                ensure!(owner.is_none() && value.len() == 8, "option 8 is not one of process and thread");
                owner = value.first_chunk().map(|&pid| u32::from_le_bytes(pid));
            }
            COMMENT => comment = str::from_utf8(value).ok(),
            _ => {}
        }
    }
    let owner = owner.map(|pid| Owner { pid, process: told_before(pid, comment, processes) });
    Ok(Packet { at: nanoseconds / 100, ends: ends(block.packet_data()), owner })
}

/// The process that a comment names, with what was said of it before.
fn told_before(pid: u32, comment: Option<&str>, processes: &[Process]) -> Option<Process> {
    let value = |key: &str| comment?.lines().find_map(|line| line.strip_prefix(key));
    let named = value("PID: ")? == pid.to_string();
    let started = value("StartTime: ");
    let is = |process: &&Process| process.pid == pid && process.created.map(time::iso).as_deref() == started;
    processes.iter().find(is).filter(|_| named).cloned()
}

/// Process information: everything from the entry type on is little-endian. Another custom block is passed over.
fn process(block: &CustomBlock<'_>) -> Result<Option<Process>> {
    let number = |place: usize| {
        let bytes = block.data.get(place..)?.first_chunk().copied();
        bytes.map(u32::from_le_bytes)
    };
    if block.pen != WIRESHARK || number(0) != Some(PROCESS_INFORMATION) {
        return Ok(None);
    }
    let length = number(4).context("process information without a length")? as usize;
    let entry = block.data.get(8..8 + length).context("process information is cut off")?;
    let pid = number(8).filter(|_| length >= 4).context("process information without an id")?;
    let mut process = Process { pid, parent: None, created: None };
    let mut options = &entry[4..];
    while let Some((&[a, b, c, d], behind)) = options.split_first_chunk() {
        let (code, length) = (u16::from_le_bytes([a, b]), usize::from(u16::from_le_bytes([c, d])));
        if code == 0 {
            ensure!(length == 0 && behind.is_empty(), "something is behind the end of process information");
            return Ok(Some(process));
        }
        let value = behind.get(..length).context("an option of process information is cut off")?;
        match code {
            PARENT => process.parent = Some(u32::from_le_bytes(value.try_into().context("a parent's id")?)),
            STARTED => {
                let nanoseconds = u64::from_le_bytes(value.try_into().context("a time of start")?);
                process.created = Some(UNIX + nanoseconds / 100);
            }
            _ => {}
        }
        options = behind.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Err(anyhow!("process information without an end"))
}

/// Between whom a packet of TCP or UDP behind an Ethernet header goes.
fn ends(packet: &[u8]) -> Option<(Protocol, SocketAddr, SocketAddr)> {
    let (header, packet) = packet.split_at_checked(ETHERNET)?;
    let headers =
        IP.iter().any(|kind| header.ends_with(kind)).then(|| Headers::read(packet, packet.len() as u32))??;
    let protocol = match headers.transport {
        Transport::Tcp { .. } => Protocol::Tcp,
        Transport::Udp => Protocol::Udp,
        Transport::Echo { .. } => return None,
    };
    Some((protocol, headers.source, headers.destination))
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
