//! The lines about flows. `docs/traces.md` has their grammar.
//!
//! IRQL: any: nothing here calls the kernel
use crate::{
    address, date,
    details::Details,
    escape,
    identity::Identity,
    line::Line,
    path::Captured,
    tag::{Address, Direction, Endpoint, Given, ICMP, ICMPV6, Origin, TCP, Tag, UDP},
};

/// How much is traced: the values of the `TraceLevel` setting.
pub mod level {
    /// A line when a flow is opened and one when it is closed.
    pub const FLOWS: u32 = 1;
    /// One more for the first packet each way.
    pub const FIRST_PACKETS: u32 = 2;
    /// One for every packet.
    pub const PACKETS: u32 = 3;
}

/// Why the driver let go of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Why {
    /// The flow ended.
    Deleted,
    /// Its place was given to a newer flow.
    Evicted,
    /// The driver is being unloaded.
    Unload,
}

/// Packets and payload bytes one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets, one a `NET_BUFFER`.
    pub packets: u64,
    /// Bytes of transport payload.
    pub bytes: u64,
}

/// `open`: a flow has been tagged.
pub fn open(line: &mut Line, tag: &Tag, details: &Details, path: Captured) {
    start(line, "flowtag: open flow=0x", tag);
    line.text(direction(tag.direction));
    protocol(line, tag.protocol);
    if tag.is_icmp() {
        bare(line, tag.local.address);
        line.text(" -> ");
        bare(line, tag.remote.address);
        line.text(" type=");
        number(line, tag.local.port);
        line.text(" code=");
        number(line, tag.remote.port);
    } else {
        endpoint(line, tag.local);
        line.text(" -> ");
        endpoint(line, tag.remote);
    }
    line.text(match tag.origin {
        Origin::New => " origin=new",
        Origin::Reauth => " origin=reauth",
    });
    identity(line, details.identity);
    if details.service_tag == 0 {
        line.text(" svc=- path=");
    } else {
        line.text(" svc=0x");
        line.hexadecimal(details.service_tag);
        line.text(" path=");
    }
    if path.units().is_empty() {
        line.byte(b'-');
    } else {
        escape::path(line, path);
    }
    line.byte(b'\n');
}

/// Which process exactly.
fn identity(line: &mut Line, Identity { start_key, created, parent }: Identity) {
    if start_key == 0 {
        line.text(" start=- key=- ppid=");
    } else {
        line.text(" start=");
        date::write(line, created);
        line.text(" key=0x");
        line.hexadecimal(start_key);
        line.text(" ppid=");
    }
    if parent == 0 {
        line.byte(b'-');
    } else {
        line.decimal(parent);
    }
}

/// `first` or `packet`: a packet has passed.
pub fn packet(line: &mut Line, first: bool, tag: &Tag, way: Direction, bytes: u32) {
    start(line, if first { "flowtag: first flow=0x" } else { "flowtag: packet flow=0x" }, tag);
    line.text(direction(way));
    line.text(" bytes=");
    line.decimal(bytes);
    line.byte(b'\n');
}

/// `close`: the driver has let go of a flow.
pub fn close(line: &mut Line, tag: &Tag, out: Traffic, r#in: Traffic, milliseconds: u64, why: Why) {
    start(line, "flowtag: close flow=0x", tag);
    line.text(" packets=");
    line.decimal(out.packets);
    line.byte(b'/');
    line.decimal(r#in.packets);
    line.text(" bytes=");
    line.decimal(out.bytes);
    line.byte(b'/');
    line.decimal(r#in.bytes);
    line.text(" ms=");
    line.decimal(milliseconds);
    line.text(match why {
        Why::Deleted => " why=deleted\n",
        Why::Evicted => " why=evicted\n",
        Why::Unload => " why=unload\n",
    });
}

fn start(line: &mut Line, start: &str, tag: &Tag) {
    line.text(start);
    line.hexadecimal(tag.flow);
    line.text(" pid=");
    line.decimal(tag.pid);
}

const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Out => " dir=out",
        Direction::In => " dir=in",
    }
}

fn protocol(line: &mut Line, protocol: Given) {
    match protocol.get().map(u8::try_from) {
        Some(Ok(ICMP)) => line.text(" proto=icmp "),
        Some(Ok(TCP)) => line.text(" proto=tcp "),
        Some(Ok(UDP)) => line.text(" proto=udp "),
        Some(Ok(ICMPV6)) => line.text(" proto=icmpv6 "),
        _ => {
            line.text(" proto=");
            number(line, protocol);
            line.byte(b' ');
        }
    }
}

fn endpoint(line: &mut Line, endpoint: Endpoint) {
    if let Address::V6(address) = endpoint.address {
        line.byte(b'[');
        address::v6(line, address);
        line.byte(b']');
    } else {
        bare(line, endpoint.address);
    }
    line.byte(b':');
    number(line, endpoint.port);
}

fn bare(line: &mut Line, address: Address) {
    match address {
        Address::Unknown => line.byte(b'-'),
        Address::V4(address) => address::v4(line, address),
        Address::V6(address) => address::v6(line, address),
    }
}

fn number(line: &mut Line, number: Given) {
    match number.get() {
        Some(number) => line.decimal(number),
        None => line.byte(b'-'),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        path::{LONGEST, Path, Unit},
        tag::Family,
    };

    const CURL: Tag = Tag {
        flow: 0x2a1,
        pid: 4242,
        local: Endpoint { address: Address::V4([10, 0, 0, 5]), port: Given::number(50123) },
        remote: Endpoint { address: Address::V4([93, 184, 216, 34]), port: Given::number(443) },
        protocol: Given::number(TCP as u16),
        family: Family::V4,
        direction: Direction::Out,
        origin: Origin::New,
    };

    fn written(write: impl FnOnce(&mut Line)) -> String {
        let mut line = Line::empty();
        write(&mut line);
        line.as_c_str().to_str().unwrap().to_owned()
    }

    fn details(service_tag: u64) -> Details {
        Details { service_tag, compartment: 1, interface: 12, identity: Identity::UNKNOWN }
    }

    fn opened_by(tag: &Tag, path: &str) -> String {
        opened_for(0, tag, path)
    }

    fn opened_for(service_tag: u64, tag: &Tag, path: &str) -> String {
        opened_with(&details(service_tag), tag, path)
    }

    /// Started on 29 November 2026 at 12:34:56.789 by process 812, as the 5,046th of the machine's 18th life.
    const OWNER: Identity =
        Identity { start_key: 0x0012_0000_0000_13b6, created: 134_404_292_967_890_000, parent: 812 };
    /// The System process, which nobody has started.
    const SYSTEM: Identity = Identity { start_key: 0x0012_0000_0000_0001, created: 134_404_092_120_030_000, parent: 0 };

    fn opened_with(details: &Details, tag: &Tag, path: &str) -> String {
        let blob: Vec<u8> = path.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let path = Path::of(&blob);
        let mut units = vec![[0; 2]; path.extent().units()];
        path.write(&mut units);
        written(|line| open(line, tag, details, Captured::new(&units, path.extent())))
    }

    fn opened(tag: &Tag) -> String {
        opened_by(tag, "curl.exe")
    }

    /// Asserts that the documentation shows this line.
    fn assert_documented(line: &str) {
        let document = include_str!("../docs/traces.md");
        assert!(document.lines().any(|shown| shown == line.trim_end()), "docs/traces.md lacks: {line}");
    }

    #[test]
    fn the_open_line_is_as_documented() {
        let details = Details { identity: OWNER, ..details(0) };
        let line = opened_with(&details, &CURL, r"\device\harddiskvolume3\windows\curl.exe");
        assert_eq!(
            line,
            concat!(
                "flowtag: open flow=0x2a1 pid=4242 dir=out proto=tcp 10.0.0.5:50123 -> 93.184.216.34:443 origin=new ",
                r"start=2026-11-29T12:34:56.789Z key=0x120000000013b6 ppid=812 svc=- path=\device\harddiskvolume3\windows\curl.exe",
                "\n"
            )
        );
        assert_documented(&line);
    }

    #[test]
    fn the_open_line_of_an_ipv6_flow_is_as_documented() {
        let remote = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let tag = Tag {
            local: Endpoint { address: Address::V6([0xff; 16]), port: Given::number(53) },
            remote: Endpoint { address: Address::V6(remote), port: Given::number(443) },
            protocol: Given::number(UDP.into()),
            family: Family::V6,
            direction: Direction::In,
            origin: Origin::Reauth,
            ..CURL
        };
        let mut local = [0; 16];
        local[0] = 0xfe;
        local[1] = 0x80;
        local[15] = 2;
        let tag = Tag { local: Endpoint { address: Address::V6(local), ..tag.local }, ..tag };
        let line = opened_for(0x55, &tag, "");
        assert_eq!(
            line,
            concat!(
                "flowtag: open flow=0x2a1 pid=4242 dir=in proto=udp [fe80::2]:53 -> [2001:db8::1]:443 origin=reauth ",
                "start=- key=- ppid=- svc=0x55 path=-\n"
            )
        );
        assert_documented(&line);
    }

    #[test]
    fn the_open_line_of_an_icmp_flow_is_as_documented() {
        let tag = Tag {
            pid: 4,
            local: Endpoint { port: Given::number(8), ..CURL.local },
            remote: Endpoint { port: Given::number(0), ..CURL.remote },
            protocol: Given::number(ICMP.into()),
            ..CURL
        };
        let line = opened_with(&Details { identity: SYSTEM, ..details(0) }, &tag, "System");
        assert_eq!(
            line,
            concat!(
                "flowtag: open flow=0x2a1 pid=4 dir=out proto=icmp 10.0.0.5 -> 93.184.216.34 type=8 code=0 origin=new ",
                "start=2026-11-29T07:00:12.003Z key=0x12000000000001 ppid=- svc=- path=System\n"
            )
        );
        assert_documented(&line);
    }

    #[test]
    fn the_first_line_is_as_documented() {
        let line = written(|line| packet(line, true, &CURL, Direction::Out, 517));
        assert_eq!(line, "flowtag: first flow=0x2a1 pid=4242 dir=out bytes=517\n");
        assert_documented(&line);
    }

    #[test]
    fn the_packet_line_is_as_documented() {
        let line = written(|line| packet(line, false, &CURL, Direction::In, 1440));
        assert_eq!(line, "flowtag: packet flow=0x2a1 pid=4242 dir=in bytes=1440\n");
        assert_documented(&line);
    }

    #[test]
    fn the_close_line_is_as_documented() {
        let out = Traffic { packets: 12, bytes: 1830 };
        let r#in = Traffic { packets: 9, bytes: 52_011 };
        let line = written(|line| close(line, &CURL, out, r#in, 840, Why::Deleted));
        assert_eq!(line, "flowtag: close flow=0x2a1 pid=4242 packets=12/9 bytes=1830/52011 ms=840 why=deleted\n");
        assert_documented(&line);
    }

    #[test]
    fn what_windows_did_not_tell_is_a_dash() {
        let unknown = Endpoint { address: Address::Unknown, port: Given::NOTHING };
        let tag = Tag { local: unknown, remote: unknown, protocol: Given::NOTHING, ..CURL };
        assert!(opened(&tag).contains(" proto=- -:- -> -:- "));
    }

    #[test]
    fn a_protocol_without_name_is_its_number() {
        assert!(opened(&Tag { protocol: Given::number(132), ..CURL }).contains(" proto=132 "));
    }

    #[test]
    fn an_evicted_flow_says_so() {
        let none = Traffic::default();
        assert!(written(|line| close(line, &CURL, none, none, 0, Why::Evicted)).ends_with(" why=evicted\n"));
    }

    #[test]
    fn a_flow_that_unload_let_go_says_so() {
        let none = Traffic::default();
        assert!(written(|line| close(line, &CURL, none, none, 0, Why::Unload)).ends_with(" why=unload\n"));
    }

    #[test]
    fn the_longest_open_line_ends_with_its_path() {
        let port = Given::number(u16::MAX);
        let long = Endpoint { address: Address::V6([0xff; 16]), port };
        for protocol in [UDP, ICMPV6] {
            let tag = Tag {
                flow: u64::MAX,
                pid: u64::MAX,
                local: long,
                remote: long,
                protocol: Given::number(protocol.into()),
                origin: Origin::Reauth,
                ..CURL
            };
            let path = "p".repeat(LONGEST / size_of::<Unit>());
            let identity = Identity { start_key: u64::MAX, parent: u64::MAX, ..OWNER };
            let line = opened_with(&Details { identity, ..details(u64::MAX) }, &tag, &path);
            assert!(line.ends_with("p\n") && line.len() <= Line::LONGEST, "{line}");
        }
    }

    #[test]
    fn the_longest_close_line_is_whole() {
        let most = Traffic { packets: u64::MAX, bytes: u64::MAX };
        let tag = Tag { flow: u64::MAX, pid: u64::MAX, ..CURL };
        assert!(written(|line| close(line, &tag, most, most, u64::MAX, Why::Deleted)).ends_with("why=deleted\n"));
    }

    fn endpoints() -> impl Strategy<Value = Endpoint> {
        let address = prop_oneof![
            Just(Address::Unknown),
            any::<[u8; 4]>().prop_map(Address::V4),
            any::<[u8; 16]>().prop_map(Address::V6),
        ];
        (address, any::<Option<u16>>()).prop_map(|(address, port)| Endpoint { address, port: port.into() })
    }

    proptest! {
        #[test]
        fn every_open_line_fits_and_ends(
            flow: u64, pid: u64, service_tag: u64, start_key: u64, created: u64, parent: u64, protocol: Option<u8>, local in endpoints(), remote in endpoints(),
            path in ".{0,400}",
        ) {
            let tag = Tag { flow, pid, local, remote, protocol: protocol.into(), ..CURL };
            let identity = Identity { start_key, created, parent };
            let line = opened_with(&Details { identity, ..details(service_tag) }, &tag, &path);
            prop_assert!(line.len() <= Line::LONGEST && line.ends_with('\n'));
        }
    }
}
