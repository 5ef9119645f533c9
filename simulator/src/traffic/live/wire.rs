//! The records of probes.bpf.c.

use std::{
    ffi::CStr,
    mem::size_of,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use bytemuck::{AnyBitPattern, bytes_of, pod_read_unaligned};

use crate::traffic::{
    event::{Direction, Process},
    packet::Headers,
    tracker::Observation,
};

const CREATED: u32 = 1;
const RELEASED: u32 = 2;
const CONNECTING: u32 = 3;
const ACCEPTED: u32 = 4;
const CLOSED: u32 = 5;
const OUTBOUND: u32 = 6;
const INBOUND: u32 = 7;
const BEGUN: u32 = 8;
const EXITED: u32 = 9;

const AF_INET6: u32 = 10;

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct SocketRecord {
    kind: u32,
    family: u32,
    at: u64,
    cookie: u64,
    local_port: u32,
    remote_port: u32,
    local4: u32,
    remote4: u32,
    local6: [u32; 4],
    remote6: [u32; 4],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct ProcessRecord {
    kind: u32,
    pid: u32,
    at: u64,
    cookie: u64,
    started: u64,
    parent: u32,
    depth: u32,
    names: [[u8; 64]; 32],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct ExitedRecord {
    kind: u32,
    pid: u32,
    at: u64,
    started: u64,
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct PacketRecord {
    kind: u32,
    length: u32,
    at: u64,
    cookie: u64,
    captured: u32,
    headers: [u8; 128],
}

/// When the probe saw it, in units of 100 ns since 1601, on a machine that booted at this time in the same units. It is the same
/// place in every record.
#[must_use]
pub fn at(record: &[u8], booted: u64) -> Option<u64> {
    let nanoseconds = record.get(8..16)?.first_chunk().map(|&bytes| u64::from_ne_bytes(bytes))?;
    Some(booted.saturating_add(nanoseconds / 100))
}

/// Reads a record of a machine that booted at this time, in units of 100 ns since 1601; `path_of` is asked for the program file of a
/// process where the probe did not find it all. `None`: a packet that flowtag does not follow.
#[must_use]
pub fn read(record: &[u8], booted: u64, path_of: impl FnOnce(u32) -> Option<String>) -> Option<Observation> {
    let created = |started: u64| booted.saturating_add(started / 100);
    if record.len() == size_of::<ProcessRecord>() {
        let it: ProcessRecord = pod_read_unaligned(record);
        let path = path(&it).or_else(|| path_of(it.pid));
        let process = Process { pid: it.pid, parent: it.parent, created: created(it.started), path };
        return match it.kind {
            CREATED => Some(Observation::Created { socket: it.cookie, owner: process }),
            BEGUN => Some(Observation::Begun(process)),
            _ => None,
        };
    }
    if record.len() == size_of::<ExitedRecord>() {
        let it: ExitedRecord = pod_read_unaligned(record);
        return (it.kind == EXITED).then(|| Observation::Exited { pid: it.pid, created: created(it.started) });
    }
    if record.len() == size_of::<PacketRecord>() {
        let packet: PacketRecord = pod_read_unaligned(record);
        let direction = match packet.kind {
            OUTBOUND => Direction::Outbound,
            INBOUND => Direction::Inbound,
            _ => return None,
        };
        let captured = packet.headers.get(..packet.captured as usize)?;
        let headers = Headers::read(captured, packet.length)?;
        return Some(Observation::Packet { socket: packet.cookie, direction, headers });
    }
    if record.len() != size_of::<SocketRecord>() {
        return None;
    }
    let it: SocketRecord = pod_read_unaligned(record);
    let local = || SocketAddr::new(address(it.family, it.local4, &it.local6), port(it.local_port));
    // sock_ops keeps the remote port in network order, in a 32-bit word.
    let remote = || SocketAddr::new(address(it.family, it.remote4, &it.remote6), port(u32::from_be(it.remote_port)));
    match it.kind {
        RELEASED => Some(Observation::Released { socket: it.cookie }),
        CONNECTING => Some(Observation::Connecting { socket: it.cookie, local: local(), remote: remote() }),
        ACCEPTED => Some(Observation::Accepted { local: local(), remote: remote() }),
        CLOSED => Some(Observation::Closed { local: local(), remote: remote() }),
        _ => None,
    }
}

/// The path that the probe found; its names run from the file up to the root. There is an empty one where a file system is mounted.
fn path(record: &ProcessRecord) -> Option<String> {
    let names = record.names.get(..record.depth as usize)?;
    let mut path = String::new();
    for name in names.iter().rev() {
        let name = CStr::from_bytes_until_nul(name).ok()?;
        if !name.is_empty() {
            path.push('/');
            path.push_str(&name.to_string_lossy());
        }
    }
    (!path.is_empty()).then_some(path)
}

fn port(value: u32) -> u16 {
    u16::try_from(value).unwrap_or_default()
}

/// An IPv6 socket that speaks IPv4 has mapped addresses; its packets, and WFP's layers, are IPv4.
fn address(family: u32, v4: u32, v6: &[u32; 4]) -> IpAddr {
    if family == AF_INET6 {
        let bytes: [u8; 16] = pod_read_unaligned(bytes_of(v6));
        IpAddr::from(Ipv6Addr::from(bytes)).to_canonical()
    } else {
        IpAddr::from(Ipv4Addr::from(v4.to_ne_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    fn socket_record(kind: u32, family: u32, local4: [u8; 4], local6: [u32; 4], remote_port: u32) -> Vec<u8> {
        let mut record = words(&[kind, family, 900, 0, 7, 0, 8080, remote_port]);
        record.extend(local4);
        record.extend([10, 0, 0, 1]);
        record.extend(words(&local6));
        record.extend([0; 16]);
        record
    }

    /// When the machine booted.
    const BOOTED: u64 = 1_000;

    fn process_record(kind: u32, depth: u32, names: &[&str]) -> Vec<u8> {
        let mut record = words(&[kind, 42, 900, 0, 7, 0]);
        record.extend(700_u64.to_ne_bytes());
        record.extend(words(&[31, depth]));
        for name in names {
            record.extend(name.as_bytes());
            record.resize(record.len() + 64 - name.len(), 0);
        }
        record.resize(size_of::<ProcessRecord>(), 0xee);
        record
    }

    fn owner(record: &[u8]) -> Process {
        match read(record, BOOTED, |pid| Some(format!("/proc/{pid}"))) {
            Some(Observation::Created { socket: 7, owner }) => owner,
            other => panic!("{other:?} is not the creation of socket 7"),
        }
    }

    #[test]
    fn a_created_socket_brings_its_process_and_the_path_from_the_root_down() {
        let record = process_record(CREATED, 4, &["curl", "bin", "", "usr"]);

        // 700 ns after the machine has booted.
        let expected = Process { pid: 42, parent: 31, created: BOOTED + 7, path: Some("/usr/bin/curl".into()) };
        assert_eq!(owner(&record), expected);
    }

    #[test]
    fn a_process_that_begins_is_the_one_that_exits() {
        let begun = read(&process_record(BEGUN, 2, &["curl", "bin"]), BOOTED, |_| None);
        let mut record = words(&[EXITED, 42, 900, 0]);
        record.extend(700_u64.to_ne_bytes());
        let exited = read(&record, BOOTED, |_| None);

        let Some(Observation::Begun(process)) = begun else { panic!("{begun:?} is no beginning") };
        assert_eq!(exited, Some(Observation::Exited { pid: process.pid, created: process.created }));
    }

    #[test]
    fn a_path_the_probe_did_not_follow_to_the_root_is_asked_for() {
        let record = process_record(CREATED, 0, &["curl", "bin"]);

        assert_eq!(owner(&record).path, Some("/proc/42".into()));
    }

    #[test]
    fn the_two_ports_of_a_connection_come_in_their_two_orders() {
        let network_order = u32::from_ne_bytes([0, 0, 0x01, 0xbb]); // as the kernel leaves it: the high half of the word
        let record = socket_record(CONNECTING, 2, [127, 0, 0, 1], [0; 4], network_order);

        let seen = read(&record, BOOTED, |_| None).unwrap();

        let (local, remote) = ("127.0.0.1:8080".parse().unwrap(), "10.0.0.1:443".parse().unwrap());
        assert_eq!(seen, Observation::Connecting { socket: 7, local, remote });
    }

    #[test]
    fn a_mapped_address_is_ipv4() {
        let mapped = [0, 0, u32::from_ne_bytes([0, 0, 0xff, 0xff]), u32::from_ne_bytes([127, 0, 0, 1])];
        let record = socket_record(CLOSED, AF_INET6, [0; 4], mapped, 0);

        let Some(Observation::Closed { local, .. }) = read(&record, BOOTED, |_| None) else { panic!("not a close") };

        assert_eq!(local, "127.0.0.1:8080".parse().unwrap());
    }

    #[test]
    fn every_record_says_when_the_probe_saw_it() {
        let records = [process_record(CREATED, 0, &[]), socket_record(CLOSED, 2, [0; 4], [0; 4], 0)];

        assert_eq!(records.map(|record| at(&record, BOOTED)), [Some(BOOTED + 9); 2]);
        assert_eq!(at(&[1; 12], BOOTED), None);
    }

    #[test]
    fn a_record_of_another_size_is_not_read() {
        assert_eq!(read(&[1; 12], BOOTED, |_| None), None);
    }
}
