//! A ring full of flows, flooded by ten times as many: the driver keeps the tags of those in use.

use std::collections::HashSet;

use flowtag_simulator::wfp::{Direction, FlowHandle};

use flowtag_tests::rig::{Rig, outbound};

const MAX_FLOWS: usize = 4_096;
const NEWCOMERS: usize = 10 * MAX_FLOWS;
/// Flows in use.
const BUSY: usize = 100;
/// A busy flow has a packet while so many newcomers come.
const RATE: usize = MAX_FLOWS / 16;

/// What a flood did.
#[derive(Debug, Default)]
struct Outcome {
    busy_lost: usize,
    untracked: usize,
    longest_row: usize,
}

/// The driver's ring fills, then newcomers flood it. Each flow sends so many packets as it is opened; those for which `busy`
/// holds go on, every other of them by receiving.
fn flood(busy: impl Fn(usize) -> bool, packets: impl Fn(usize) -> usize) -> Outcome {
    let rig = Rig::with_settings(&[("TraceLevel", 0), ("MaxFlows", MAX_FLOWS.try_into().unwrap())]);
    let mut busy_flows: Vec<(usize, FlowHandle)> = Vec::new();
    let (mut outcome, mut row) = (Outcome::default(), 0);
    for number in 0..MAX_FLOWS + NEWCOMERS {
        for &(one, flow) in busy_flows.iter().filter(|(one, _)| one % RATE == number % RATE) {
            if one % 2 == 0 { rig.send(flow, 100) } else { rig.receive(flow, 100) }
        }
        let flow = rig.open(&outbound());
        if number < MAX_FLOWS && busy(number) {
            busy_flows.push((number, flow));
        }
        if is_tagged(&rig, flow) {
            row = 0;
        } else {
            outcome.untracked += 1;
            row += 1;
            outcome.longest_row = outcome.longest_row.max(row);
        }
        for _ in 0..packets(number) {
            rig.send(flow, 100);
        }
    }
    outcome.busy_lost = busy_flows.iter().filter(|(_, flow)| !is_tagged(&rig, *flow)).count();
    let expected: HashSet<_> = busy_flows.iter().map(|(_, flow)| flow.0).collect();
    assert_eq!(expected.len(), BUSY, "busy flows");
    rig.stop();
    outcome
}

fn is_tagged(rig: &Rig, flow: FlowHandle) -> bool {
    rig.machine.flow_context(flow, Direction::Outbound).is_some()
}

/// Asserts that no busy flow loses its tag, and that few newcomers go without one.
fn assert_spared(outcome: &Outcome) {
    assert_eq!(outcome.busy_lost, 0, "busy flows lost their tags: {outcome:?}");
    assert!(outcome.untracked * 1_000 <= NEWCOMERS * 15, "more than 1.5 % untracked: {outcome:?}");
    assert!(outcome.longest_row <= 16, "more than 16 untracked in a row: {outcome:?}");
}

/// Floods of this kind have no packet, or one.
fn one_or_none(number: usize) -> usize {
    number % 2
}

#[test]
fn a_flood_spares_busy_flows_that_are_the_oldest() {
    assert_spared(&flood(|number| number < BUSY, one_or_none));
}

#[test]
fn a_flood_spares_busy_flows_wherever_they_are() {
    // A generator whose period is the ring.
    assert_spared(&flood(|number| (number * 1_309 + 7) % MAX_FLOWS < BUSY, one_or_none));
}

#[test]
fn a_flood_spares_busy_flows_that_are_the_youngest() {
    assert_spared(&flood(|number| number >= MAX_FLOWS - BUSY, one_or_none));
}
