//! The ring beside a model of it that has no cleverness.
use std::collections::VecDeque;

use proptest::prelude::*;

use super::{
    Refused, State,
    tests::{Memory, Ring, contexts, drained, evict, reserve},
};

const CAPACITY: usize = 5;
/// Few, so that they come again, and that chains have several.
const HANDLES: u64 = 9;

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve(u64),
    Commit(usize),
    Abandon(usize),
    Release(usize),
    Evict,
    Drain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any_slot = 0..CAPACITY;
    let step = prop_oneof![
        4 => (1..=HANDLES).prop_map(Step::Reserve),
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
}

impl Model {
    fn apply(&mut self, ring: &mut Ring, step: Step) {
        match step {
            Step::Reserve(flow) => {
                let known = self.taken.iter().any(|(_, taken)| *taken == flow);
                let full = self.taken.len() == CAPACITY;
                match ring.reserve(contexts(flow), flow) {
                    Ok(slot) => {
                        assert!(!known && !full, "a slot, where there is one for a new handle");
                        self.taken.push((slot, flow));
                    }
                    Err(Refused::Known(occupant)) => assert!(known && *occupant.record == flow, "known"),
                    Err(Refused::Full) => assert!(full && !known, "full exactly at its capacity"),
                }
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
                assert_eq!(evict(ring), self.live.pop_front(), "the oldest first");
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
        for handle in 1..=HANDLES {
            let taken = self.taken.iter().any(|(_, flow)| *flow == handle);
            assert_eq!(ring.find(handle).is_some(), taken, "found if it has a slot: {handle}");
        }
    }
}

proptest! {
    #[test]
    fn the_ring_behaves_like_its_model(steps in steps()) {
        let mut memory = Memory::<CAPACITY>::fresh();
        let mut ring = memory.ring();
        let mut model = Model::default();
        for step in steps {
            model.apply(&mut ring, step);
        }
    }

    #[test]
    fn no_slot_is_lost(steps in steps()) {
        let mut memory = Memory::<CAPACITY>::fresh();
        let mut ring = memory.ring();
        let mut model = Model::default();
        for step in steps {
            model.apply(&mut ring, step);
        }
        for (slot, _) in model.taken {
            ring.release(slot);
        }
        let reserved = (1..).take(CAPACITY).filter_map(|flow| reserve(&mut ring, flow)).count();
        prop_assert_eq!(reserved, CAPACITY);
    }
}
