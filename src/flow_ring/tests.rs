//! What the ring promises, step by step and against a model.
use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

fn contexts(flow: u64) -> Contexts {
    Contexts { flow, family: Family::V4 }
}

/// Reserves and commits.
fn live(ring: &mut FlowRing, flow: u64) -> u32 {
    let slot = ring.reserve(contexts(flow)).unwrap();
    ring.commit(slot);
    slot
}

fn drained(ring: &mut FlowRing) -> Vec<u64> {
    let mut flows = Vec::new();
    let mut batch = Batch::start();
    while ring.drain(&mut batch) {
        flows.extend(batch.iter().map(|contexts| contexts.flow));
    }
    flows
}

#[test]
fn a_ring_without_slots_is_full() {
    assert_eq!(FlowRing::empty().reserve(contexts(1)), None);
}

#[test]
fn a_full_ring_reserves_nothing() {
    let mut slots = [Slot::FREE; 2];
    let mut ring = FlowRing::new(&mut slots);
    live(&mut ring, 1);
    live(&mut ring, 2);
    assert_eq!(ring.reserve(contexts(3)), None);
}

#[test]
fn a_released_slot_can_be_reserved_again() {
    let mut slots = [Slot::FREE; 1];
    let mut ring = FlowRing::new(&mut slots);
    let slot = live(&mut ring, 1);
    ring.release(slot);
    assert_eq!(ring.reserve(contexts(2)), Some(slot));
}

#[test]
fn the_oldest_flow_is_evicted_first() {
    let mut slots = [Slot::FREE; 3];
    let mut ring = FlowRing::new(&mut slots);
    for flow in [1, 2, 3] {
        live(&mut ring, flow);
    }
    assert_eq!(ring.evict(9), Some(contexts(1)));
    assert_eq!(ring.evict(9), Some(contexts(2)));
}

#[test]
fn age_counts_from_the_commit() {
    let mut slots = [Slot::FREE; 2];
    let mut ring = FlowRing::new(&mut slots);
    let first = ring.reserve(contexts(1)).unwrap();
    live(&mut ring, 2);
    ring.commit(first);
    assert_eq!(ring.evict(9), Some(contexts(2)));
}

#[test]
fn an_evicted_slot_stays_taken_until_its_release() {
    let mut slots = [Slot::FREE; 1];
    let mut ring = FlowRing::new(&mut slots);
    live(&mut ring, 1);
    ring.evict(9);
    assert_eq!(ring.reserve(contexts(2)), None);
}

#[test]
fn a_reserved_slot_is_not_evicted() {
    let mut slots = [Slot::FREE; 1];
    let mut ring = FlowRing::new(&mut slots);
    ring.reserve(contexts(1));
    assert_eq!(ring.evict(9), None);
}

#[test]
fn an_abandoned_slot_is_not_evicted() {
    let mut slots = [Slot::FREE; 1];
    let mut ring = FlowRing::new(&mut slots);
    let slot = ring.reserve(contexts(1)).unwrap();
    ring.abandon(slot);
    assert_eq!(ring.evict(9), None);
}

#[test]
fn the_newcomer_does_not_evict_itself() {
    let mut slots = [Slot::FREE; 2];
    let mut ring = FlowRing::new(&mut slots);
    live(&mut ring, 1);
    live(&mut ring, 2);
    assert_eq!(ring.evict(1), Some(contexts(2)));
}

#[test]
fn a_newcomer_alone_in_the_ring_evicts_nothing() {
    let mut slots = [Slot::FREE; 1];
    let mut ring = FlowRing::new(&mut slots);
    live(&mut ring, 1);
    assert_eq!(ring.evict(1), None);
}

#[test]
fn an_eviction_names_the_flow_s_family() {
    let mut slots = [Slot::FREE; 1];
    let mut ring = FlowRing::new(&mut slots);
    let slot = ring.reserve(Contexts { flow: 1, family: Family::V6 }).unwrap();
    ring.commit(slot);
    assert_eq!(ring.evict(9), Some(Contexts { flow: 1, family: Family::V6 }));
}

#[test]
fn a_flow_that_ends_was_deleted() {
    let mut slots = [Slot::FREE; 1];
    let mut ring = FlowRing::new(&mut slots);
    let slot = live(&mut ring, 1);
    assert_eq!(ring.release(slot), Why::Deleted);
}

#[test]
fn an_evicted_flow_remembers_why() {
    let mut slots = [Slot::FREE; 1];
    let mut ring = FlowRing::new(&mut slots);
    let slot = live(&mut ring, 1);
    ring.evict(9);
    assert_eq!(ring.release(slot), Why::Evicted);
}

#[test]
fn a_drained_flow_remembers_why() {
    let mut slots = [Slot::FREE; 1];
    let mut ring = FlowRing::new(&mut slots);
    let slot = live(&mut ring, 1);
    drained(&mut ring);
    assert_eq!(ring.release(slot), Why::Unload);
}

#[test]
fn a_flow_being_evicted_at_unload_stays_evicted() {
    let mut slots = [Slot::FREE; 1];
    let mut ring = FlowRing::new(&mut slots);
    let slot = live(&mut ring, 1);
    ring.evict(9);
    drained(&mut ring);
    assert_eq!(ring.release(slot), Why::Evicted);
}

#[test]
fn a_reserved_slot_is_drained() {
    let mut slots = [Slot::FREE; 1];
    let mut ring = FlowRing::new(&mut slots);
    ring.reserve(contexts(1));
    assert_eq!(drained(&mut ring), [1]);
}

#[test]
fn a_flow_is_drained_again_until_its_release() {
    let mut slots = [Slot::FREE; 1];
    let mut ring = FlowRing::new(&mut slots);
    let slot = live(&mut ring, 1);
    drained(&mut ring);
    assert_eq!(drained(&mut ring), [1]);
    ring.release(slot);
    assert!(drained(&mut ring).is_empty());
}

#[test]
fn a_step_of_the_drain_is_one_batch() {
    let mut slots = [Slot::FREE; BATCH as usize + 1];
    let mut ring = FlowRing::new(&mut slots);
    for flow in 0..=u64::from(BATCH) {
        live(&mut ring, flow);
    }
    let mut batch = Batch::start();
    ring.drain(&mut batch);
    assert_eq!(batch.iter().count(), BATCH as usize);
}

#[test]
fn slots_never_used_are_not_drained() {
    let mut slots = [Slot::FREE; 100];
    let mut ring = FlowRing::new(&mut slots);
    live(&mut ring, 1);
    let mut batch = Batch::start();
    ring.drain(&mut batch);
    assert_eq!(batch.next, 1);
}

#[test]
fn a_slot_is_freed_only_once() {
    let mut slots = [Slot::FREE; 2];
    let mut ring = FlowRing::new(&mut slots);
    let slot = live(&mut ring, 1);
    ring.release(slot);
    ring.release(slot);
    let reserved = [ring.reserve(contexts(2)), ring.reserve(contexts(3))];
    assert_eq!(reserved, [Some(0), Some(1)]);
}

#[test]
fn fresh_memory_is_free_slots() {
    let zeroed = core::mem::MaybeUninit::<Slot>::zeroed();
    // SAFETY: every field of a slot may be zero, which is what the driver relies on.
    let slot = unsafe { zeroed.assume_init() };
    assert_eq!((slot.state, slot.contexts, slot.why), (State::Free, Contexts::NONE, Why::Deleted));
}

const CAPACITY: usize = 5;

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve,
    Commit(usize),
    Abandon(usize),
    Release(usize),
    Evict,
    Drain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any_slot = 0..CAPACITY;
    let step = prop_oneof![
        4 => Just(Step::Reserve),
        4 => any_slot.clone().prop_map(Step::Commit),
        1 => any_slot.clone().prop_map(Step::Abandon),
        3 => any_slot.prop_map(Step::Release),
        2 => Just(Step::Evict),
        1 => Just(Step::Drain),
    ];
    prop::collection::vec(step, 0..200)
}

/// The same, without cleverness: slots taken with their flow, and live ones by age.
#[derive(Default)]
struct Model {
    taken: Vec<(u32, u64)>,
    live: VecDeque<u64>,
    flows: u64,
}

impl Model {
    fn apply(&mut self, ring: &mut FlowRing, step: Step) {
        match step {
            Step::Reserve => {
                self.flows += 1;
                let slot = ring.reserve(contexts(self.flows));
                assert_eq!(slot.is_some(), self.taken.len() < CAPACITY, "full exactly at its capacity");
                self.taken.extend(slot.map(|slot| (slot, self.flows)));
            }
            Step::Commit(which) => {
                let Some(&(slot, flow)) = self.taken.get(which) else { return };
                let reserved = ring.slots[slot as usize].state == State::Reserved;
                ring.commit(slot);
                self.live.extend(reserved.then_some(flow));
            }
            Step::Abandon(which) => {
                let Some(&(slot, _)) = self.taken.get(which) else { return };
                ring.abandon(slot);
            }
            Step::Release(which) => {
                if which >= self.taken.len() {
                    return;
                }
                let (slot, flow) = self.taken.swap_remove(which);
                ring.release(slot);
                self.live.retain(|live| *live != flow);
            }
            Step::Evict => {
                assert_eq!(ring.evict(0), self.live.pop_front().map(contexts), "the oldest first");
            }
            Step::Drain => {
                let mut flows = drained(ring);
                flows.sort_unstable();
                let mut expected: Vec<u64> = self.taken.iter().map(|(_, flow)| *flow).collect();
                expected.sort_unstable();
                assert_eq!(flows, expected, "every slot that is not free");
                self.live.clear();
            }
        }
    }
}

proptest! {
    #[test]
    fn the_ring_behaves_like_its_model(steps in steps()) {
        let mut slots = [Slot::FREE; CAPACITY];
        let mut ring = FlowRing::new(&mut slots);
        let mut model = Model::default();
        for step in steps {
            model.apply(&mut ring, step);
        }
    }

    #[test]
    fn no_slot_is_lost(steps in steps()) {
        let mut slots = [Slot::FREE; CAPACITY];
        let mut ring = FlowRing::new(&mut slots);
        let mut model = Model::default();
        for step in steps {
            model.apply(&mut ring, step);
        }
        for (slot, _) in model.taken {
            ring.release(slot);
        }
        let reserved = (0..CAPACITY).filter_map(|_| ring.reserve(contexts(1))).count();
        prop_assert_eq!(reserved, CAPACITY);
    }
}
