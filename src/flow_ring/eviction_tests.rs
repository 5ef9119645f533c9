//! Whom a full ring lets go of, and whom it does not.
#![expect(clippy::cast_possible_truncation, reason = "the numbers are small")]
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use super::{
    BATCH, Batch, IN_A_ROW, Slot, State,
    tests::{Memory, Ring, reserve},
};

/// Slots of most rings here: two halves, the older of which takes more than one eviction to look through.
const SLOTS: u64 = 40;
const HALF: u64 = SLOTS / 2;

/// Packets of flows since somebody asked.
#[derive(Default)]
struct Traffic(RefCell<BTreeMap<u64, u64>>);

impl Traffic {
    fn send(&self, flow: u64, packets: u64) {
        *self.0.borrow_mut().entry(flow).or_default() += packets;
    }

    fn moved(&self, flow: u64) -> u64 {
        self.0.borrow_mut().remove(&flow).unwrap_or_default()
    }
}

fn open(ring: &mut Ring, flow: u64, traffic: &Traffic) -> Option<u32> {
    let slot = reserve(ring, flow)?;
    ring.commit(slot, |flow| traffic.moved(flow));
    Some(slot)
}

/// Opens flows 1 to [`SLOTS`].
fn fill(ring: &mut Ring, traffic: &Traffic) {
    for flow in 1..=SLOTS {
        open(ring, flow, traffic).unwrap();
    }
}

fn evict(ring: &mut Ring, traffic: &Traffic) -> Option<u64> {
    ring.evict(|flow| traffic.moved(flow), Some).map(|(_, flow)| flow)
}

#[test]
fn a_flow_that_had_packets_while_it_was_old_is_not_evicted() {
    let (mut memory, traffic) = (Memory::<{ SLOTS as usize }>::fresh(), Traffic::default());
    let mut ring = memory.ring();
    fill(&mut ring, &traffic);
    traffic.send(1, 1);
    assert_eq!(evict(&mut ring, &traffic), Some(2));
}

#[test]
fn packets_of_a_flow_s_youth_do_not_save_it() {
    let (mut memory, traffic) = (Memory::<{ SLOTS as usize }>::fresh(), Traffic::default());
    let mut ring = memory.ring();
    open(&mut ring, 1, &traffic).unwrap();
    traffic.send(1, 1_000);
    for flow in 2..=SLOTS {
        open(&mut ring, flow, &traffic).unwrap();
    }
    assert_eq!(evict(&mut ring, &traffic), Some(1));
}

#[test]
fn a_flow_is_young_until_half_of_the_slots_have_younger_ones() {
    let (mut memory, traffic) = (Memory::<{ SLOTS as usize }>::fresh(), Traffic::default());
    let mut ring = memory.ring();
    let first = open(&mut ring, 1, &traffic).unwrap() as usize;
    for flow in 2..=HALF {
        open(&mut ring, flow, &traffic).unwrap();
    }
    assert_eq!(ring.slots[first].state, State::Young);
    open(&mut ring, HALF + 1, &traffic).unwrap();
    assert_eq!(ring.slots[first].state, State::Old);
}

#[test]
fn a_flow_that_had_packets_is_looked_at_again_after_all_the_other_old_ones() {
    let (mut memory, traffic) = (Memory::<{ SLOTS as usize }>::fresh(), Traffic::default());
    let mut ring = memory.ring();
    fill(&mut ring, &traffic);
    traffic.send(1, 1);
    let evicted: Vec<_> = (0..HALF).filter_map(|_| evict(&mut ring, &traffic)).collect();
    assert_eq!(evicted, (2..=HALF).chain([1]).collect::<Vec<_>>());
}

#[test]
fn an_eviction_looks_at_eight_flows() {
    let (mut memory, traffic) = (Memory::<{ SLOTS as usize }>::fresh(), Traffic::default());
    let mut ring = memory.ring();
    fill(&mut ring, &traffic);
    let looks = RefCell::new(Vec::new());
    let moved = |flow| {
        looks.borrow_mut().push(flow);
        1
    };
    assert_eq!(ring.evict(moved, Some), None);
    assert_eq!(looks.into_inner(), (1..=8).collect::<Vec<_>>());
}

#[test]
fn an_eviction_asks_nobody_twice() {
    let (mut memory, traffic) = (Memory::<4>::fresh(), Traffic::default());
    let mut ring = memory.ring();
    for flow in 1..=4 {
        open(&mut ring, flow, &traffic).unwrap();
        traffic.send(flow, 1);
    }
    traffic.send(1, 1);
    traffic.send(2, 1);
    assert_eq!(evict(&mut ring, &traffic), None);
}

/// Everybody moves, and asks for a slot as often as it takes until somebody is evicted. Says whom, and how often it took.
fn evict_among_busy(ring: &mut Ring, moved: impl Fn(u64) -> u64) -> (u64, u32) {
    let mut refused = 0;
    loop {
        if let Some((_, evicted)) = ring.evict(&moved, Some) {
            return (evicted, refused);
        }
        refused += 1;
    }
}

#[test]
fn sixteen_newcomers_in_a_row_go_without_a_slot_at_most() {
    let (mut memory, traffic) = (Memory::<{ SLOTS as usize }>::fresh(), Traffic::default());
    let mut ring = memory.ring();
    fill(&mut ring, &traffic);
    assert_eq!(evict_among_busy(&mut ring, |_| 1).1, 16);
}

#[test]
fn whoever_moved_least_of_the_eight_has_to_go_in_the_end() {
    let (mut memory, traffic) = (Memory::<16>::fresh(), Traffic::default());
    let mut ring = memory.ring();
    for flow in 1..=16 {
        open(&mut ring, flow, &traffic).unwrap();
    }
    // Of the old ones, which are eight.
    assert_eq!(evict_among_busy(&mut ring, |flow| if flow == 5 { 2 } else { 3 }).0, 5);
}

#[test]
fn a_newcomer_that_gets_a_slot_ends_the_row() {
    let (mut memory, traffic) = (Memory::<{ SLOTS as usize }>::fresh(), Traffic::default());
    let mut ring = memory.ring();
    fill(&mut ring, &traffic);
    for _ in 0..IN_A_ROW {
        assert_eq!(ring.evict(|_| 1, Some), None);
    }
    ring.release(0);
    open(&mut ring, 1_000, &traffic).unwrap();
    assert_eq!(evict_among_busy(&mut ring, |_| 1).1, 16);
}

#[test]
fn a_young_flow_is_evicted_where_there_is_no_old_one() {
    let (mut memory, traffic) = (Memory::<4>::fresh(), Traffic::default());
    let mut ring = memory.ring();
    open(&mut ring, 1, &traffic).unwrap();
    open(&mut ring, 2, &traffic).unwrap();
    reserve(&mut ring, 3).unwrap();
    reserve(&mut ring, 4).unwrap();
    assert_eq!(evict(&mut ring, &traffic), Some(1));
}

#[test]
fn flows_that_end_leave_as_many_young_and_old_ones_as_before() {
    let (mut memory, traffic) = (Memory::<{ SLOTS as usize }>::fresh(), Traffic::default());
    let mut ring = memory.ring();
    for life in 0..20 {
        for flow in 1..=SLOTS {
            open(&mut ring, life * SLOTS + flow, &traffic).unwrap();
        }
        assert_eq!((ring.young.len(), ring.old.len()), (HALF as u32, HALF as u32), "life {life}");
        for slot in 0..SLOTS as u32 {
            ring.release(slot);
        }
        assert_eq!((ring.young.len(), ring.old.len()), (0, 0), "life {life}");
    }
}

#[test]
fn a_drain_leaves_nobody_to_evict() {
    let (mut memory, traffic) = (Memory::<{ SLOTS as usize }>::fresh(), Traffic::default());
    let mut ring = memory.ring();
    fill(&mut ring, &traffic);
    let mut batch = Batch::start();
    while ring.drain(&mut batch) {}
    assert!(SLOTS > u64::from(BATCH));
    assert_eq!(evict(&mut ring, &traffic), None);
}

/// What a flood did.
#[derive(Debug, Default)]
struct Flood {
    busy_lost: usize,
    untracked: u64,
    longest_row: u64,
}

const MAX_FLOWS: u64 = 4_096;
const NEWCOMERS: u64 = 10 * MAX_FLOWS;
/// A busy flow has a packet while so many newcomers come.
const RATE: u64 = MAX_FLOWS / 16;

/// A ring fills, and then is flooded by ten times as many flows. All have so many packets as they are opened; those for which
/// `busy` holds go on.
fn flood(busy: impl Fn(u64) -> bool, packets: impl Fn(u64) -> u64) -> Flood {
    let (mut slots, mut chains) = (vec![Slot::FREE; MAX_FLOWS as usize], vec![0; MAX_FLOWS as usize]);
    let mut ring = Ring::new(&mut slots, &mut chains);
    let (traffic, mut taken) = (Traffic::default(), HashMap::new());
    let busy: Vec<u64> = (0..MAX_FLOWS).filter(|flow| busy(*flow)).collect();
    let (mut flood, mut row) = (Flood::default(), 0);
    for flow in 0..MAX_FLOWS + NEWCOMERS {
        for &busy in busy.iter().filter(|busy| **busy < flow && **busy % RATE == flow % RATE) {
            traffic.send(busy, 1);
        }
        if flow >= MAX_FLOWS
            && let Some(evicted) = evict(&mut ring, &traffic)
        {
            ring.release(taken.remove(&evicted).unwrap());
        }
        if let Some(slot) = open(&mut ring, flow, &traffic) {
            taken.insert(flow, slot);
            traffic.send(flow, packets(flow));
            row = 0;
        } else {
            flood.untracked += 1;
            row += 1;
            flood.longest_row = flood.longest_row.max(row);
        }
    }
    flood.busy_lost = busy.iter().filter(|busy| !taken.contains_key(busy)).count();
    flood
}

/// Asserts it for a hundred busy flows that are the oldest, the youngest, or anywhere.
fn assert_busy_flows_survive(packets: impl Fn(u64) -> u64 + Copy) {
    let placements: [(&str, &dyn Fn(u64) -> bool); 3] = [
        ("the oldest", &|flow| flow < 100),
        // By a generator whose period is the ring.
        ("anywhere", &|flow| (flow * 1_309 + 7) % MAX_FLOWS < 100),
        ("the youngest", &|flow| flow >= MAX_FLOWS - 100),
    ];
    for (placement, busy) in placements {
        let flood = flood(busy, packets);
        assert_eq!(flood.busy_lost, 0, "{placement}: {flood:?}");
        assert!(flood.untracked * 1_000 <= NEWCOMERS * 15, "{placement}: {flood:?}");
        assert!(flood.longest_row <= 16, "{placement}: {flood:?}");
    }
}

#[test]
fn a_flood_of_flows_with_a_packet_or_none_pushes_no_busy_flow_out() {
    assert_busy_flows_survive(|flow| flow % 2);
}

#[test]
fn a_flood_of_flows_with_twenty_packets_pushes_no_busy_flow_out() {
    assert_busy_flows_survive(|_| 20);
}
