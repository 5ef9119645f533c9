//! Reads the headers of a packet that begins with its IP header and may be cut off.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    IcmpEchoHeader, Icmpv4Type, Icmpv6Type, IpHeaders, LaxIpPayloadSlice, TcpHeaderSlice, UdpHeaderSlice,
};

use super::event::{Packet, protocol};

/// What the headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Who sent it. ICMP: no port.
    pub source: SocketAddr,
    /// Who gets it. ICMP: no port.
    pub destination: SocketAddr,
    /// What the transport header adds.
    pub transport: Transport,
    /// Sizes.
    pub packet: Packet,
}

/// What the tracker needs of the transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp {
        /// The first segment of a connection: SYN without ACK.
        opens: bool,
    },
    /// UDP.
    Udp,
    /// An echo request or its reply. Other ICMP messages are errors, which ALE does not authorize, or no concern of a process.
    Echo {
        /// The protocol number, ICMP or `ICMPv6`.
        protocol: u8,
        /// The type that opens the flow: that of the request, also on the reply.
        kind: u8,
        /// It is the reply.
        reply: bool,
        /// The identifier, which tells one ping from another.
        id: u16,
    },
}

impl Headers {
    /// Reads `captured`, the beginning of a packet of `length` bytes. `None` for what has no transport header to read: other protocols, all but the
    /// first fragment, and what is cut off too early.
    #[must_use]
    pub fn read(captured: &[u8], length: u32) -> Option<Self> {
        let (ip, payload, _) = IpHeaders::from_slice_lax(captured).ok()?;
        let (source, destination) = match &ip {
            IpHeaders::Ipv4(ip, _) => (IpAddr::from(ip.source), IpAddr::from(ip.destination)),
            IpHeaders::Ipv6(ip, _) => (IpAddr::from(ip.source), IpAddr::from(ip.destination)),
        };
        let (transport, header, source_port, destination_port) = transport(&payload)?;
        // The length is the one the network stack holds, not that of the IP header: with segmentation offload the two differ.
        let headers = u32::try_from(ip.header_len()).ok()? + header;
        Some(Self {
            source: SocketAddr::new(source, source_port),
            destination: SocketAddr::new(destination, destination_port),
            transport,
            packet: Packet { header, payload: length.checked_sub(headers)? },
        })
    }
}

fn transport(ip: &LaxIpPayloadSlice) -> Option<(Transport, u32, u16, u16)> {
    match ip.ip_number.0 {
        // A fragment but the first has no transport header, and etherparse does not read one from any fragment: nor do we.
        _ if ip.fragmented => None,
        protocol::TCP => {
            let tcp = TcpHeaderSlice::from_slice(ip.payload).ok()?;
            let opens = tcp.syn() && !tcp.ack();
            Some((
                Transport::Tcp { opens },
                u32::from(tcp.data_offset()) * 4,
                tcp.source_port(),
                tcp.destination_port(),
            ))
        }
        protocol::UDP => {
            let udp = UdpHeaderSlice::from_slice(ip.payload).ok()?;
            Some((Transport::Udp, 8, udp.source_port(), udp.destination_port()))
        }
        protocol::ICMP => match etherparse::Icmpv4Slice::from_slice(ip.payload).ok()?.icmp_type() {
            Icmpv4Type::EchoRequest(echo) => Some(self::echo(protocol::ICMP, 8, false, echo)),
            Icmpv4Type::EchoReply(echo) => Some(self::echo(protocol::ICMP, 8, true, echo)),
            _ => None,
        },
        protocol::ICMPV6 => match etherparse::Icmpv6Slice::from_slice(ip.payload).ok()?.icmp_type() {
            Icmpv6Type::EchoRequest(echo) => Some(self::echo(protocol::ICMPV6, 128, false, echo)),
            Icmpv6Type::EchoReply(echo) => Some(self::echo(protocol::ICMPV6, 128, true, echo)),
            _ => None,
        },
        _ => None,
    }
}

fn echo(protocol: u8, kind: u8, reply: bool, echo: IcmpEchoHeader) -> (Transport, u32, u16, u16) {
    (Transport::Echo { protocol, kind, reply, id: echo.id }, 0, 0, 0)
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn built(builder: etherparse::PacketBuilderStep<etherparse::UdpHeader>, payload: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        builder.write(&mut bytes, &vec![7; payload]).unwrap();
        bytes
    }

    fn length(bytes: &[u8]) -> u32 {
        u32::try_from(bytes.len()).unwrap()
    }

    #[test]
    fn udp_payload_is_what_follows_the_eight_header_bytes() {
        let bytes = built(PacketBuilder::ipv4([127, 0, 0, 1], [127, 0, 0, 2], 64).udp(5000, 53), 33);

        let headers = Headers::read(&bytes, length(&bytes)).unwrap();

        assert_eq!(headers.packet, Packet { header: 8, payload: 33 });
        assert_eq!(headers.source, "127.0.0.1:5000".parse().unwrap());
        assert_eq!(headers.destination, "127.0.0.2:53".parse().unwrap());
        assert_eq!(headers.transport, Transport::Udp);
    }

    #[test]
    fn tcp_options_belong_to_the_header() {
        let mut bytes = Vec::new();
        PacketBuilder::ipv6([1; 16], [2; 16], 64)
            .tcp(80, 5000, 1, 1000)
            .syn()
            .options_raw(&[1; 12])
            .unwrap()
            .write(&mut bytes, &[0; 5])
            .unwrap();

        let headers = Headers::read(&bytes, length(&bytes)).unwrap();

        assert_eq!(headers.packet, Packet { header: 32, payload: 5 });
        assert_eq!(headers.transport, Transport::Tcp { opens: true });
    }

    #[test]
    fn a_syn_with_ack_opens_nothing() {
        let mut bytes = Vec::new();
        PacketBuilder::ipv4([1; 4], [2; 4], 64).tcp(80, 5000, 1, 1000).syn().ack(1).write(&mut bytes, &[]).unwrap();

        let headers = Headers::read(&bytes, length(&bytes)).unwrap();

        assert_eq!(headers.transport, Transport::Tcp { opens: false });
    }

    #[test]
    fn the_payload_of_a_cut_off_packet_comes_from_its_true_length() {
        let mut bytes = Vec::new();
        PacketBuilder::ipv4([1; 4], [2; 4], 64).tcp(80, 5000, 1, 1000).ack(1).write(&mut bytes, &[0; 1400]).unwrap();

        let headers = Headers::read(&bytes[..60], 65_000).unwrap();

        assert_eq!(headers.packet, Packet { header: 20, payload: 64_960 });
    }

    #[test]
    fn an_echo_reply_names_the_type_of_its_request_and_counts_whole() {
        let mut bytes = Vec::new();
        PacketBuilder::ipv4([1; 4], [2; 4], 64).icmpv4_echo_reply(77, 1).write(&mut bytes, &[0; 10]).unwrap();

        let headers = Headers::read(&bytes, length(&bytes)).unwrap();

        assert_eq!(headers.transport, Transport::Echo { protocol: protocol::ICMP, kind: 8, reply: true, id: 77 });
        assert_eq!(headers.packet, Packet { header: 0, payload: 18 });
    }

    #[test]
    fn a_packet_cut_off_within_its_transport_header_is_not_read() {
        let bytes = built(PacketBuilder::ipv4([1; 4], [2; 4], 64).udp(1, 2), 10);

        assert_eq!(Headers::read(&bytes[..24], length(&bytes)), None);
    }

    #[test]
    fn a_length_shorter_than_the_headers_is_not_believed() {
        let bytes = built(PacketBuilder::ipv4([1; 4], [2; 4], 64).udp(1, 2), 10);

        assert_eq!(Headers::read(&bytes, 27), None);
    }

    #[test]
    fn nothing_at_all_is_not_read() {
        assert_eq!(Headers::read(&[], 0), None);
    }
}
