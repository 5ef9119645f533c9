//! What the ring promises, step by step.
use super::*;

/// A record is only a number here: that of its flow, unless a test says otherwise.
pub(super) type Ring<'a> = FlowRing<'a, u64>;

/// The memory of a ring.
pub(super) struct Memory<const SLOTS: usize> {
    slots: [Slot<u64>; SLOTS],
    chains: [u32; SLOTS],
}

impl<const SLOTS: usize> Memory<SLOTS> {
    pub(super) fn fresh() -> Self {
        Self { slots: [Slot::FREE; SLOTS], chains: [0; SLOTS] }
    }

    pub(super) fn ring(&mut self) -> Ring<'_> {
        FlowRing::new(&mut self.slots, &mut self.chains)
    }
}

pub(super) fn contexts(flow: u64) -> Contexts {
    Contexts { flow, family: Family::V4 }
}

pub(super) fn reserve(ring: &mut Ring, flow: u64) -> Option<u32> {
    ring.reserve(contexts(flow), flow).ok()
}

/// The flow of this record has not had a packet.
pub(super) const fn idle(_: u64) -> u64 {
    0
}

/// Reserves and commits.
fn live(ring: &mut Ring, flow: u64) -> u32 {
    let slot = reserve(ring, flow).unwrap();
    ring.commit(slot, idle);
    slot
}

/// Evicts, where no flow has had a packet.
pub(super) fn evict(ring: &mut Ring) -> Option<u64> {
    let (contexts, kept) = ring.evict(idle, Some)?;
    assert_eq!(contexts.flow, kept, "the record is that of the flow");
    Some(contexts.flow)
}

pub(super) fn drained(ring: &mut Ring) -> Vec<u64> {
    let mut flows = Vec::new();
    let mut batch = Batch::start();
    while ring.drain(&mut batch) {
        flows.extend(batch.iter().map(|contexts| contexts.flow));
    }
    flows
}

#[test]
fn a_ring_without_slots_is_full() {
    assert_eq!(Ring::empty().reserve(contexts(1), 1), Err(Refused::Full));
}

#[test]
fn a_full_ring_reserves_nothing() {
    let mut memory = Memory::<2>::fresh();
    let mut ring = memory.ring();
    live(&mut ring, 1);
    live(&mut ring, 2);
    assert_eq!(ring.reserve(contexts(3), 3), Err(Refused::Full));
}

#[test]
fn a_released_slot_can_be_reserved_again() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    let slot = live(&mut ring, 1);
    ring.release(slot);
    assert_eq!(reserve(&mut ring, 2), Some(slot));
}

#[test]
fn the_oldest_flow_is_evicted_first() {
    let mut memory = Memory::<3>::fresh();
    let mut ring = memory.ring();
    for flow in [1, 2, 3] {
        live(&mut ring, flow);
    }
    assert_eq!(evict(&mut ring), Some(1));
    assert_eq!(evict(&mut ring), Some(2));
}

#[test]
fn age_counts_from_the_commit() {
    let mut memory = Memory::<2>::fresh();
    let mut ring = memory.ring();
    let first = reserve(&mut ring, 1).unwrap();
    live(&mut ring, 2);
    ring.commit(first, idle);
    assert_eq!(evict(&mut ring), Some(2));
}

#[test]
fn an_evicted_slot_stays_taken_until_its_release() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    live(&mut ring, 1);
    evict(&mut ring);
    assert_eq!(reserve(&mut ring, 2), None);
}

#[test]
fn a_reserved_slot_is_not_evicted() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    reserve(&mut ring, 1);
    assert_eq!(evict(&mut ring), None);
}

#[test]
fn an_abandoned_slot_is_not_evicted() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    let slot = reserve(&mut ring, 1).unwrap();
    ring.abandon(slot);
    assert_eq!(evict(&mut ring), None);
}

#[test]
fn a_flow_whose_record_is_dying_is_not_evicted() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    let slot = live(&mut ring, 1);
    assert_eq!(ring.evict(idle, |_| None::<()>), None);
    assert_eq!(ring.release(slot), Why::Deleted);
}

#[test]
fn an_eviction_names_the_flow_s_family() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    let contexts = Contexts { flow: 1, family: Family::V6 };
    let slot = ring.reserve(contexts, 1).unwrap();
    ring.commit(slot, idle);
    assert_eq!(ring.evict(idle, |_| Some(())), Some((contexts, ())));
}

#[test]
fn a_flow_that_ends_was_deleted() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    let slot = live(&mut ring, 1);
    assert_eq!(ring.release(slot), Why::Deleted);
}

#[test]
fn an_evicted_flow_remembers_why() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    let slot = live(&mut ring, 1);
    evict(&mut ring);
    assert_eq!(ring.release(slot), Why::Evicted);
}

#[test]
fn a_drained_flow_remembers_why() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    let slot = live(&mut ring, 1);
    drained(&mut ring);
    assert_eq!(ring.release(slot), Why::Unload);
}

#[test]
fn a_flow_being_evicted_at_unload_stays_evicted() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    let slot = live(&mut ring, 1);
    evict(&mut ring);
    drained(&mut ring);
    assert_eq!(ring.release(slot), Why::Evicted);
}

/// The flows of one pass over the live ones.
fn all_live(ring: &Ring) -> Vec<u64> {
    let (mut flows, mut next) = (Vec::new(), 0);
    while ring.live(&mut next, |flow| flows.push(flow)) {}
    flows
}

#[test]
fn only_live_flows_are_handed_out_as_such() {
    let mut memory = Memory::<8>::fresh();
    let mut ring = memory.ring();
    for flow in 1..=6 {
        live(&mut ring, flow);
    }
    let reserved = reserve(&mut ring, 7).unwrap();
    let abandoned = reserve(&mut ring, 8).unwrap();
    ring.abandon(abandoned);
    let evicted = evict(&mut ring).unwrap();
    let live: Vec<u64> = (1..=6).filter(|flow| *flow != evicted).collect();
    assert_eq!(all_live(&ring), live);
    ring.commit(reserved, idle);
    assert_eq!(all_live(&ring).last(), Some(&7));
    ring.release(reserved);
    assert_eq!(all_live(&ring), live);
}

#[test]
fn a_step_over_the_live_flows_is_one_batch() {
    let mut memory = Memory::<100>::fresh();
    let mut ring = memory.ring();
    for flow in 1..=70 {
        live(&mut ring, flow);
    }
    let mut next = 0;
    let mut steps = Vec::new();
    loop {
        let mut flows = 0;
        if !ring.live(&mut next, |_| flows += 1) {
            break;
        }
        steps.push(flows);
    }
    assert_eq!(steps, [BATCH, BATCH, 6]);
}

#[test]
fn a_reserved_slot_is_drained() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    reserve(&mut ring, 1);
    assert_eq!(drained(&mut ring), [1]);
}

#[test]
fn a_flow_is_drained_again_until_its_release() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    let slot = live(&mut ring, 1);
    drained(&mut ring);
    assert_eq!(drained(&mut ring), [1]);
    ring.release(slot);
    assert!(drained(&mut ring).is_empty());
}

#[test]
fn a_step_of_the_drain_is_one_batch() {
    let mut memory = Memory::<{ BATCH as usize + 1 }>::fresh();
    let mut ring = memory.ring();
    for flow in 0..=u64::from(BATCH) {
        live(&mut ring, flow);
    }
    let mut batch = Batch::start();
    ring.drain(&mut batch);
    assert_eq!(batch.iter().count(), BATCH as usize);
}

#[test]
fn slots_never_used_are_not_drained() {
    let mut memory = Memory::<100>::fresh();
    let mut ring = memory.ring();
    live(&mut ring, 1);
    let mut batch = Batch::start();
    ring.drain(&mut batch);
    assert_eq!(batch.next, 1);
}

#[test]
fn a_slot_is_freed_only_once() {
    let mut memory = Memory::<2>::fresh();
    let mut ring = memory.ring();
    let slot = live(&mut ring, 1);
    ring.release(slot);
    ring.release(slot);
    let reserved = [reserve(&mut ring, 2), reserve(&mut ring, 3)];
    assert_eq!(reserved, [Some(0), Some(1)]);
}

#[test]
fn fresh_memory_is_free_slots() {
    let zeroed = core::mem::MaybeUninit::<Slot<core::ptr::NonNull<u8>>>::zeroed();
    // SAFETY: every field of a slot may be zero, which is what the driver relies on.
    let slot = unsafe { zeroed.assume_init() };
    assert_eq!((slot.state, slot.contexts(), slot.why), (State::Free, Contexts::NONE, Why::Deleted));
    assert_eq!(slot.record, None);
}

#[test]
fn a_handle_that_has_no_slot_is_not_found() {
    let mut memory = Memory::<2>::fresh();
    let mut ring = memory.ring();
    live(&mut ring, 1);
    assert_eq!(ring.find(2), None);
}

#[test]
fn handle_zero_does_not_find_a_free_slot() {
    let mut memory = Memory::<2>::fresh();
    let mut ring = memory.ring();
    let slot = live(&mut ring, 1);
    ring.release(slot);
    assert_eq!(ring.find(0), None);
}

#[test]
fn a_flow_is_found_in_every_state_but_free() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    let slot = ring.reserve(contexts(7), 70).unwrap();
    assert_eq!(ring.find(7), Some(Occupant { record: &70, draining: false }), "reserved");
    ring.commit(slot, idle);
    assert_eq!(ring.find(7), Some(Occupant { record: &70, draining: false }), "live");
    ring.evict(idle, |_| Some(()));
    assert_eq!(ring.find(7), Some(Occupant { record: &70, draining: true }), "draining");
    ring.release(slot);
    assert_eq!(ring.find(7), None, "free");
}

#[test]
fn a_handle_gets_no_second_slot() {
    let mut memory = Memory::<2>::fresh();
    let mut ring = memory.ring();
    reserve(&mut ring, 7);
    let known = Refused::Known(Occupant { record: &7, draining: false });
    assert_eq!(ring.reserve(contexts(7), 8), Err(known));
}

#[test]
fn a_flow_that_is_known_is_known_in_a_full_ring_too() {
    let mut memory = Memory::<1>::fresh();
    let mut ring = memory.ring();
    let slot = reserve(&mut ring, 7).unwrap();
    ring.abandon(slot);
    let known = Refused::Known(Occupant { record: &7, draining: true });
    assert_eq!(ring.reserve(contexts(7), 8), Err(known));
}

/// Asserts that a full ring of flows with these handles has chains as chance would make them: of balls thrown into as many
/// bins the fullest hardly ever gets more than ten, and a ball lies in a bin of two on average.
fn assert_chains_are_short(flows: usize, handles: impl Iterator<Item = u64>, what: &str) {
    let (mut slots, mut chains) = (vec![Slot::FREE; flows], vec![0; flows]);
    let mut ring: Ring = FlowRing::new(&mut slots, &mut chains);
    for handle in handles.take(flows) {
        reserve(&mut ring, handle).unwrap();
    }
    let length = |first: u32| {
        std::iter::successors(ring.slots.get(slot_at(first)), |slot| ring.slots.get(slot_at(slot.next))).count()
    };
    let lengths: Vec<usize> = ring.chains.iter().map(|first| length(*first)).collect();
    assert!(lengths.iter().all(|length| *length <= 12), "{what}: a chain of {:?} slots", lengths.iter().max());
    let seen: usize = lengths.iter().map(|length| length * length).sum();
    assert!(seen * 10 <= flows * 22, "{what}: a flow lies in a chain of {seen}/{flows} slots");
}

#[test]
fn chains_stay_short_for_numbers_in_a_row_and_for_addresses() {
    for shift in [0, 1, 3, 4, 6, 8, 12, 16, 20, 32] {
        for start in [1, 0xffff_a50c_1234_5000] {
            let handles = (0..).map(|number: u64| (number << shift).wrapping_add(start));
            assert_chains_are_short(16_384, handles, &format!("{start:#x} and steps of 2^{shift}"));
        }
    }
}

#[test]
fn chains_stay_short_in_a_ring_of_a_million() {
    assert_chains_are_short(1 << 20, 1.., "numbers in a row");
}

#[test]
fn chains_stay_short_for_handles_by_chance() {
    // Knuth's MMIX generator.
    let next =
        |handle: &u64| Some(handle.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    assert_chains_are_short(65_536, std::iter::successors(Some(1), next), "chance");
}
