//! Capturing the process when a flow is authorized.

use flowtag_simulator::{
    computer::Irql,
    wfp::{FlowHandleField, FlowSpec, IrqlChoice, Owner, PathMemory, WriteRight, layer::Field},
};

use flowtag_tests::rig::{ICMP, ICMPV6, Rig, UDP, endpoint, field, inbound, outbound, over_v6, path_blob};

#[test]
fn an_outbound_flow_is_tagged_with_process_path_and_tuple() {
    let rig = Rig::started();
    let spec = FlowSpec { local: endpoint("10.0.0.5", 50123), ..outbound() };
    let flow = rig.open(&spec);
    let expected = format!(
        r"flowtag: open flow={:#x} pid=4242 dir=out proto=tcp 10.0.0.5:50123 -> 93.184.216.34:443 origin=new start=- key=- ppid=- svc=- path=\device\harddiskvolume3\windows\curl.exe",
        flow.0
    );
    assert_eq!(rig.line("open", flow), expected);
    rig.stop();
}

#[test]
fn an_inbound_flow_is_tagged_and_says_so() {
    let rig = Rig::started();
    let flow = rig.open(&inbound());
    assert_eq!(field(&rig.line("open", flow), "dir"), "in");
    rig.stop();
}

#[test]
fn an_ipv6_flow_is_tagged_with_rfc_5952_addresses() {
    let rig = Rig::started();
    let spec = FlowSpec { local: endpoint("10.0.0.5", 443), ..outbound() };
    let flow = rig.open(&over_v6(spec));
    assert!(rig.line("open", flow).contains(" [fe80::2]:443 -> [2001:db8::1]:443 "));
    rig.stop();
}

#[test]
fn an_inbound_ipv6_flow_is_tagged() {
    let rig = Rig::started();
    let flow = rig.open(&over_v6(inbound()));
    assert_eq!(field(&rig.line("open", flow), "dir"), "in");
    rig.stop();
}

#[test]
fn a_udp_flow_is_tagged() {
    let rig = Rig::started();
    let flow = rig.open(&FlowSpec { protocol: UDP, ..outbound() });
    assert_eq!(field(&rig.line("open", flow), "proto"), "udp");
    rig.stop();
}

#[test]
fn an_icmp_flow_shows_type_and_code_instead_of_ports() {
    let rig = Rig::started();
    let spec =
        FlowSpec { protocol: ICMP, local: endpoint("10.0.0.5", 8), remote: endpoint("93.184.216.34", 0), ..outbound() };
    let flow = rig.open(&spec);
    assert!(rig.line("open", flow).contains(" proto=icmp 10.0.0.5 -> 93.184.216.34 type=8 code=0 origin=new "));
    rig.stop();
}

#[test]
fn an_icmpv6_flow_shows_type_and_code_instead_of_ports() {
    let rig = Rig::started();
    let spec = FlowSpec {
        protocol: ICMPV6,
        local: endpoint("fe80::2", 128),
        remote: endpoint("2001:db8::1", 0),
        ..outbound()
    };
    let flow = rig.open(&spec);
    assert!(rig.line("open", flow).contains(" proto=icmpv6 fe80::2 -> 2001:db8::1 type=128 code=0 origin=new "));
    rig.stop();
}

#[test]
fn a_flow_without_flow_handle_is_only_counted() {
    let rig = Rig::started();
    rig.set(|switches| switches.flow_handle = FlowHandleField::Absent);
    rig.open(&outbound());
    rig.stop();
    assert_eq!((rig.total("opened"), rig.total("unnamed")), (0, 1));
}

#[test]
fn a_flow_whose_handle_is_zero_is_only_counted() {
    let rig = Rig::started();
    rig.set(|switches| switches.flow_handle = FlowHandleField::Zero);
    rig.open(&outbound());
    rig.stop();
    assert_eq!((rig.total("opened"), rig.total("unnamed")), (0, 1));
}

#[test]
fn a_flow_without_process_id_is_only_counted() {
    let rig = Rig::started();
    rig.open(&FlowSpec { pid: None, ..outbound() });
    rig.stop();
    assert_eq!((rig.total("opened"), rig.total("unnamed")), (0, 1));
}

#[test]
fn a_process_id_wider_than_32_bits_is_kept_whole() {
    let rig = Rig::started();
    let flow = rig.open(&FlowSpec { pid: Some(0x1_0000_0001), ..outbound() });
    assert_eq!(field(&rig.line("open", flow), "pid"), "4294967297");
    rig.stop();
}

/// The field `svc` of a flow whose metadata has this tag, or none.
fn traced_service(service_tag: Option<u64>) -> [String; 2] {
    let rig = Rig::started();
    let owner = Owner { service_tag, ..Owner::default() };
    let service = |spec| {
        let flow = rig.open(&FlowSpec { owner: owner.clone(), ..spec });
        field(&rig.line("open", flow), "svc").to_owned()
    };
    let services = [service(outbound()), service(inbound())];
    rig.stop();
    services
}

#[test]
fn the_service_tag_is_that_of_the_metadata() {
    assert_eq!(traced_service(Some(0x55)), ["0x55", "0x55"]);
    assert_eq!(traced_service(Some(u64::MAX)), ["0xffffffffffffffff"; 2]);
}

#[test]
fn who_is_no_service_has_a_dash_for_a_service_tag() {
    assert_eq!(traced_service(None), ["-", "-"]);
    assert_eq!(traced_service(Some(0)), ["-", "-"]);
}

#[test]
fn what_cannot_be_a_package_is_not_read_as_one() {
    let rig = Rig::started();
    // Without a path it ends where memory ends, and says that it has more sub-authorities than that, or than there can be.
    for package in [vec![1, 16, 0, 0, 0, 0, 0, 15], vec![9, 15, 0, 0, 0, 0, 0, 15]] {
        let owner = Owner { package: Some(package), ..Owner::default() };
        rig.open(&FlowSpec { owner: owner.clone(), path: None, ..outbound() });
        rig.open(&FlowSpec { owner, path: None, ..inbound() });
    }
    rig.set(|switches| switches.empty_fields = vec![Field::PackageId, Field::InterfaceIndex]);
    rig.open(&outbound());
    rig.stop();
    assert_eq!(rig.total("opened"), 5);
}

/// The path that the driver traces for a blob.
fn traced_path(blob: Option<Vec<u8>>) -> String {
    let rig = Rig::started();
    let flow = rig.open(&FlowSpec { path: blob, ..outbound() });
    let path = field(&rig.line("open", flow), "path").to_owned();
    rig.stop();
    path
}

#[test]
fn a_missing_path_is_a_dash() {
    assert_eq!(traced_path(None), "-");
}

#[test]
fn an_empty_path_is_a_dash() {
    assert_eq!(traced_path(Some(Vec::new())), "-");
}

#[test]
fn a_path_of_one_byte_is_a_dash() {
    assert_eq!(traced_path(Some(vec![b'x'])), "-");
}

#[test]
fn the_odd_byte_of_a_path_is_dropped() {
    assert_eq!(traced_path(Some(b"a\0b\0c".to_vec())), "ab");
}

#[test]
fn an_unterminated_path_is_read_to_its_end() {
    let mut blob = path_blob("System");
    blob.truncate(12);
    assert_eq!(traced_path(Some(blob)), "System");
}

#[test]
fn a_path_of_65534_bytes_keeps_its_file_name_within_320_bytes() {
    let name = r"\theprogram.exe";
    let long = format!("{}{name}", "d".repeat(32_767 - name.len()));
    let mut blob = path_blob(&long);
    blob.truncate(65_534);
    let path = traced_path(Some(blob));
    assert!(path.len() <= 320 && path.starts_with("ddd") && path.ends_with(name), "{path}");
}

#[test]
fn a_path_is_escaped_to_ascii_without_spaces() {
    let path = traced_path(Some(path_blob("c:\\dé \u{202e}x.exe")));
    assert!(path.is_ascii() && !path.contains(' ') && path.starts_with("c:\\d") && path.ends_with("x.exe"), "{path}");
}

#[test]
fn a_paged_path_is_read_before_raising_irql() {
    let rig = Rig::started();
    rig.set(|switches| {
        switches.process_path = PathMemory::Paged;
        switches.irql = IrqlChoice::Fixed(Irql::PASSIVE);
    });
    let flow = rig.open(&outbound());
    assert!(rig.line("open", flow).ends_with(r"\curl.exe"));
    rig.stop();
}

#[test]
fn no_memory_for_a_record_leaves_the_flow_untagged_and_counted() {
    let rig = Rig::started();
    rig.fail("ExAllocatePool2", 1, None);
    rig.open(&outbound());
    rig.stop();
    assert_eq!((rig.total("opened"), rig.total("alloc_failed")), (0, 1));
}

#[test]
fn refused_rundown_frees_the_record() {
    let rig = Rig::started();
    rig.fail("ExAcquireRundownProtection", 1, None);
    rig.open(&outbound());
    rig.stop();
    assert_eq!(rig.total("opened"), 0);
}

#[test]
fn a_flow_is_tagged_although_the_action_may_not_be_written() {
    let rig = Rig::started();
    rig.set(|switches| switches.write_right = WriteRight::Never);
    let flow = rig.open(&outbound());
    rig.line("open", flow);
    rig.stop();
}

#[test]
fn a_flow_is_tagged_at_every_legal_irql() {
    for irql in [Irql::PASSIVE, Irql::APC, Irql::DISPATCH] {
        let rig = Rig::started();
        rig.set(|switches| switches.irql = IrqlChoice::Fixed(irql));
        let flow = rig.open(&outbound());
        rig.line("open", flow);
        rig.close(flow);
        rig.stop();
    }
}
