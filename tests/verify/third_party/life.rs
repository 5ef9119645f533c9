//! The life of its FLOW layer: start, flows established and deleted, the events read back, close, unload.

use std::{collections::BTreeSet, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Result, ensure};
use flowtag_simulator::{
    Options,
    service::State,
    wfp::{Direction, FlowSpec, Verdict},
};
use flowtag_tests::{
    rig::{TCP, UDP, endpoint, inbound, outbound, over_v6},
    windivert::{Event, Kind, WinDivert},
};

use super::{Case, SOON, ended};

pub const CASES: &[Case] = &[
    Case { name: "starting and stopping leaves nothing behind", run: start_and_stop },
    Case { name: "a flow is established and deleted, and both are read back", run: whole_life },
    Case { name: "it starts again after it has stopped", run: start_again },
    Case { name: "events name the process and both ends of an IPv4 flow", run: ipv4_event },
    Case { name: "events name both ends of an IPv6 flow", run: ipv6_event },
    Case { name: "events tell UDP, inbound and loopback flows", run: udp_event },
    Case { name: "without the wish for deletions no context is hung on a flow", run: no_deletions },
    Case { name: "a thousand flows are read back, each from its start to its end", run: a_thousand_flows },
    Case { name: "two files hear of the same flow", run: two_files },
    Case { name: "a request that waits is served by the classify itself", run: waiting_request },
    Case { name: "requests that wait are served in their order", run: requests_in_order },
    Case { name: "its whole life is clean at every IRQL that the engine chooses", run: many_seeds },
    Case { name: "its first open and its unload are in the event log", run: event_log },
];

fn start_and_stop(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    ended(&rig)
}

/// One flow from its start to its end, and the driver from its start to its end.
fn live(rig: &WinDivert) -> Result<Vec<Event>> {
    let layer = rig.open_flow_layer(true)?;
    let flow = rig.machine.open_flow(&outbound())?;
    ensure!(rig.machine.wfp().contexts() == 1, "{} contexts on one flow", rig.machine.wfp().contexts());
    // Two worker threads may run its work item at once and change the order of neighbours.
    rig.machine.workers().wait_until_idle();
    rig.machine.close_flow(flow)?;
    ensure!(rig.machine.wfp().contexts() == 0, "the context of a flow that has ended");
    let events = layer.events()?;
    layer.close()?;
    ended(rig)?;
    Ok(events)
}

fn whole_life(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let events = live(&rig)?;
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    ensure!(kinds == [Kind::Established, Kind::Deleted], "{kinds:?}");
    ensure!(rig.machine.wfp().verdicts(Verdict::Block) == 0, "it blocked what it should only look at");
    Ok(())
}

fn start_again(image: &Path) -> Result<()> {
    let rig = WinDivert::installed(image, Options::default());
    for _ in 0..3 {
        ensure!(rig.machine.start_service(flowtag_tests::windivert::NAME)?.state == State::Running, "it does not run");
        ensure!(live(&rig)?.len() == 2, "events");
    }
    Ok(())
}

/// The events of one flow.
fn events_of(image: &Path, spec: &FlowSpec) -> Result<Vec<Event>> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    let flow = rig.machine.open_flow(spec)?;
    rig.machine.close_flow(flow)?;
    let events = layer.events()?;
    layer.close()?;
    ended(&rig)?;
    Ok(events)
}

/// Both events of `spec`'s flow say what it is.
fn told_as_it_is(image: &Path, spec: &FlowSpec, loopback: bool) -> Result<()> {
    let events = events_of(image, spec)?;
    ensure!(events.len() == 2, "{events:?}");
    for event in events {
        let ends = (event.local, event.remote) == (spec.local, spec.remote);
        ensure!(ends, "{event:?} is not between {} and {}", spec.local, spec.remote);
        ensure!(Some(u64::from(event.process)) == spec.pid, "{event:?} is not of {:?}", spec.pid);
        ensure!(event.protocol == spec.protocol && event.layer == 2 && event.sniffed, "{event:?}");
        ensure!(event.outbound == (spec.direction == Direction::Outbound), "{event:?} is not {:?}", spec.direction);
        ensure!(event.loopback == loopback, "{event:?}");
    }
    Ok(())
}

fn ipv4_event(image: &Path) -> Result<()> {
    told_as_it_is(image, &FlowSpec { pid: Some(4711), ..outbound() }, false)
}

fn ipv6_event(image: &Path) -> Result<()> {
    told_as_it_is(image, &over_v6(outbound()), false)
}

fn udp_event(image: &Path) -> Result<()> {
    let home = |port| -> SocketAddr { endpoint("127.0.0.1", port) };
    told_as_it_is(image, &FlowSpec { protocol: UDP, local: home(5353), remote: home(40_000), ..inbound() }, true)?;
    told_as_it_is(image, &FlowSpec { protocol: TCP, ..over_v6(inbound()) }, false)
}

fn no_deletions(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(false)?;
    let flow = rig.machine.open_flow(&outbound())?;
    ensure!(rig.machine.wfp().contexts() == 0, "a context that nobody asked for");
    rig.machine.close_flow(flow)?;
    let kinds: Vec<_> = layer.events()?.iter().map(|event| event.kind).collect();
    ensure!(kinds == [Kind::Established], "{kinds:?}");
    layer.close()?;
    ended(&rig)
}

fn a_thousand_flows(image: &Path) -> Result<()> {
    const FLOWS: usize = 1000;
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    let specs: Vec<_> = (0..FLOWS).map(|_| outbound()).collect();
    let flows: Vec<_> = specs.iter().map(|spec| rig.machine.open_flow(spec)).collect::<Result<_, _>>()?;
    for flow in flows {
        rig.machine.close_flow(flow)?;
    }
    let events = layer.events()?;
    // Two worker threads may run its work item at once and change the order of neighbours.
    let ports = |kind: Kind| -> BTreeSet<u16> {
        events.iter().filter(|event| event.kind == kind).map(|event| event.local.port()).collect()
    };
    let expected: BTreeSet<_> = specs.iter().map(|spec| spec.local.port()).collect();
    ensure!(events.len() == 2 * FLOWS, "{} events of {FLOWS} flows", events.len());
    ensure!(ports(Kind::Established) == expected && ports(Kind::Deleted) == expected, "not each flow, or one twice");
    layer.close()?;
    ended(&rig)
}

fn two_files(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layers = [rig.open_flow_layer(true)?, rig.open_flow_layer(true)?];
    let flow = rig.machine.open_flow(&outbound())?;
    ensure!(rig.machine.wfp().contexts() == 2, "each file has a callout and a context of its own");
    rig.machine.close_flow(flow)?;
    for layer in layers {
        ensure!(layer.events()?.len() == 2, "events of one of two files");
        layer.close()?;
    }
    ended(&rig)
}

fn waiting_request(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(true)?;
    let mut waiting = layer.receive(1)?;
    ensure!(waiting.events(Duration::ZERO)?.is_none(), "an event before there is any");
    let enqueued = rig.machine.faults().calls("WdfWorkItemEnqueue");
    let flow = rig.machine.open_flow(&outbound())?;
    let served = waiting.events(Duration::ZERO)?;
    ensure!(served.is_some_and(|events| events.len() == 1), "the request still waits");
    ensure!(rig.machine.faults().calls("WdfWorkItemEnqueue") == enqueued, "it took the way through its worker");
    rig.machine.close_flow(flow)?;
    layer.close()?;
    ended(&rig)
}

fn requests_in_order(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    let layer = rig.open_flow_layer(false)?;
    let mut waiting = [layer.receive(1)?, layer.receive(1)?, layer.receive(1)?];
    for receiving in &mut waiting {
        let spec = outbound();
        rig.machine.open_flow(&spec)?;
        let events = receiving.events(SOON)?.unwrap_or_default();
        ensure!(events.iter().map(|event| event.local).eq([spec.local]), "{events:?} for {}", spec.local);
    }
    layer.close()?;
    ended(&rig)
}

fn many_seeds(image: &Path) -> Result<()> {
    for seed in 0..30 {
        let rig = WinDivert::started(image, Options { seed, ..Options::default() })?;
        ensure!(live(&rig)?.len() == 2, "events with seed {seed}");
    }
    Ok(())
}

fn event_log(image: &Path) -> Result<()> {
    let rig = WinDivert::started(image, Options::default())?;
    live(&rig)?;
    let entries = rig.machine.error_log().entries();
    let said: Vec<_> = entries.iter().map(|entry| entry.strings.join(" ")).collect();
    ensure!(said == ["WinDivert2.2 LOAD 1234", "WinDivert2.2 UNLOAD 4"], "{said:?}");
    Ok(())
}
