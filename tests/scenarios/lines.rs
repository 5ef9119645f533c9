//! Every line of a session, word for word, and how often each comes.

use flowtag_simulator::wfp::{FlowHandle, FlowSpec, Removal, status};

use flowtag_tests::rig::{ICMP, ICMPV6, Rig, TCP, UDP, endpoint, inbound, outbound, over_v6};

use crate::bfe::amidst;

const LOADING: &str = concat!(
    "flowtag: loading version=",
    env!("CARGO_PKG_VERSION"),
    " (lines about flows need the Debug Print Filter value IHVNETWORK=0x8)"
);

/// An outbound flow with one packet in and two out, closed, and an inbound one that is open at unload; all lines.
fn session(trace_level: u32) -> (Vec<String>, [FlowHandle; 2]) {
    let rig = Rig::with_settings(&[("TraceLevel", trace_level), ("MaxFlows", 16)]);
    let closed = rig.open(&FlowSpec { local: endpoint("10.0.0.5", 50123), ..outbound() });
    rig.send(closed, 517);
    rig.send(closed, 3);
    rig.receive(closed, 1440);
    rig.close(closed);
    let open = rig.open(&over_v6(FlowSpec { local: endpoint("10.0.0.5", 80), path: None, ..inbound() }));
    rig.stop();
    (rig.lines(), [closed, open])
}

/// The lines of [`session`], each with the level from which on it is written.
fn expected([closed, open]: [FlowHandle; 2], trace_level: u32) -> Vec<String> {
    let (closed, open) = (closed.0, open.0);
    let path = r"\device\harddiskvolume3\windows\curl.exe";
    let lines = [
        (0, LOADING.to_owned()),
        (0, format!("flowtag: loaded trace_level={trace_level} max_flows=16")),
        (
            1,
            format!(
                "flowtag: open flow={closed:#x} pid=4242 dir=out proto=tcp 10.0.0.5:50123 -> 93.184.216.34:443 \
                 origin=new start=- key=- ppid=- svc=- path={path}"
            ),
        ),
        (2, format!("flowtag: first flow={closed:#x} pid=4242 dir=out bytes=517")),
        (3, format!("flowtag: packet flow={closed:#x} pid=4242 dir=out bytes=3")),
        (2, format!("flowtag: first flow={closed:#x} pid=4242 dir=in bytes=1440")),
        (1, format!("flowtag: close flow={closed:#x} pid=4242 packets=2/1 bytes=520/1440 ms=0 why=deleted")),
        (
            1,
            format!(
                "flowtag: open flow={open:#x} pid=4242 dir=in proto=tcp [fe80::2]:80 -> [2001:db8::1]:443 origin=new \
                 start=- key=- ppid=- svc=- path=-"
            ),
        ),
        (0, "flowtag: stopping live=1".to_owned()),
        (1, format!("flowtag: close flow={open:#x} pid=4242 packets=0/0 bytes=0/0 ms=0 why=unload")),
        (
            0,
            "flowtag: totals opened=2 closed=2 evicted=0 untracked=0 reauth_skipped=0 alloc_failed=0 associate_failed=0 \
             already_tagged=0 busy=0 gone=0 unnamed=0 blocked=0 unlisted=0"
                .to_owned(),
        ),
    ];
    lines.into_iter().filter(|(from, _)| *from <= trace_level).map(|(_, line)| line).collect()
}

#[test]
fn a_session_has_these_lines_and_no_others_at_each_trace_level() {
    for trace_level in 0..=3 {
        let (lines, flows) = session(trace_level);
        assert_eq!(lines, expected(flows, trace_level), "TraceLevel {trace_level}");
    }
}

/// What the open line of a flow has between its direction and its origin.
fn described(spec: &FlowSpec) -> String {
    let rig = Rig::started();
    let flow = rig.open(spec);
    let line = rig.line("open", flow);
    rig.stop();
    let start = format!("flowtag: open flow={:#x} pid=4242 dir=out ", flow.0);
    let end = r" origin=new start=- key=- ppid=- svc=- path=\device\harddiskvolume3\windows\curl.exe";
    let described = line.strip_prefix(&start).and_then(|line| line.strip_suffix(end));
    described.unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[test]
fn each_protocol_has_its_name_and_only_icmp_has_type_and_code() {
    let v4 = FlowSpec { local: endpoint("10.0.0.5", 8), remote: endpoint("93.184.216.34", 1), ..outbound() };
    let v6 = FlowSpec { local: endpoint("fe80::2", 128), remote: endpoint("2001:db8::1", 2), ..outbound() };
    for (protocol, on_v4, on_v6) in [
        (TCP, "tcp 10.0.0.5:8 -> 93.184.216.34:1", "tcp [fe80::2]:128 -> [2001:db8::1]:2"),
        (UDP, "udp 10.0.0.5:8 -> 93.184.216.34:1", "udp [fe80::2]:128 -> [2001:db8::1]:2"),
        (ICMP, "icmp 10.0.0.5 -> 93.184.216.34 type=8 code=1", "icmp fe80::2 -> 2001:db8::1 type=128 code=2"),
        (ICMPV6, "icmpv6 10.0.0.5 -> 93.184.216.34 type=8 code=1", "icmpv6 fe80::2 -> 2001:db8::1 type=128 code=2"),
        (0, "0 10.0.0.5:8 -> 93.184.216.34:1", "0 [fe80::2]:128 -> [2001:db8::1]:2"),
        (2, "2 10.0.0.5:8 -> 93.184.216.34:1", "2 [fe80::2]:128 -> [2001:db8::1]:2"),
        (47, "47 10.0.0.5:8 -> 93.184.216.34:1", "47 [fe80::2]:128 -> [2001:db8::1]:2"),
        (255, "255 10.0.0.5:8 -> 93.184.216.34:1", "255 [fe80::2]:128 -> [2001:db8::1]:2"),
    ] {
        assert_eq!(described(&FlowSpec { protocol, ..v4.clone() }), format!("proto={on_v4}"));
        assert_eq!(described(&FlowSpec { protocol, ..v6.clone() }), format!("proto={on_v6}"));
    }
}

/// The `lost` lines after `lose` was done three times with a ring of 16.
fn lost(lose: impl Fn(&Rig)) -> Vec<String> {
    let rig = Rig::with_small_ring();
    for _ in 0..3 {
        lose(&rig);
    }
    rig.lines_of("lost")
}

#[test]
fn each_kind_of_loss_is_told_once() {
    let alloc_failed = lost(|rig| {
        rig.fail("ExAllocatePool2", 1, None);
        rig.open(&outbound());
    });
    assert_eq!(alloc_failed, ["flowtag: lost first=alloc_failed (totals at unload)"]);

    let associate_failed = lost(|rig| {
        rig.fail("FwpsFlowAssociateContext0", 1, Some(status::NO_MEMORY));
        rig.open(&outbound());
    });
    assert_eq!(associate_failed, ["flowtag: lost first=associate_failed status=0xc0000017 (totals at unload)"]);

    let unnamed = lost(|rig| {
        rig.open(&FlowSpec { pid: None, ..outbound() });
    });
    assert_eq!(unnamed, ["flowtag: lost first=unnamed (totals at unload)"]);

    let untracked = lost(|rig| {
        rig.set(|switches| switches.removal = Removal::PendingUntilTold);
        for _ in 0..33 {
            rig.open(&outbound());
        }
    });
    assert_eq!(untracked, ["flowtag: lost first=untracked (totals at unload)"]);

    let rig = Rig::installed(&[("MaxFlows", 16)]);
    let older: Vec<_> = (0..3).map(|_| rig.open(&outbound())).collect();
    rig.start().unwrap();
    for _ in 0..16 {
        rig.open(&outbound());
    }
    for flow in older {
        rig.send(flow, 1);
    }
    assert_eq!(rig.lines_of("lost"), ["flowtag: lost first=reauth_skipped (totals at unload)"]);
}

#[test]
fn while_a_loss_is_told_other_processors_authorize_flows() {
    let rig = Rig::installed(&[("MaxFlows", 16)]);
    let older = rig.open(&outbound());
    rig.start().unwrap();
    let tagged: Vec<_> = (0..16).map(|_| rig.open(&outbound())).collect();
    amidst(&rig, "DbgPrintEx", 1, move |machine| {
        machine.authorize_again(tagged[0]).unwrap();
    });
    rig.send(older, 1);
    assert_eq!(rig.lines_of("lost"), ["flowtag: lost first=reauth_skipped (totals at unload)"]);
    rig.stop();
    assert_eq!(rig.total("already_tagged"), 1);
}

#[test]
fn flows_that_end_blocked_or_tagged_already_are_no_loss() {
    let nothing = lost(|rig| {
        let flow = rig.open(&outbound());
        rig.machine.authorize_again(flow).unwrap();
        rig.close(flow);
    });
    assert_eq!(nothing, [""; 0]);
}

#[test]
fn lines_about_flows_are_information_and_those_about_the_driver_pass_the_filter_as_it_is() {
    let rig = Rig::with_settings(&[("TraceLevel", 3)]);
    let flow = rig.open(&outbound());
    rig.send(flow, 517);
    rig.send(flow, 3);
    rig.stop();
    let level_of = |name: &str| {
        let lines = rig.machine.debug_print().lines();
        let of_it = lines.iter().filter(|line| line.text.starts_with(&format!("flowtag: {name} ")));
        let levels: Vec<_> = of_it.map(|line| line.level).collect();
        assert_eq!(levels.len(), 1, "{name}: {:?}", rig.lines());
        levels[0]
    };
    assert_eq!(["open", "first", "packet", "close"].map(level_of), [3; 4]);
    assert_eq!(["loading", "loaded", "totals"].map(level_of), [0; 3]);
}
