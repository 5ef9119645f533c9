//! Events: each with its fields, for whom they are written, and what they cost nobody.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use flowtag_simulator::{
    etw::{
        Event, SessionId,
        switches::{AllLevels, Refused},
        tracelogging::Value,
    },
    wfp::{DyingFlow, FlowSpec, Owner, status},
};

use flowtag_tests::rig::{ICMP, Rig, UDP, endpoint, field, inbound, outbound, over_v6, path_blob};

/// All levels, and all keywords.
const EVERYTHING: (u8, u64) = (255, u64::MAX);
/// The keyword of flows, and that of the driver.
const FLOW: u64 = 1;
const DRIVER: u64 = 8;
const INFORMATION: u8 = 4;

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(Event::name).collect()
}

/// The driver runs, without lines about flows, and a session wants this of it.
fn heard(level: u8, keywords: u64) -> (Rig, SessionId) {
    let rig = Rig::with_settings(&[("TraceLevel", 0)]);
    let session = rig.listen(level, keywords);
    (rig, session)
}

/// The only event of this flow with this name.
fn only(events: &[Event], name: &str) -> Event {
    let found: Vec<_> = events.iter().filter(|event| event.name() == name).collect();
    assert_eq!(found.len(), 1, "{name} in {:?}", names(events));
    found[0].clone()
}

/// The `FlowOpen` of a flow.
fn opened(spec: &FlowSpec) -> Event {
    let (rig, session) = heard(INFORMATION, FLOW);
    rig.open(spec);
    let event = only(&rig.events(session), "FlowOpen");
    rig.stop();
    event
}

/// The fields of an event, in their order.
fn fields(event: &Event) -> Vec<(&str, Value)> {
    event.told.fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect()
}

fn socket(address: &str) -> Value {
    Value::Socket(address.parse().unwrap())
}

fn utf16(text: &str) -> Value {
    Value::Utf16(text.encode_utf16().collect())
}

#[test]
fn a_flow_has_these_fields_from_its_opening_to_its_end() {
    let (rig, session) = heard(INFORMATION, FLOW);
    let sid = [1, 2, 0, 0, 0, 0, 0, 15, 2, 0, 0, 0, 7, 0, 0, 0];
    let owner = Owner { service_tag: Some(0x55), package: Some(sid.to_vec()) };
    let flow = rig.open(&FlowSpec { local: endpoint("10.0.0.5", 50123), owner, ..outbound() });
    rig.send(flow, 517);
    rig.send(flow, 3);
    rig.receive(flow, 1440);
    rig.machine.clock().advance(Duration::from_micros(1_234_567));
    rig.close(flow);
    let events = rig.events(session);
    assert_eq!(names(&events), ["FlowOpen", "FlowClose"]);

    let of_the_flow = [
        ("FlowHandle", Value::Hex(flow.0)),
        ("ProcessId", Value::Unsigned(4242)),
        ("ProcessStartKey", Value::Hex(0)),
        ("ProcessCreateTime", Value::Time(0)),
        ("ParentProcessId", Value::Unsigned(0)),
        ("ServiceTag", Value::Hex(0x55)),
        ("PackageSid", Value::Sid("S-1-15-2-7".into())),
        ("Direction", Value::Unsigned(0)),
        ("Protocol", Value::Unsigned(6)),
        ("LocalAddress", socket("10.0.0.5:50123")),
        ("RemoteAddress", socket("93.184.216.34:443")),
        ("InterfaceIndex", Value::Unsigned(12)),
        ("CompartmentId", Value::Unsigned(1)),
        ("Origin", Value::Unsigned(0)),
    ];
    let path = [("ProcessPath", utf16(r"\device\harddiskvolume3\windows\curl.exe"))];
    let done = [
        ("OutPackets", Value::Unsigned(2)),
        ("InPackets", Value::Unsigned(1)),
        ("OutBytes", Value::Unsigned(520)),
        ("InBytes", Value::Unsigned(1440)),
        ("Duration", Value::Unsigned(12_345_670)),
        ("Why", Value::Unsigned(0)),
    ];
    assert_eq!(fields(&events[0]), [of_the_flow.as_slice(), &path].concat());
    assert_eq!(fields(&events[1]), [of_the_flow.as_slice(), &done, &path].concat());
    for event in &events {
        assert_eq!((event.provider.as_str(), event.level, event.keyword, event.opcode), ("flowtag", 4, 1, 0));
    }
    rig.stop();
}

#[test]
fn an_accepted_flow_says_so_and_who_is_in_no_app_container_is_nobody() {
    let event = opened(&inbound());
    assert_eq!(event.number("Direction"), 1);
    assert_eq!(event.text("PackageSid"), "S-1-0-0");
    assert_eq!((event.number("ServiceTag"), event.number("InterfaceIndex")), (0, 12));
}

/// Microsoft's crate `tracelogging` (1.2.4, descriptors.rs): 0, unless an event has an id of its own that stays.
#[test]
fn events_have_neither_id_nor_version_nor_task() {
    let (rig, session) = heard(EVERYTHING.0, EVERYTHING.1);
    let described = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&described);
    rig.machine.on_import(move |call| {
        if call.name() == "EtwWriteTransfer" {
            let [id0, id1, version, _channel, _level, _opcode, task0, task1]: [u8; 8] = call.read(call.arg(1));
            seen.lock().unwrap().push([id0, id1, version, task0, task1]);
        }
    });
    let flow = rig.open(&outbound());
    rig.close(flow);
    assert_eq!(names(&rig.events(session)), ["FlowOpen", "FlowClose"]);
    assert_eq!(*described.lock().unwrap(), [[0; 5]; 2]);
    rig.stop();
}

#[test]
fn who_accepts_in_an_app_container_is_named_by_it() {
    let package = [1, 2, 0, 0, 0, 0, 0, 15, 2, 0, 0, 0, 7, 0, 0, 0];
    let owner = Owner { package: Some(package.to_vec()), ..Owner::default() };
    let event = opened(&FlowSpec { owner, ..inbound() });
    assert_eq!(event.text("PackageSid"), "S-1-15-2-7");
}

#[test]
fn ipv6_and_icmp_flows_have_socket_addresses_too() {
    let event = opened(&over_v6(FlowSpec { local: endpoint("10.0.0.5", 53), protocol: UDP, ..outbound() }));
    assert_eq!(event.field("LocalAddress"), &socket("[fe80::2]:53"));
    assert_eq!(event.field("RemoteAddress"), &socket("[2001:db8::1]:443"));
    let echo =
        FlowSpec { protocol: ICMP, local: endpoint("10.0.0.5", 8), remote: endpoint("93.184.216.34", 0), ..outbound() };
    let event = opened(&echo);
    assert_eq!(event.field("LocalAddress"), &socket("10.0.0.5:8"));
    assert_eq!(event.field("RemoteAddress"), &socket("93.184.216.34:0"));
}

#[test]
fn the_path_is_exact_where_a_line_escapes_it() {
    let path = "\\device\\harddiskvolume3\\größe 1%*\\\u{4f60}\u{1f600}.exe";
    let event = opened(&FlowSpec { path: Some(path_blob(path)), ..outbound() });
    assert_eq!(event.field("ProcessPath"), &utf16(path));
    assert_eq!(opened(&FlowSpec { path: None, ..outbound() }).field("ProcessPath"), &utf16(""));
}

#[test]
fn a_path_of_65534_bytes_loses_its_middle() {
    let path: String = ('a'..='z').cycle().take(32_766).collect();
    let event = opened(&FlowSpec { path: Some(path_blob(&path)), ..outbound() });
    let cut = format!("{}*{}", &path[..59], &path[path.len() - 260..]);
    assert_eq!(event.field("ProcessPath"), &utf16(&cut));
}

#[test]
fn packets_have_events_of_their_own() {
    let (rig, session) = heard(5, 2 | 4);
    let flow = rig.open(&outbound());
    rig.send(flow, 517);
    rig.receive(flow, 1440);
    rig.send(flow, 3);
    let events = rig.events(session);
    let told: Vec<_> = events
        .iter()
        .map(|event| (event.name(), event.number("FlowHandle"), event.number("Direction"), event.number("Bytes")))
        .collect();
    assert_eq!(told, [("FirstPacket", flow.0, 0, 517), ("FirstPacket", flow.0, 1, 1440), ("Packet", flow.0, 0, 3)]);
    assert!(events.iter().all(|event| event.number("ProcessId") == 4242));
    rig.stop();
}

#[test]
fn a_session_gets_what_its_level_and_keywords_ask_for() {
    for (level, keywords, expected) in [
        (INFORMATION, u64::MAX, vec!["FlowOpen", "FlowClose"]),
        (5, FLOW, vec!["FlowOpen", "FlowClose"]),
        (5, 2, vec!["FirstPacket"]),
        (5, 4, vec!["Packet"]),
        (3, u64::MAX, vec![]),
        (INFORMATION, 2 | 4, vec![]),
    ] {
        let (rig, session) = heard(level, keywords);
        let flow = rig.open(&outbound());
        rig.send(flow, 1);
        rig.send(flow, 1);
        rig.close(flow);
        assert_eq!(names(&rig.events(session)), expected, "level {level}, keywords {keywords:#x}");
    }
}

#[test]
fn level_0_is_every_level() {
    let (rig, _) = heard(0, 0);
    rig.machine.etw().set(|switches| switches.all_levels = AllLevels::Zero);
    let session = rig.listen(0, 0);
    let flow = rig.open(&outbound());
    rig.send(flow, 1);
    assert_eq!(names(&rig.events(session)), ["FlowOpen", "FirstPacket"]);
    rig.stop();
}

/// Calls of an import from now on.
fn calls(rig: &Rig, import: &'static str) -> Arc<AtomicUsize> {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    rig.machine.on_import(move |call| {
        if call.name() == import {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    calls
}

#[test]
fn nothing_is_written_when_nobody_listens_any_more() {
    let (rig, session) = heard(EVERYTHING.0, EVERYTHING.1);
    let written = calls(&rig, "EtwWriteTransfer");
    rig.machine.stop_session(session).unwrap();
    let flow = rig.open(&outbound());
    rig.send(flow, 1);
    rig.close(flow);
    rig.stop();
    assert_eq!(written.load(Ordering::Relaxed), 0);
    assert_eq!(rig.events(session), []);
}

#[test]
fn a_session_that_changes_its_mind_gets_what_it_wants_then() {
    let (rig, session) = heard(INFORMATION, FLOW);
    let flow = rig.open(&outbound());
    rig.send(flow, 1);
    rig.machine.change_session(session, |wanted| (wanted.level, wanted.any) = (5, 4)).unwrap();
    rig.send(flow, 2);
    rig.close(flow);
    assert_eq!(names(&rig.events(session)), ["FlowOpen", "Packet"]);
    rig.stop();
}

#[test]
fn sessions_and_lines_do_not_depend_on_each_other() {
    let (rig, session) = heard(EVERYTHING.0, EVERYTHING.1);
    let flow = rig.open(&outbound());
    rig.send(flow, 1);
    rig.send(flow, 1);
    rig.close(flow);
    assert_eq!(names(&rig.events(session)), ["FlowOpen", "FirstPacket", "Packet", "FlowClose"]);
    assert!(rig.lines_of("open").is_empty() && rig.lines_of("packet").is_empty());
    rig.stop();

    let rig = Rig::with_settings(&[("TraceLevel", 3)]);
    let session = rig.listen(INFORMATION, FLOW);
    let flow = rig.open(&outbound());
    rig.send(flow, 1);
    rig.send(flow, 1);
    assert_eq!(names(&rig.events(session)), ["FlowOpen"]);
    assert_eq!((rig.lines_of("first").len(), rig.lines_of("packet").len()), (1, 1));
    rig.stop();
}

#[test]
fn lines_that_nobody_sees_are_not_written() {
    let rig = Rig::with_settings(&[("TraceLevel", 3)]);
    rig.machine.debug_print().read_filter(rig.machine.registry());
    let printed = calls(&rig, "DbgPrintEx");
    let flow = rig.open(&outbound());
    rig.send(flow, 1);
    rig.send(flow, 1);
    rig.close(flow);
    assert_eq!(printed.load(Ordering::Relaxed), 0);
    // From the next one on, they are seen again.
    rig.machine.debug_print().show_everything();
    rig.open(&outbound());
    assert_eq!(printed.load(Ordering::Relaxed), 1);
    rig.stop();
}

#[test]
fn events_and_lines_agree_flow_by_flow() {
    let rig = Rig::started();
    let session = rig.listen(INFORMATION, FLOW);
    for count in 1..=20 {
        let flow = rig.open(&outbound());
        for bytes in 0..count {
            rig.send(flow, bytes);
            rig.receive(flow, 2 * bytes);
        }
        rig.machine.clock().advance(Duration::from_millis(count.into()));
        if count % 5 != 0 {
            rig.close(flow);
        }
    }
    rig.stop();
    let events = rig.events(session);
    let lines = rig.lines_of("close");
    let closed: Vec<_> = events.iter().filter(|event| event.name() == "FlowClose").collect();
    assert_eq!((closed.len(), lines.len(), rig.lines_of("open").len()), (20, 20, 20));
    assert_eq!(events.iter().filter(|event| event.name() == "FlowOpen").count(), 20);
    for (event, line) in closed.into_iter().zip(lines) {
        let number = |name| event.number(name);
        assert_eq!(field(&line, "flow"), format!("{:#x}", number("FlowHandle")));
        assert_eq!(field(&line, "packets"), format!("{}/{}", number("OutPackets"), number("InPackets")));
        assert_eq!(field(&line, "bytes"), format!("{}/{}", number("OutBytes"), number("InBytes")));
        assert_eq!(field(&line, "ms"), (number("Duration") / 10_000).to_string());
        let why = ["deleted", "evicted", "unload"][usize::try_from(number("Why")).unwrap()];
        assert_eq!(field(&line, "why"), why);
    }
}

#[test]
fn a_flow_that_is_not_tagged_has_no_events() {
    for nth in [1, 2] {
        for dying_flow in [DyingFlow::Refuse, DyingFlow::DeleteInline, DyingFlow::DeleteLater] {
            let (rig, session) = heard(INFORMATION, FLOW);
            rig.set(|switches| {
                switches.end_flow_after_associations = Some(nth);
                switches.dying_flow = dying_flow;
            });
            rig.open(&outbound());
            rig.stop();
            assert_eq!(rig.events(session), [], "association {nth}, {dying_flow:?}");
        }
    }
}

#[test]
fn a_session_that_was_there_first_hears_the_drivers_whole_life() {
    let rig = Rig::installed(&[("TraceLevel", 1), ("MaxFlows", 16)]);
    let session = rig.listen(INFORMATION, DRIVER);
    rig.start().unwrap();
    rig.open(&outbound());
    rig.stop();
    let events = rig.events(session);
    assert_eq!(names(&events), ["Loaded", "Stopping", "Totals"]);
    assert_eq!(events[0].text("Version"), env!("CARGO_PKG_VERSION"));
    assert_eq!((events[0].number("TraceLevel"), events[0].number("MaxFlows")), (1, 16));
    assert_eq!(events[1].number("LiveFlows"), 1);
    assert_eq!((events[2].number("Opened"), events[2].number("Closed"), events[2].number("Blocked")), (1, 1, 0));
    assert!(events.iter().all(|event| event.keyword == DRIVER));
}

#[test]
fn the_event_of_the_totals_has_those_of_the_line_in_their_order() {
    let (rig, session) = heard(INFORMATION, DRIVER);
    rig.close(rig.open(&outbound()));
    rig.open(&outbound());
    // Nobody's, so that not all but the first two are zero.
    rig.open(&FlowSpec { pid: None, ..outbound() });
    rig.stop();
    let event = only(&rig.events(session), "Totals");
    let fields = fields(&event).into_iter().map(|(name, value)| (name.to_lowercase(), value.number().unwrap()));
    let line = rig.lines_of("totals").pop().unwrap();
    let line = line.split(' ').filter_map(|field| field.split_once('='));
    let line = line.map(|(name, number)| (name.replace('_', ""), number.parse().unwrap()));
    assert_eq!(fields.collect::<Vec<_>>(), line.collect::<Vec<(String, u64)>>());
}

#[test]
fn a_loss_has_one_event_of_its_kind() {
    let (rig, session) = heard(3, DRIVER);
    for _ in 0..3 {
        rig.fail("FwpsFlowAssociateContext0", 1, Some(status::NO_MEMORY));
        rig.open(&outbound());
    }
    let event = only(&rig.events(session), "Lost");
    assert_eq!((event.text("Kind").as_str(), event.number("Status")), ("associate_failed", 0xc000_0017));
    rig.stop();
}

#[test]
fn a_driver_whose_provider_is_refused_works_and_says_so_once() {
    // Whatever is left where the handle goes.
    for refused in [Refused::Zero, Refused::Number] {
        let rig = Rig::installed(&[("TraceLevel", 1)]);
        rig.machine.etw().set(|switches| switches.refused = refused);
        let session = rig.listen(EVERYTHING.0, EVERYTHING.1);
        rig.fail("EtwRegister", 1, Some(status::NO_MEMORY));
        rig.start().unwrap();
        let flow = rig.open(&outbound());
        rig.close(flow);
        assert_eq!(rig.lines_of("no"), ["flowtag: no events step=EtwRegister status=0xc0000017"]);
        rig.line("close", flow);
        rig.stop();
        assert_eq!(rig.events(session), []);
    }
}

#[test]
fn that_there_are_no_events_is_said_also_by_a_start_that_fails() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    rig.fail("EtwRegister", 1, Some(status::NO_MEMORY));
    rig.fail("WdfDriverCreate", 1, Some(status::INSUFFICIENT_RESOURCES));
    rig.start().unwrap_err();
    assert_eq!(rig.lines_of("no"), ["flowtag: no events step=EtwRegister status=0xc0000017"]);
    rig.assert_clean();
}

#[test]
fn a_provider_whose_traits_are_refused_has_events() {
    let rig = Rig::installed(&[("TraceLevel", 0)]);
    let session = rig.listen(INFORMATION, FLOW);
    rig.fail("EtwSetInformation", 1, Some(status::NO_MEMORY));
    rig.start().unwrap();
    rig.open(&outbound());
    assert_eq!(names(&rig.events(session)), ["FlowOpen"]);
    rig.stop();
}
