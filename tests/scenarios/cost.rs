//! What a tag costs the driver, counted instruction by instruction. `cargo xtask bench` measures more.

use flowtag_simulator::{
    kernel::processes::ProcessSpec,
    wfp::{Direction, FlowHandle, FlowSpec, Packet},
};

use flowtag_tests::rig::{Rig, TCP, outbound, path_blob};

/// Instructions of the driver meanwhile.
fn instructions<T>(rig: &Rig, operation: impl FnOnce() -> T) -> u64 {
    rig.machine.run(|cpu| cpu.count_instructions(operation)).unwrap().1.count()
}

/// Instructions of the driver for one more packet.
fn packet(rig: &Rig, flow: FlowHandle) -> u64 {
    instructions(rig, || rig.machine.transport(flow, Direction::Outbound, &Packet::new(TCP, 100)).unwrap())
}

/// The driver runs without lines about flows.
fn silent(max_flows: u32) -> Rig {
    Rig::with_settings(&[("TraceLevel", 0), ("MaxFlows", max_flows)])
}

/// A flow without path.
fn pathless() -> FlowSpec {
    FlowSpec { path: None, ..outbound() }
}

#[test]
fn a_packet_of_a_tagged_flow_takes_fifty_instructions_at_most() {
    let rig = Rig::started();
    let flow = rig.open(&outbound());
    rig.send(flow, 100);
    assert!((1..=50).contains(&packet(&rig, flow)));
}

#[test]
fn a_life_without_path_takes_680_instructions_at_most() {
    let rig = silent(16);
    let live = || rig.close(rig.open(&pathless()));
    live();
    let cost = instructions(&rig, live);
    assert!((1..=680).contains(&cost), "{cost}");
}

/// A flow whose path has sixty characters, of a process that the driver knows.
fn of_a_process(rig: &Rig) -> FlowSpec {
    let path = format!("\\device\\harddiskvolume3\\{}.exe", "curl".repeat(8));
    assert_eq!(path.len(), 60);
    let spec = FlowSpec { path: Some(path_blob(&path)), ..outbound() };
    rig.machine.start_process(&ProcessSpec { pid: spec.pid, ..ProcessSpec::program(&path) }).unwrap();
    spec
}

/// Instructions of a life with a path of sixty characters and no packets, not the first of its kind.
fn life(rig: &Rig) -> u64 {
    let spec = of_a_process(rig);
    let live = || rig.close(rig.open(&spec));
    live();
    instructions(rig, live)
}

/// The driver at its default settings, and nobody sees its lines.
fn unseen() -> Rig {
    let rig = Rig::with_settings(&[("TraceLevel", 2), ("MaxFlows", 16)]);
    rig.machine.debug_print().read_filter(rig.machine.registry());
    rig
}

#[test]
fn a_life_that_nobody_looks_at_takes_800_instructions_at_most() {
    let life = life(&unseen());
    assert!((1..=800).contains(&life), "{life}");
}

#[test]
fn a_life_with_its_events_takes_1700_instructions_at_most() {
    let rig = silent(16);
    let session = rig.listen(4, 1);
    let life = life(&rig);
    assert_eq!(rig.events(session).len(), 4);
    assert!((1..=1_700).contains(&life), "{life}");
}

#[test]
fn the_lines_of_a_life_take_3000_instructions_at_most() {
    let rig = Rig::with_settings(&[("TraceLevel", 2), ("MaxFlows", 16)]);
    let lines = life(&rig) - life(&unseen());
    assert_eq!(rig.lines_of("close").len(), 2);
    assert!((1..=3_000).contains(&lines), "{lines}");
}

#[test]
fn a_packet_takes_fifty_instructions_at_most_while_a_session_wants_others() {
    let rig = Rig::with_settings(&[("TraceLevel", 2), ("MaxFlows", 16)]);
    let session = rig.listen(5, 1 | 2);
    let flow = rig.open(&outbound());
    rig.send(flow, 100);
    let cost = packet(&rig, flow);
    assert_eq!(rig.events(session).len(), 2);
    assert!((1..=50).contains(&cost), "{cost}");
}

/// What a path adds to the life of a flow.
fn path_adds(path: &str) -> u64 {
    let rig = silent(16);
    let life = |spec: &FlowSpec| instructions(&rig, || rig.close(rig.open(spec)));
    let with_path = FlowSpec { path: Some(path_blob(path)), ..outbound() };
    life(&pathless());
    life(&with_path);
    life(&with_path) - life(&pathless())
}

#[test]
fn an_ordinary_path_takes_two_instructions_a_character_at_most() {
    let path = format!("\\device\\harddiskvolume3\\{}\\curl.exe", "program".repeat(20));
    let adds = path_adds(&path);
    assert!((1..=2 * path.len() as u64).contains(&adds), "{adds} instructions for {} characters", path.len());
}

#[test]
fn an_eviction_takes_1100_instructions_at_most_with_eight_looks() {
    let rig = silent(16);
    let flows: Vec<_> = (0..16).map(|_| rig.open(&pathless())).collect();
    flows[..7].iter().for_each(|flow| rig.send(*flow, 100));
    let eviction = instructions(&rig, || rig.open(&pathless()));
    assert!((1..=1_100).contains(&eviction), "{eviction}");
    assert!(rig.machine.flow_context(flows[7], Direction::Outbound).is_none(), "the eighth is evicted");
    rig.stop();
    assert_eq!(rig.total("evicted"), 1);
}

#[test]
fn authorizing_a_tagged_flow_again_takes_200_instructions_at_most_and_no_import_but_the_irql_pair() {
    let rig = Rig::started();
    let flow = rig.open(&outbound());
    let again = || rig.machine.reauthorize(flow, Direction::Outbound).unwrap();
    again();
    let before = rig.machine.faults().all_calls();
    let cost = instructions(&rig, again);
    assert!((1..=200).contains(&cost), "{cost}");
    assert_eq!(rig.machine.faults().all_calls() - before, 2);
}

#[test]
fn the_same_packet_takes_the_same_instructions_again() {
    let rig = Rig::started();
    let flow = rig.open(&outbound());
    rig.send(flow, 100);
    assert_eq!(packet(&rig, flow), packet(&rig, flow));
}

#[test]
fn a_packet_of_a_tagged_flow_calls_no_import() {
    let rig = Rig::started();
    let flow = rig.open(&outbound());
    rig.send(flow, 100);
    let before = rig.machine.faults().all_calls();
    rig.send(flow, 100);
    assert_eq!(rig.machine.faults().all_calls(), before);
}

#[test]
fn the_driver_goes_on_as_before_when_its_instructions_have_been_counted() {
    let rig = Rig::started();
    let flow = rig.open(&outbound());
    packet(&rig, flow);
    rig.close(flow);
    rig.stop();
}
