//! Which faults there are: from every place that calls an import that can fail.

use std::collections::{BTreeMap, HashSet};

use flowtag_simulator::{
    computer::{Export, Fails, call_stack::CallStack, faults::StackFault},
    wfp::status,
    windows,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::fault::Fault;

/// So many calls from one place are made to fail, each in its turn.
const CALLS: u64 = 8;

/// What functions return beyond what is documented for them: two common failures, and two values that pass
/// `NT_SUCCESS` although nothing was done.
const STATUSES: [u32; 4] =
    [status::INSUFFICIENT_RESOURCES, status::UNSUCCESSFUL, status::PENDING, status::OBJECT_NAME_EXISTS];

/// Everything that can go wrong at one place that made so many calls.
pub fn faults_of(stack: &CallStack, calls: u64) -> Vec<Fault> {
    let id = stack.id();
    let export = windows::imports().named(&stack.import).expect("it was called");
    let statuses = statuses(export);
    (1..=calls.min(CALLS))
        .flat_map(|nth| {
            let fault = move |&status| Fault { import: export.name, at: StackFault { stack: id, nth, status } };
            statuses.iter().map(fault).collect::<Vec<_>>()
        })
        .collect()
}

/// The ways in which an export fails; `None` for one that returns NULL or FALSE.
fn statuses(export: &Export) -> Vec<Option<u32>> {
    match export.fails {
        Fails::Never => Vec::new(),
        Fails::Null | Fails::False => vec![None],
        Fails::Status(documented) => {
            let more = STATUSES.iter().filter(|status| !documented.contains(status));
            documented.iter().chain(more).map(|status| Some(*status)).collect()
        }
    }
}

/// Pairs of faults by chance: first two places, so that those with many faults do not crowd out the others, then a
/// fault at each.
pub fn pairs(faults: &[Fault], count: usize, seed: u64) -> Vec<[Fault; 2]> {
    let mut places: BTreeMap<u64, Vec<Fault>> = BTreeMap::new();
    for fault in faults {
        places.entry(fault.at.stack).or_default().push(*fault);
    }
    let places: Vec<_> = places.into_values().collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut any = || {
        let place = &places[random.random_range(0..places.len())];
        place[random.random_range(0..place.len())]
    };
    let mut chosen = HashSet::new();
    // Few places have few pairs: the number of attempts is what ends the search then.
    let drawn = (0..20 * count).map(|_| [any(), any()]);
    drawn
        .filter(|[a, b]| (a.at.stack, a.at.nth) < (b.at.stack, b.at.nth))
        .filter(|pair| chosen.insert(*pair))
        .take(count)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(import: &'static str) -> CallStack {
        CallStack { import: import.into(), frames: vec![1] }
    }

    #[test]
    fn what_returns_a_pointer_fails_in_one_way_at_each_of_eight_calls() {
        assert_eq!(faults_of(&stack("ExAllocatePool2"), 100).len(), 8);
        assert_eq!(faults_of(&stack("ExAllocatePool2"), 3).len(), 3);
    }

    #[test]
    fn what_returns_a_status_fails_with_documented_common_and_hollow_ones() {
        let faults = faults_of(&stack("FwpmEngineOpen0"), 1);
        let statuses: Vec<_> = faults.iter().map(|fault| fault.at.status.unwrap()).collect();
        for status in [status::FWP_TCPIP_NOT_READY, status::UNSUCCESSFUL, 0x103, 0x4000_0000] {
            assert_eq!(statuses.iter().filter(|other| **other == status).count(), 1, "{status:#x}");
        }
    }

    #[test]
    fn pairs_differ_and_are_the_same_for_the_same_seed() {
        let mut faults = faults_of(&stack("FwpmEngineOpen0"), 8);
        faults.extend(faults_of(&stack("ExAllocatePool2"), 8));
        let chosen = pairs(&faults, 100, 1);
        assert_eq!(chosen.iter().collect::<HashSet<_>>().len(), 100);
        assert_eq!(chosen, pairs(&faults, 100, 1));
        assert_ne!(chosen, pairs(&faults, 100, 2));
    }
}
