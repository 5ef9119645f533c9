use std::net::{IpAddr, SocketAddr};

use etherparse::{IpFragOffset, IpNumber, Ipv4Header, Ipv6FragmentHeader, PacketBuilder};

use super::*;
use crate::flows::{ICMP, ICMPV6, TCP, UDP};

const ETHERNET: u16 = 1;
const RAW: u16 = 101;

fn tuple(protocol: u8, source: &str, destination: &str) -> Tuple {
    let end = |text: &str| text.parse::<SocketAddr>().unwrap();
    Tuple { protocol, source: end(source), destination: end(destination) }
}

fn there() -> Tuple {
    tuple(UDP, "10.0.0.5:50123", "10.0.0.6:53")
}

/// A UDP packet from 10.0.0.5:50123 to 10.0.0.6:53, from its IP header on.
fn udp() -> Vec<u8> {
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ipv4([10, 0, 0, 5], [10, 0, 0, 6], 64).udp(50123, 53);
    builder.write(&mut bytes, b"payload").unwrap();
    bytes
}

fn udp_v6() -> Vec<u8> {
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ipv6([0xfe; 16], [0xfd; 16], 64).udp(1000, 2000);
    builder.write(&mut bytes, b"payload").unwrap();
    bytes
}

fn there_v6() -> Tuple {
    let end = |byte: u8, port| SocketAddr::new(IpAddr::from([byte; 16]), port);
    Tuple { protocol: UDP, source: end(0xfe, 1000), destination: end(0xfd, 2000) }
}

/// An Ethernet frame with these bytes behind its addresses.
fn ethernet(behind: &[&[u8]]) -> Vec<u8> {
    [&[2; 12], behind.concat().as_slice()].concat()
}

fn ends(link_type: u16, bytes: &[u8]) -> Ends {
    see(link_type, bytes).ends
}

#[test]
fn ethernet_has_ipv4_and_ipv6() {
    assert_eq!(ends(ETHERNET, &ethernet(&[&[8, 0], &udp()])), Ends::Told(there()));
    assert_eq!(ends(ETHERNET, &ethernet(&[&[0x86, 0xdd], &udp_v6()])), Ends::Told(there_v6()));
}

#[test]
fn vlan_tags_are_passed_over_one_or_more() {
    for tags in [
        [0x81, 0, 0, 5].as_slice(),
        &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6],
        &[0x91, 0, 0, 5, 0x81, 0, 0, 6],
        &[0x81, 0, 0, 5, 0x81, 0, 0, 6],
    ] {
        assert_eq!(ends(ETHERNET, &ethernet(&[tags, &[8, 0], &udp()])), Ends::Told(there()), "{tags:x?}");
    }
}

#[test]
fn a_frame_without_ip_goes_nowhere() {
    for frame in [ethernet(&[&[8, 6], &[0; 28]]), ethernet(&[&[0, 38], &[0x42; 38]]), vec![2; 13], vec![]] {
        assert_eq!(ends(ETHERNET, &frame), Ends::Nowhere);
    }
    assert_eq!(ends(127, &udp()), Ends::Nowhere);
}

#[test]
fn loopback_and_raw_links_have_the_packet_behind_little_or_nothing() {
    for (link_type, before) in [
        (0, [2, 0, 0, 0].as_slice()),
        (0, &[0, 0, 0, 2]),
        (108, &[0, 0, 0, 2]),
        (101, &[]),
        (12, &[]),
        (14, &[]),
        (228, &[]),
    ] {
        let packet = [before, &udp()].concat();
        assert_eq!(ends(link_type, &packet), Ends::Told(there()), "link type {link_type}");
        assert!(is_read(link_type));
    }
    assert_eq!(ends(0, &[&[30, 0, 0, 0], udp_v6().as_slice()].concat()), Ends::Told(there_v6()));
    assert_eq!(ends(229, &udp_v6()), Ends::Told(there_v6()));
}

#[test]
fn a_cooked_header_of_linux_says_which_way() {
    for (kind, direction) in [
        (0, Some(Direction::In)),
        (1, Some(Direction::In)),
        (2, Some(Direction::In)),
        (3, None),
        (4, Some(Direction::Out)),
    ] {
        let v1 = [&[0, kind, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 8, 0], udp().as_slice()].concat();
        let v2 = [&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, kind, 6, 2, 2, 2, 2, 2, 2, 0, 0], udp().as_slice()].concat();
        assert_eq!(see(113, &v1), Seen { ends: Ends::Told(there()), direction }, "version 1, type {kind}");
        assert_eq!(see(276, &v2), Seen { ends: Ends::Told(there()), direction }, "version 2, type {kind}");
    }
}

#[test]
fn a_cooked_header_may_have_a_vlan_tag_behind_it() {
    let v1 = [&[0, 4, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 0x81, 0, 0, 5, 8, 0], udp().as_slice()].concat();
    assert_eq!(ends(113, &v1), Ends::Told(there()));
}

#[test]
fn options_of_ipv4_are_passed_over() {
    let mut bytes = udp();
    bytes[0] = 0x46;
    bytes[3] += 4;
    bytes.splice(20..20, [1, 1, 1, 0]);
    assert_eq!(ends(RAW, &bytes), Ends::Told(there()));
}

#[test]
fn extension_headers_of_ipv6_are_passed_over() {
    // Hop-by-hop (0), destination options (60) and routing (43), each of eight bytes, before UDP (17).
    let mut bytes = udp_v6();
    bytes[6] = 0;
    let headers = [[60, 0, 1, 4, 0, 0, 0, 0], [43, 0, 1, 4, 0, 0, 0, 0], [17, 0, 0, 0, 0, 0, 0, 0]].concat();
    bytes.splice(40..40, headers);
    let length = u16::try_from(bytes.len() - 40).unwrap();
    bytes[4..6].copy_from_slice(&length.to_be_bytes());
    assert_eq!(ends(RAW, &bytes), Ends::Told(there_v6()));
}

#[test]
fn a_packet_that_was_cut_behind_its_ports_is_enough() {
    let whole = udp();
    assert_eq!(ends(RAW, &whole[..24]), Ends::Told(there()));
    assert_eq!(ends(RAW, &whole[..23]), Ends::Nowhere);
    assert_eq!(ends(RAW, &whole[..19]), Ends::Nowhere);
}

#[test]
fn a_length_that_was_not_filled_in_yet_does_not_matter() {
    let mut offloaded = udp();
    offloaded[2..4].copy_from_slice(&[0, 0]);
    assert_eq!(ends(RAW, &offloaded), Ends::Told(there()));
}

/// A fragment of the datagram 0x1234, at this offset.
fn fragment(offset: u16, more: bool) -> Vec<u8> {
    let whole = udp();
    let mut header = Ipv4Header::from_slice(&whole).unwrap().0;
    header.identification = 0x1234;
    header.fragment_offset = IpFragOffset::try_new(offset).unwrap();
    header.more_fragments = more;
    [header.to_bytes().as_slice(), &whole[20..]].concat()
}

fn datagram() -> Datagram {
    let [source, destination] = ["10.0.0.5", "10.0.0.6"].map(|text| text.parse().unwrap());
    Datagram { source, destination, protocol: UDP, identification: 0x1234 }
}

#[test]
fn the_first_fragment_says_for_all_between_whom_they_go() {
    assert_eq!(ends(RAW, &fragment(0, true)), Ends::ForAll(there(), datagram()));
    assert_eq!(ends(RAW, &fragment(185, true)), Ends::InFirst(datagram()));
    assert_eq!(ends(RAW, &fragment(185, false)), Ends::InFirst(datagram()));
}

#[test]
fn fragments_of_ipv6_are_known_by_their_header() {
    for (offset, first) in [(0, true), (100, false)] {
        let mut bytes = udp_v6();
        bytes[6] = 44;
        let offset = IpFragOffset::try_new(offset).unwrap();
        let header = Ipv6FragmentHeader::new(IpNumber::UDP, offset, true, 0x1234_5678);
        bytes.splice(40..40, header.to_bytes());
        let length = u16::try_from(bytes.len() - 40).unwrap();
        bytes[4..6].copy_from_slice(&length.to_be_bytes());
        let Tuple { source, destination, .. } = there_v6();
        let datagram =
            Datagram { source: source.ip(), destination: destination.ip(), protocol: 0, identification: 0x1234_5678 };
        let expected = if first { Ends::ForAll(there_v6(), datagram) } else { Ends::InFirst(datagram) };
        assert_eq!(ends(RAW, &bytes), expected);
    }
}

/// An ICMP message from the router 10.0.0.1 to 10.0.0.5.
fn icmp(kind: u8, code: u8, behind: &[u8]) -> Vec<u8> {
    let message = [&[kind, code, 0, 0, 0, 0, 0, 0], behind].concat();
    let length = u16::try_from(message.len()).unwrap();
    let header = Ipv4Header::new(length, 64, IpNumber::ICMP, [10, 0, 0, 1], [10, 0, 0, 5]).unwrap();
    [header.to_bytes().as_slice(), &message].concat()
}

#[test]
fn an_icmp_error_is_about_the_packet_that_it_quotes() {
    for kind in [3, 4, 5, 11, 12] {
        // The quoted header and eight bytes (RFC 792).
        assert_eq!(ends(RAW, &icmp(kind, 1, &udp()[..28])), Ends::Told(there()), "type {kind}");
    }
}

#[test]
fn an_icmp_error_that_quotes_a_fragment_is_about_its_datagram() {
    assert_eq!(ends(RAW, &icmp(3, 4, &fragment(0, true)[..28])), Ends::Told(there()));
    assert_eq!(ends(RAW, &icmp(3, 4, &fragment(185, true)[..28])), Ends::InFirst(datagram()));
}

#[test]
fn an_icmp_error_that_quotes_an_error_is_about_that_one_only() {
    let inner = icmp(3, 1, &udp()[..28]);
    let [router, host] = ["10.0.0.1", "10.0.0.5"].map(|text| text.parse().unwrap());
    assert_eq!(ends(RAW, &icmp(11, 0, &inner)), Ends::Told(Tuple::icmp(ICMP, router, host, 3, 1)));
}

#[test]
fn an_icmp_message_that_quotes_nothing_has_its_type_and_code() {
    let [router, host] = ["10.0.0.1", "10.0.0.5"].map(|text| text.parse().unwrap());
    assert_eq!(ends(RAW, &icmp(8, 0, b"ping")), Ends::Told(Tuple::icmp(ICMP, router, host, 8, 0)));
    assert_eq!(ends(RAW, &icmp(3, 1, &[])), Ends::Told(Tuple::icmp(ICMP, router, host, 3, 1)));
}

#[test]
fn an_error_of_icmpv6_is_about_the_packet_that_it_quotes() {
    for kind in 1..=4u8 {
        let message = [&[kind, 0, 0, 0, 0, 0, 0, 0], udp_v6().as_slice()].concat();
        let mut bytes = udp_v6()[..40].to_vec();
        bytes[6] = ICMPV6;
        bytes[4..6].copy_from_slice(&u16::try_from(message.len()).unwrap().to_be_bytes());
        bytes.extend(message);
        assert_eq!(ends(RAW, &bytes), Ends::Told(there_v6()), "type {kind}");
    }
}

#[test]
fn protocols_with_ports_have_them_and_others_do_not() {
    for (protocol, has_ports) in [(TCP, true), (33, true), (132, true), (136, true), (47, false), (50, false)] {
        let mut bytes = udp();
        bytes[9] = protocol;
        let expected =
            if has_ports { Tuple { protocol, ..there() } } else { tuple(protocol, "10.0.0.5:0", "10.0.0.6:0") };
        assert_eq!(ends(RAW, &bytes), Ends::Told(expected), "protocol {protocol}");
    }
}

proptest::proptest! {
    #[test]
    fn no_packet_is_too_strange_to_be_looked_at(link_type in 0u16..300, bytes: Vec<u8>) {
        let _ = see(link_type, &bytes);
        for link_type in [0, 1, 101, 108, 113, 276] {
            let _ = see(link_type, &bytes);
        }
    }
}
