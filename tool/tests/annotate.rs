//! `annotate`: what it writes, read back by a reader of its own, and what it leaves alone.

#[expect(dead_code, reason = "each test program needs a part of it")]
mod made;
mod pcapng;

use std::net::Ipv4Addr;

use flowtag_tool::{
    annotate::{Options, Summary, annotate},
    event::Told,
    flows::{Lives, TOLERANCE, Table},
};
use made::{
    Capture, ETHERNET, LOCAL, ORDERS, Order, RAW, REMOTE, close, ethernet, flow, fragment, open, udp, unreachable,
};
use pcapng::{Block, Packet};

/// What became of a capture.
struct Annotated {
    bytes: Vec<u8>,
    summary: Summary,
    /// Why it went no further; nothing if it went to the end.
    error: String,
}

impl Annotated {
    fn blocks(&self) -> Vec<Block> {
        pcapng::blocks(&self.bytes)
    }

    fn packets(&self) -> Vec<Packet> {
        let packets = self.blocks().into_iter().filter_map(|block| match block {
            Block::Packet(packet) => Some(packet),
            _ => None,
        });
        packets.collect()
    }

    /// The process id of each packet; 0 where there is none.
    fn owners(&self) -> Vec<u32> {
        self.packets().iter().map(|packet| packet.owner.map_or(0, |(pid, _)| pid)).collect()
    }

    fn processes(&self) -> Vec<pcapng::Process> {
        let processes = self.blocks().into_iter().filter_map(|block| match block {
            Block::Process(process) => Some(process),
            _ => None,
        });
        processes.collect()
    }
}

fn annotated_with(capture: &[u8], events: &[Told], comments: bool) -> Annotated {
    let mut lives = Lives::default();
    for told in events {
        lives.hear(told);
    }
    let table = Table::new(lives, TOLERANCE);
    let (mut bytes, mut summary) = (Vec::new(), Summary::default());
    let mut input = flowtag_tool::capture::Capture::new(capture).expect("it is a capture");
    let ended = annotate(&mut input, &mut bytes, &table, Options { comments, processes: true }, &mut summary, |_| {});
    Annotated { bytes, summary, error: ended.err().map(|error| error.to_string()).unwrap_or_default() }
}

fn annotated(capture: &[u8], events: &[Told]) -> Annotated {
    annotated_with(capture, events, true)
}

/// A flow of process 7 that lives from the beginning on.
fn talk() -> Vec<Told> {
    vec![open(0, flow(1, 7, LOCAL, REMOTE))]
}

#[test]
fn a_packet_of_a_flow_says_whose_it_is_and_the_process_comes_before_it() {
    for order in ORDERS {
        let mut capture = Capture::new(order, RAW);
        capture.packet(10, &udp(LOCAL, REMOTE));
        capture.packet(20, &udp(REMOTE, LOCAL));
        let annotated = annotated(&capture.bytes, &talk());
        let blocks = annotated.blocks();
        assert!(
            matches!(
                blocks[..],
                [Block::Section(_), Block::Other(1, _), Block::Process(_), Block::Packet(_), Block::Packet(_)]
            ),
            "{blocks:?}"
        );
        let Block::Process(process) = &blocks[2] else { panic!("{blocks:?}") };
        let path = r"\device\harddiskvolume3\program 7.exe";
        assert_eq!((process.id, process.parent), (7, Some(812)));
        assert_eq!((process.name.as_deref(), process.path.as_deref()), (Some("program 7.exe"), Some(path)));
        // 2025-11-30T07:00:00Z
        assert_eq!(process.started, Some(1_764_486_000_000_000_000));
        for packet in annotated.packets() {
            assert_eq!(packet.owner, Some((7, 0)));
            let comment = format!("PID: 7\nCmd: {path}\nParentPID: 812\nStartTime: 2025-11-30T07:00:00.0000000Z");
            assert_eq!(packet.comments, [comment]);
        }
        assert_eq!(annotated.summary, Summary { packets: 2, joined: 2, ..Summary::default() });
    }
}

#[test]
fn packets_keep_their_order_and_their_owners_however_many_there_are() {
    let mut capture = Capture::new(Order::Little, RAW);
    let ways = [udp(LOCAL, REMOTE), udp("10.9.9.9:1", REMOTE), udp(REMOTE, LOCAL)];
    for (number, packet) in (0..1000).zip(ways.iter().cycle()) {
        capture.packet(number, packet);
        if number % 300 == 299 {
            capture.block(4, b"names of addresses");
        }
    }
    let annotated = annotated(&capture.bytes, &talk());
    let times: Vec<_> = annotated.packets().iter().map(|packet| packet.time - made::BEGIN).collect();
    assert!(times.into_iter().eq(0..1000));
    assert!(annotated.owners().into_iter().eq((0..1000).map(|number| if number % 3 == 1 { 0 } else { 7 })));
    assert_eq!(annotated.summary, Summary { packets: 1000, joined: 667, unknown: 333, ..Summary::default() });
    let blocks = annotated.blocks();
    let others = blocks.iter().enumerate().filter_map(|(place, block)| match block {
        Block::Other(4, _) => Some(place),
        _ => None,
    });
    // Behind a section, an interface and process information.
    assert!(others.eq([303, 604, 905]));
}

#[test]
fn without_comments_there_are_none() {
    let mut capture = Capture::new(Order::Little, RAW);
    capture.packet(10, &udp(LOCAL, REMOTE));
    let packets = annotated_with(&capture.bytes, &talk(), false).packets();
    assert_eq!((packets[0].owner, packets[0].comments.len()), (Some((7, 0)), 0));
}

#[test]
fn what_is_not_known_of_a_process_is_not_written() {
    let mut flow = flow(1, 7, LOCAL, REMOTE);
    flow.process = flowtag_tool::event::Process { id: 7, ..Default::default() };
    let mut capture = Capture::new(Order::Little, RAW);
    capture.packet(10, &udp(LOCAL, REMOTE));
    let annotated = annotated(&capture.bytes, &[open(0, flow)]);
    assert_eq!(annotated.processes(), [pcapng::Process { id: 7, ..Default::default() }]);
    assert_eq!(annotated.packets()[0].comments, ["PID: 7"]);
}

/// A capture with something of everything.
fn motley(order: Order) -> Vec<u8> {
    let mut capture = Capture::new(order, RAW);
    capture.interface(ETHERNET, &[(2, b"eth0"), (9, &[9]), (0x8001, b"odd")]);
    capture.block(4, b"names of addresses");
    capture.block(0x0bad, &[&capture.u32(32_473), b"somebody's".as_slice()].concat());
    capture.block(0x4000_0bad, &[&capture.u32(32_473), b"not copyable".as_slice()].concat());
    capture.block(0x8000_0001, b"nobody knows what");
    capture.packet_with(0, made::BEGIN + 10, &udp(LOCAL, REMOTE), &[(1, b"seen"), (2, &capture.u32(1)), (4, &[7; 8])]);
    capture.packet_with(1, (made::BEGIN + 20) * 1000, &ethernet(&udp("10.9.9.9:1", REMOTE)), &[(1, b"unknown")]);
    capture.block(3, &[&capture.u32(35), udp(LOCAL, REMOTE).as_slice()].concat());
    capture.block(
        2,
        &[&[0; 4], capture.u32(0).as_slice(), &capture.u32(0), &capture.u32(4), &capture.u32(4), b"data"].concat(),
    );
    capture.block(5, &[0; 12]);
    capture.block(0x0000_0bad, &[&capture.u32(32_622), b"\x63\0\0\0\x04\0\0\0what".as_slice()].concat());
    capture.bytes
}

#[test]
fn nothing_else_is_touched() {
    for order in ORDERS {
        let capture = motley(order);
        let annotated = annotated(&capture, &talk());
        let mut blocks = annotated.blocks();
        blocks.retain(|block| !matches!(block, Block::Process(_)));
        for block in &mut blocks {
            let Block::Packet(packet) = block else { continue };
            if packet.owner.take().is_some() {
                // Ours come behind those that were there.
                let ours = packet.options.split_off(packet.options.len() - 2);
                assert_eq!(ours.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [8, 1]);
                packet.comments.pop();
            }
        }
        assert_eq!(blocks, pcapng::blocks(&capture));
        let summary = Summary { packets: 4, joined: 1, unknown: 1, without_options: 2, ..Summary::default() };
        assert_eq!(annotated.summary, summary);
    }
}

#[test]
fn a_capture_without_packets_of_flows_stays_as_it_is_byte_for_byte() {
    for order in ORDERS {
        let capture = motley(order);
        assert!(annotated(&capture, &[]).bytes == capture);
    }
}

#[test]
fn annotating_twice_changes_nothing() {
    for comments in [true, false] {
        for order in ORDERS {
            let once = annotated_with(&motley(order), &talk(), comments);
            let twice = annotated_with(&once.bytes, &talk(), comments);
            assert!(once.bytes == twice.bytes);
            assert_eq!((twice.summary.joined, twice.summary.already), (0, 1));
        }
    }
}

#[test]
fn a_packet_that_lost_its_ids_on_the_way_but_kept_its_comment_is_annotated_before() {
    let mut capture = Capture::new(Order::Little, RAW);
    capture.packet_with(0, made::BEGIN, &udp(LOCAL, REMOTE), &[(1, b"PID: 7\nCmd: x")]);
    capture.packet_with(0, made::BEGIN, &udp(LOCAL, REMOTE), &[(1, b"PID: unknown")]);
    let annotated = annotated(&capture.bytes, &talk());
    assert_eq!((annotated.summary.already, annotated.summary.joined), (1, 1));
}

#[test]
fn a_process_that_the_file_tells_of_already_is_not_told_again() {
    let mut capture = Capture::new(Order::Little, RAW);
    capture.packet(10, &udp(LOCAL, REMOTE));
    let mut half = annotated(&capture.bytes, &talk()).bytes;
    capture.bytes = half.split_off(0);
    capture.packet(20, &udp(REMOTE, LOCAL));
    let annotated = annotated(&capture.bytes, &talk());
    assert_eq!((annotated.processes().len(), annotated.summary.joined), (1, 1));
}

#[test]
fn each_section_tells_of_its_processes_and_has_its_own_interfaces() {
    let mut capture = Capture::new(Order::Little, ETHERNET);
    capture.packet(10, &ethernet(&udp(LOCAL, REMOTE)));
    capture.section(Order::Big, -1);
    capture.interface(RAW, &[]);
    capture.packet(20, &udp(LOCAL, REMOTE));
    let annotated = annotated(&capture.bytes, &talk());
    assert_eq!(annotated.owners(), [7, 7]);
    assert_eq!(annotated.processes().len(), 2);
}

#[test]
fn a_section_that_says_how_long_it_is_does_so_no_longer() {
    let mut capture = Capture::new(Order::Big, RAW);
    capture.bytes.clear();
    capture.section(Order::Big, 20);
    capture.interface(RAW, &[]);
    assert_eq!(annotated(&capture.bytes, &talk()).blocks()[0], Block::Section(-1));
}

#[test]
fn two_flows_that_fit_are_counted_and_claimed_for_nobody() {
    let mut capture = Capture::new(Order::Little, RAW);
    capture.packet(10, &udp(LOCAL, REMOTE));
    let both = [open(0, flow(1, 7, LOCAL, REMOTE)), open(0, flow(2, 8, LOCAL, REMOTE))];
    let annotated = annotated(&capture.bytes, &both);
    assert_eq!(annotated.summary, Summary { packets: 1, ambiguous: 1, ..Summary::default() });
    assert!(annotated.bytes == capture.bytes);
}

#[test]
fn a_port_that_another_process_got_is_told_apart_by_the_time() {
    let second = 1_000_000;
    let mut capture = Capture::new(Order::Little, RAW);
    for time in [second / 2, second * 2] {
        capture.packet(time, &udp(LOCAL, REMOTE));
    }
    let events = [
        open(0, flow(1, 7, LOCAL, REMOTE)),
        close(second, flow(1, 7, LOCAL, REMOTE)),
        open(second * 3 / 2, flow(2, 8, LOCAL, REMOTE)),
    ];
    assert_eq!(annotated(&capture.bytes, &events).owners(), [7, 8]);
}

#[test]
fn the_clock_of_an_interface_counts() {
    let mut capture = Capture::new(Order::Little, RAW);
    capture.interface(RAW, &[(9, &[9])]);
    capture.interface(RAW, &[(14, &1000_i64.to_le_bytes())]);
    capture.packet_with(1, (made::BEGIN + 10) * 1000, &udp(LOCAL, REMOTE), &[]);
    capture.packet_with(2, made::BEGIN + 10 - 1_000_000_000, &udp(LOCAL, REMOTE), &[]);
    capture.packet_with(0, made::BEGIN + 10_000_000, &udp(LOCAL, REMOTE), &[]);
    let events = [open(0, flow(1, 7, LOCAL, REMOTE)), close(1000, flow(1, 7, LOCAL, REMOTE))];
    assert_eq!(annotated(&capture.bytes, &events).owners(), [7, 7, 0]);
}

const CLIENT: &str = "127.0.0.1:1000";
const SERVER: &str = "127.0.0.1:80";

fn loopback_pair() -> [Told; 2] {
    [open(0, flow(1, 7, CLIENT, SERVER)), open(0, flow(2, 8, SERVER, CLIENT))]
}

#[test]
fn on_loopback_a_packet_is_its_senders_unless_the_capture_says_that_it_came_in() {
    for order in ORDERS {
        let mut capture = Capture::new(order, RAW);
        for packet in [udp(CLIENT, SERVER), udp(SERVER, CLIENT)] {
            capture.packet(10, &packet);
            for flags in [0, 1, 2] {
                capture.packet_with(0, made::BEGIN + 10, &packet, &[(2, &capture.u32(flags))]);
            }
        }
        assert_eq!(annotated(&capture.bytes, &loopback_pair()).owners(), [7, 7, 8, 7, 8, 8, 7, 8]);
    }
}

#[test]
fn a_cooked_header_says_which_way_a_packet_goes() {
    let mut capture = Capture::new(Order::Little, 276);
    for kind in [0, 4] {
        let header = [8, 0, 0, 0, 0, 0, 0, 1, 3, 4, kind, 6, 0, 0, 0, 0, 0, 0, 0, 0];
        capture.packet(10, &[header.as_slice(), &udp(CLIENT, SERVER)].concat());
    }
    assert_eq!(annotated(&capture.bytes, &loopback_pair()).owners(), [8, 7]);
}

#[test]
fn on_loopback_the_side_that_is_known_is_the_owner() {
    let mut capture = Capture::new(Order::Little, RAW);
    capture.packet(10, &udp(CLIENT, SERVER));
    capture.packet(20, &udp(SERVER, CLIENT));
    assert_eq!(annotated(&capture.bytes, &loopback_pair()[..1]).owners(), [7, 7]);
}

#[test]
fn on_loopback_a_packet_of_a_sender_that_has_gone_is_not_its_receivers() {
    let mut events = loopback_pair().to_vec();
    // The last acknowledgement of a connection may come long after its sender has forgotten it.
    events.push(close(1_000, flow(1, 7, CLIENT, SERVER)));
    let mut capture = Capture::new(Order::Little, RAW);
    for packet in [udp(CLIENT, SERVER), udp(SERVER, CLIENT)] {
        capture.packet(1_000_000, &packet);
        capture.packet_with(0, made::BEGIN + 1_000_000, &packet, &[(2, &capture.u32(1))]);
    }
    // Without a word of the way the sender's, which is not known of the first; what came in is the receiver's.
    assert_eq!(annotated(&capture.bytes, &events).owners(), [0, 8, 8, 0]);
}

#[test]
fn a_packet_that_would_be_longer_than_blocks_may_be_stays_as_it_is() {
    /// What blocks have at most, as docs/tool.md says; what an Enhanced Packet Block and option 8 have besides the packet.
    const LONGEST: usize = 16 << 20;
    const BESIDES: usize = 32 + 12 + 4;
    for (bytes, owner, without_options) in [(LONGEST - BESIDES, 7, 0), (LONGEST - BESIDES + 4, 0, 1)] {
        let mut packet = udp(LOCAL, REMOTE);
        packet.resize(bytes, 0);
        let mut capture = Capture::new(Order::Little, RAW);
        capture.packet(10, &packet);
        let once = annotated_with(&capture.bytes, &talk(), false);
        assert_eq!((once.owners(), once.summary.without_options), (vec![owner], without_options));
        assert_eq!(annotated_with(&once.bytes, &talk(), false).error, "", "what was written is read again");
    }
}

#[test]
fn all_fragments_of_a_datagram_are_its_owners_once_the_first_was_seen() {
    let more = 0x2000;
    let mut capture = Capture::new(Order::Little, RAW);
    for (identification, flags_and_offset) in [(1, more | 0x64), (1, more), (1, more | 0x64), (1, 0xc8), (2, 0xc8)] {
        capture.packet(10, &fragment(udp(LOCAL, REMOTE), identification, flags_and_offset));
    }
    let annotated = annotated(&capture.bytes, &talk());
    assert_eq!(annotated.owners(), [0, 7, 7, 7, 0]);
    assert_eq!(annotated.summary.unknown, 2);
}

#[test]
fn an_icmp_error_belongs_to_the_flow_whose_packet_it_quotes() {
    let mut capture = Capture::new(Order::Little, RAW);
    capture.packet(10, &unreachable(&udp(LOCAL, REMOTE)));
    capture.packet(20, &unreachable(&udp(REMOTE, LOCAL)));
    assert_eq!(annotated(&capture.bytes, &talk()).owners(), [7, 7]);
}

#[test]
fn packets_that_are_not_ip_and_links_that_are_not_read_are_counted() {
    let mut capture = Capture::new(Order::Little, ETHERNET);
    capture.interface(127, &[]);
    capture.packet(10, &[2; 60]);
    capture.packet_with(1, made::BEGIN, &udp(LOCAL, REMOTE), &[]);
    let annotated = annotated(&capture.bytes, &talk());
    assert_eq!(annotated.summary, Summary { packets: 2, unread: 2, ..Summary::default() });
    assert!(annotated.bytes == capture.bytes);
}

#[test]
fn a_list_of_options_without_an_end_gets_one() {
    let mut capture = Capture::new(Order::Little, RAW);
    let packet = udp(LOCAL, REMOTE);
    let [high, low] = made::halves(made::BEGIN);
    let numbers = [0, high, low, 35, 35];
    let mut body: Vec<u8> = numbers.into_iter().flat_map(u32::to_le_bytes).collect();
    body.extend([packet.as_slice(), &[0], b"\x01\0\x04\0note"].concat());
    capture.block(6, &body);
    let annotated = annotated(&capture.bytes, &talk());
    assert_eq!(annotated.packets()[0].comments[0], "note");
    assert_eq!(annotated.owners(), [7]);
}

#[test]
fn a_damaged_packet_is_copied_and_the_others_are_annotated() {
    let numbers = |interface: u32, captured: u32| -> Vec<u8> {
        [interface, 0, 0, captured, captured].into_iter().flat_map(u32::to_le_bytes).collect()
    };
    for damaged in [
        numbers(0, 100),
        numbers(0, u32::MAX),
        numbers(9, 0),
        vec![0; 16],
        [numbers(0, 0), b"\x01\0\xff\xffcut ".to_vec()].concat(),
        [numbers(0, 0), b"\x01\0\x05\0cut ".to_vec()].concat(),
    ] {
        let mut capture = Capture::new(Order::Little, RAW);
        capture.block(6, &damaged);
        let before = capture.bytes.len();
        capture.packet(10, &udp(LOCAL, REMOTE));
        let annotated = annotated(&capture.bytes, &talk());
        assert_eq!((annotated.summary.damaged, annotated.summary.joined), (1, 1), "{damaged:?}");
        assert!(annotated.bytes[..before] == capture.bytes[..before]);
        assert_eq!(annotated.error, "");
    }
}

#[test]
fn of_a_capture_that_is_cut_off_what_is_whole_is_kept() {
    let mut capture = Capture::new(Order::Little, RAW);
    capture.packet(10, &udp(LOCAL, REMOTE));
    let whole = capture.bytes.len();
    capture.packet(20, &udp(LOCAL, REMOTE));
    let first = annotated(&capture.bytes[..whole], &talk());
    for end in whole + 1..capture.bytes.len() {
        let cut = annotated(&capture.bytes[..end], &talk());
        assert!(cut.bytes == first.bytes, "cut at {end}");
        let expected = format!("it is cut off: the block at byte {whole} has {} bytes of ", end - whole);
        assert!(cut.error.starts_with(&expected), "{}", cut.error);
    }
}

#[test]
fn a_capture_goes_as_far_as_its_blocks_make_sense() {
    let mut capture = Capture::new(Order::Little, RAW);
    capture.packet(10, &udp(LOCAL, REMOTE));
    let whole = capture.bytes.len();
    capture.packet(20, &udp(LOCAL, REMOTE));
    let end = capture.bytes.len();
    for (place, byte, expected) in [
        (whole + 4, 3, "says that it has 3 bytes"),
        (whole + 4, 8, "says that it has 8 bytes"),
        (whole + 7, 0x7f, "says that it has"),
        (end - 4, 4, "bytes at its beginning, and 4 at its end"),
    ] {
        let mut damaged = capture.bytes.clone();
        damaged[place] = byte;
        let annotated = annotated(&damaged, &talk());
        assert_eq!(annotated.summary.joined, 1);
        assert!(annotated.error.contains(&format!("at byte {whole}")), "{}", annotated.error);
        assert!(annotated.error.contains(expected), "{}", annotated.error);
    }
}

/// A pcap file with one packet of a flow, captured at this fraction of its second.
fn pcap(order: Order, magic: u32, fraction: u32) -> Vec<u8> {
    let number = |number: u32| match order {
        Order::Little => number.to_le_bytes(),
        Order::Big => number.to_be_bytes(),
    };
    let packet = udp(LOCAL, REMOTE);
    let length = u32::try_from(packet.len()).unwrap();
    let seconds = u32::try_from(made::BEGIN / 1_000_000).unwrap();
    // Version 2.4; in either order the two halves are one number here.
    let version = match order {
        Order::Little => 4 << 16 | 2,
        Order::Big => 2 << 16 | 4,
    };
    let numbers = [magic, version, 0, 0, 1234, u32::from(RAW), seconds, fraction, length, length + 5];
    numbers.into_iter().flat_map(number).chain(packet).collect()
}

#[test]
fn a_pcap_file_becomes_pcapng() {
    for order in ORDERS {
        for (magic, fraction, resolution, time) in
            [(0xa1b2_c3d4, 250, 6, made::BEGIN + 250), (0xa1b2_3c4d, 250_000, 9, (made::BEGIN + 250) * 1000)]
        {
            let annotated = annotated(&pcap(order, magic, fraction), &talk());
            let blocks = annotated.blocks();
            assert_eq!(blocks[0], Block::Section(-1));
            let Block::Other(1, interface) = &blocks[1] else { panic!("{blocks:?}") };
            assert!(interface.windows(5).any(|bytes| bytes[..4] == [9, 0, 1, 0] || bytes[..4] == [0, 9, 0, 1]));
            assert!(interface.contains(&resolution));
            let [packet] = &annotated.packets()[..] else { panic!("{blocks:?}") };
            assert_eq!((packet.time, packet.original, packet.owner), (time, 40, Some((7, 0))));
            assert_eq!(packet.data, udp(LOCAL, REMOTE));
        }
    }
}

#[test]
fn of_a_pcap_file_that_is_cut_off_what_is_whole_is_kept() {
    let file = pcap(Order::Little, 0xa1b2_c3d4, 0);
    let twice = [file.as_slice(), &file[24..]].concat();
    for end in file.len() + 1..twice.len() {
        let annotated = annotated(&twice[..end], &talk());
        assert_eq!(annotated.summary.joined, 1);
        assert!(annotated.error.contains(&format!("the record at byte {} has", file.len())), "{}", annotated.error);
    }
    let mut damaged = twice;
    damaged[file.len() + 8..file.len() + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(annotated(&damaged, &talk()).error.contains("says that it has a packet of 4294967295 bytes"));
}

#[test]
fn what_is_no_capture_says_what_it_is() {
    for (bytes, expected) in [
        (b"".as_slice(), "it begins with nothing"),
        (b"{\"timestamp\"", "it begins with 7b 22 74 69"),
        (b"\x1f\x8b\x08\0", "compressed with gzip"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
        (b"\xa1\xb2\xcd\x34", "further fields in each record"),
        (b"\xd4\xc3\xb2\xa1\x02", "the header at byte 0 has 5 bytes of 24"),
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0nothing else", "without saying in which order"),
    ] {
        let opened = flowtag_tool::capture::Capture::new(bytes);
        let told = match opened {
            Err(stop) => stop.to_string(),
            Ok(mut capture) => capture.next_block().expect_err("it is none").to_string(),
        };
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_hundred_thousand_flows_do_not_get_into_each_others_way() {
    let address = |number: u32| format!("{}:{}", Ipv4Addr::from(0x0a00_0000 + number / 50_000), 1 + number % 50_000);
    let events: Vec<_> =
        (0..100_000).map(|number| open(0, flow(number.into(), number % 100 + 1, &address(number), REMOTE))).collect();
    let mut capture = Capture::new(Order::Little, RAW);
    let asked = [0, 1, 49_999, 50_000, 99_999];
    for number in asked {
        capture.packet(10, &udp(&address(number), REMOTE));
    }
    assert_eq!(annotated(&capture.bytes, &events).owners(), asked.map(|number| number % 100 + 1));
}
