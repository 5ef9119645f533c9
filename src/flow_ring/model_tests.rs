//! The ring beside a model of it that has no cleverness.
use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    mem,
};

use proptest::prelude::*;

use super::{
    IN_A_ROW, LOOKS, Refused, State,
    tests::{Memory, Ring, contexts, drained, reserve},
};

/// Enough that there can be more old flows than one eviction looks at.
const CAPACITY: usize = 20;
/// Few, so that they come again, and that chains have several.
const HANDLES: u64 = 26;

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve(u64),
    Open(u64),
    Commit(usize),
    Abandon(usize),
    Release(usize),
    Send(u64),
    SendAll,
    Evict,
    Drain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any_slot = 0..CAPACITY;
    let any_flow = 1..=HANDLES;
    let step = prop_oneof![
        2 => any_flow.clone().prop_map(Step::Reserve),
        12 => any_flow.clone().prop_map(Step::Open),
        2 => any_slot.clone().prop_map(Step::Commit),
        1 => any_slot.clone().prop_map(Step::Abandon),
        3 => any_slot.prop_map(Step::Release),
        4 => any_flow.prop_map(Step::Send),
        2 => Just(Step::SendAll),
        8 => Just(Step::Evict),
    ];
    let steps = prop::collection::vec(step, 0..100);
    // Seldom, since nothing is live afterwards.
    (steps.clone(), steps).prop_map(|(steps, more)| [steps, vec![Step::Drain], more].concat())
}

/// The same, without cleverness: slots taken with their flow, live ones by age, and packets since somebody asked.
#[derive(Default)]
struct Model {
    taken: Vec<(u32, u64)>,
    young: VecDeque<u64>,
    old: VecDeque<u64>,
    packets: BTreeMap<u64, u64>,
    /// What the ring is told, which is the same.
    told: RefCell<BTreeMap<u64, u64>>,
    turned_away: u32,
}

impl Model {
    fn apply(&mut self, ring: &mut Ring, step: Step) {
        match step {
            Step::Reserve(flow) => {
                self.reserve(ring, flow);
            }
            Step::Open(flow) => {
                if let Some(slot) = self.reserve(ring, flow) {
                    self.commit(ring, slot, flow);
                }
            }
            Step::Commit(which) => {
                let Some(&(slot, flow)) = self.taken.get(which) else { return };
                self.commit(ring, slot, flow);
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
                self.forget(flow);
            }
            Step::Send(flow) => self.send(flow),
            Step::SendAll => (1..=HANDLES).for_each(|flow| self.send(flow)),
            Step::Evict => {
                let evicted = ring.evict(|flow| asked(&mut self.told.borrow_mut(), flow), Some);
                assert_eq!(evicted.map(|(_, flow)| flow), self.evict(), "who has to go");
            }
            Step::Drain => {
                let mut flows = drained(ring);
                flows.sort_unstable();
                let mut expected: Vec<u64> = self.taken.iter().map(|(_, flow)| *flow).collect();
                expected.sort_unstable();
                assert_eq!(flows, expected, "every slot that is not free");
                self.young.clear();
                self.old.clear();
            }
        }
        for handle in 1..=HANDLES {
            let taken = self.taken.iter().any(|(_, flow)| *flow == handle);
            assert_eq!(ring.find(handle).is_some(), taken, "found if it has a slot: {handle}");
        }
    }

    fn reserve(&mut self, ring: &mut Ring, flow: u64) -> Option<u32> {
        let known = self.taken.iter().any(|(_, taken)| *taken == flow);
        let full = self.taken.len() == CAPACITY;
        match ring.reserve(contexts(flow), flow) {
            Ok(slot) => {
                assert!(!known && !full, "a slot, where there is one for a new handle");
                self.taken.push((slot, flow));
                self.turned_away = 0;
                return Some(slot);
            }
            Err(Refused::Known(occupant)) => assert!(known && *occupant.record == flow, "known"),
            Err(Refused::Full) => assert!(full && !known, "full exactly at its capacity"),
        }
        None
    }

    fn commit(&mut self, ring: &mut Ring, slot: u32, flow: u64) {
        let reserved = ring.slots[slot as usize].state == State::Reserved;
        ring.commit(slot, |flow| asked(&mut self.told.borrow_mut(), flow));
        if reserved {
            self.young.push_back(flow);
            if self.young.len() > CAPACITY / 2 {
                self.age();
            }
        }
    }

    fn age(&mut self) {
        if let Some(flow) = self.young.pop_front() {
            asked(&mut self.packets, flow);
            self.old.push_back(flow);
        }
    }

    fn send(&mut self, flow: u64) {
        for packets in [&mut self.packets, self.told.get_mut()] {
            *packets.entry(flow).or_default() += 1;
        }
    }

    /// Who has to go: whoever of the eight oldest has not moved, else, when it is time, whoever moved least.
    fn evict(&mut self) -> Option<u64> {
        if self.old.is_empty() {
            self.age();
        }
        let mut looked_at = Vec::new();
        for flow in self.old.iter().copied().take(LOOKS as usize) {
            looked_at.push((asked(&mut self.packets, flow), flow));
            if looked_at.last().is_some_and(|(packets, _)| *packets == 0) {
                break;
            }
        }
        let moved = looked_at.iter().filter(|(packets, _)| *packets != 0).count();
        self.old.rotate_left(moved);
        let still = looked_at.iter().find(|(packets, _)| *packets == 0);
        let goes = if still.is_none() && self.turned_away < IN_A_ROW {
            self.turned_away += 1;
            None
        } else {
            still.or_else(|| looked_at.iter().min_by_key(|(packets, _)| *packets)).map(|(_, flow)| *flow)
        };
        goes.inspect(|flow| self.forget(*flow))
    }

    fn forget(&mut self, flow: u64) {
        self.young.retain(|live| *live != flow);
        self.old.retain(|live| *live != flow);
    }
}

/// Packets of a flow since this was last asked.
fn asked(packets: &mut BTreeMap<u64, u64>, flow: u64) -> u64 {
    packets.get_mut(&flow).map(mem::take).unwrap_or_default()
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
