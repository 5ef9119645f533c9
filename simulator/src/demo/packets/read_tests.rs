use etherparse::PacketBuilder;

use super::*;

const SECTION: [u8; 28] = [
    0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 28, 0, 0, 0,
];
/// 2026-11-29T12:34:56.789Z, in nanoseconds since 1970: date -u -d @1795955696.
const STARTED: u64 = 1_795_955_696_789_000_000;
const COMMENT: &str = "PID: 42\nCmd: \\device\\curl\nStartTime: 2026-11-29T12:34:56.7890000Z";

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = [code.to_le_bytes(), (value.len() as u16).to_le_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes(), &length, body, &length].concat()
}

fn interface(resolution: u8) -> Vec<u8> {
    block(1, &[vec![1, 0, 0, 0, 0, 0, 4, 0], option(9, &[resolution]), vec![0; 4]].concat())
}

/// A packet of UDP at 100,000,000,700 ns since 1970, with these options.
fn udp(options: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ethernet2([0; 6], [0; 6]).ipv4([127, 0, 0, 1], [127, 0, 0, 2], 64).udp(5000, 53);
    builder.write(&mut bytes, b"12").unwrap();
    let (time, length) = (100_000_000_700_u64, bytes.len() as u32);
    let numbers = [0, (time >> 32) as u32, time as u32, length, length];
    let mut body: Vec<u8> = numbers.into_iter().flat_map(u32::to_le_bytes).collect();
    body.extend(&bytes);
    body.resize(body.len().next_multiple_of(4), 0);
    if !options.is_empty() {
        body.extend(options.concat());
        body.extend([0; 4]);
    }
    block(6, &body)
}

fn owned(comment: &str) -> Vec<u8> {
    let ids = [42_u32.to_le_bytes(), [0; 4]].concat();
    udp(&[option(8, &ids), option(1, comment.as_bytes())])
}

/// Process information, as Wireshark writes it: name and path, which are passed over, parent and time of start.
fn process_information(started: Option<u64>) -> Vec<u8> {
    let mut entry = 42_u32.to_le_bytes().to_vec();
    entry.extend([option(2, b"curl"), option(3, b"\\device\\curl"), option(5, &7_u32.to_le_bytes())].concat());
    entry.extend(started.map_or(vec![], |time| option(9, &time.to_le_bytes())));
    entry.extend([0; 4]);
    let head: Vec<u8> = [32_622, 3, entry.len() as u32].into_iter().flat_map(u32::to_le_bytes).collect();
    block(0xbad, &[head, entry].concat())
}

fn read(blocks: &[Vec<u8>]) -> Result<Vec<Packet>> {
    packets(&[SECTION.to_vec(), blocks.concat()].concat())
}

#[test]
fn a_packet_has_its_time_and_its_ends() {
    let packets = read(&[interface(9), udp(&[])]).unwrap();

    let ends = (Protocol::Udp, "127.0.0.1:5000".parse().unwrap(), "127.0.0.2:53".parse().unwrap());
    assert_eq!(packets, [Packet { at: 1_000_000_007, ends: Some(ends), owner: None }]);
}

#[test]
fn an_owner_is_the_process_that_was_told_of_before() {
    let packets = read(&[interface(9), process_information(Some(STARTED)), owned(COMMENT)]).unwrap();

    let created = Some(UNIX + STARTED / 100);
    let process = Process { pid: 42, parent: Some(7), created };
    assert_eq!(packets[0].owner, Some(Owner { pid: 42, process: Some(process) }));
}

#[test]
fn an_owner_that_was_not_told_of_or_otherwise_has_no_process() {
    let nobody = Some(Owner { pid: 42, process: None });
    let told = || process_information(Some(STARTED));
    for blocks in [
        vec![owned(COMMENT), told()],
        vec![told(), owned(&COMMENT.replace("PID: 42", "PID: 43"))],
        vec![told(), owned(&COMMENT.replace("56.789", "56.790"))],
        vec![process_information(None), owned(COMMENT)],
        vec![told(), owned("PID: 42")],
    ] {
        let packets = read(&[vec![interface(9)], blocks].concat()).unwrap();
        assert_eq!(packets[0].owner, nobody);
    }
}

#[test]
fn a_process_whose_start_nobody_knows_is_told_without_one() {
    let packets = read(&[interface(9), process_information(None), owned("PID: 42")]).unwrap();

    let process = Process { pid: 42, parent: Some(7), created: None };
    assert_eq!(packets[0].owner, Some(Owner { pid: 42, process: Some(process) }));
}

#[test]
fn times_that_are_no_nanoseconds_are_refused() {
    assert!(read(&[interface(6), udp(&[])]).unwrap_err().to_string().contains("nanoseconds"));
}

#[test]
fn what_is_no_capture_or_damaged_is_an_error_and_no_panic() {
    let whole = [SECTION.to_vec(), interface(9), process_information(Some(STARTED)), owned(COMMENT)].concat();
    for length in 1..whole.len() {
        let _ = packets(&whole[..length]);
    }
    assert!(packets(&whole[..whole.len() - 1]).is_err());
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0xff;
        let _ = packets(&damaged);
    }
    let (head, rest) = (interface(9), process_information(Some(STARTED)));
    let cut = rest[8..rest.len() - 8].to_vec();
    assert!(read(&[head, block(0xbad, &cut)]).is_err(), "process information without its end");
}
