//! Finds circles.

use std::collections::{HashMap, HashSet, VecDeque};

/// An arrow from one node to another, and what it stands for.
pub struct Arrow {
    /// Where it begins.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// Its import, by number.
    pub import: usize,
}

/// The shortest circle through each arrow that is `wanted`.
pub fn shortest(arrows: &[Arrow], wanted: impl Fn(&Arrow) -> bool) -> Vec<Vec<usize>> {
    let mut leaving: HashMap<usize, Vec<&Arrow>> = HashMap::new();
    for arrow in arrows {
        leaving.entry(arrow.from).or_default().push(arrow);
    }
    arrows.iter().filter(|arrow| wanted(arrow)).filter_map(|arrow| through(arrow, &leaving)).collect()
}

/// The shorter first, and none that shares an import with one before. So there is one if there are any, and when all of these
/// are broken, others may be left.
pub fn apart(mut circles: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    circles.sort_by_key(Vec::len);
    let mut used = HashSet::new();
    circles.retain(|circle| {
        let fresh = circle.iter().all(|import| !used.contains(import));
        if fresh {
            used.extend(circle.iter().copied());
        }
        fresh
    });
    circles
}

/// The imports of the shortest circle through an arrow, which is the first.
fn through(first: &Arrow, leaving: &HashMap<usize, Vec<&Arrow>>) -> Option<Vec<usize>> {
    // By node: the arrow that led there first.
    let mut reached: HashMap<usize, &Arrow> = HashMap::new();
    let mut next = VecDeque::from([first.to]);
    while let Some(node) = next.pop_front() {
        if node == first.from {
            let mut circle: Vec<_> = std::iter::successors(reached.get(&node), |arrow| reached.get(&arrow.from))
                .map(|arrow| arrow.import)
                .collect();
            circle.push(first.import);
            circle.reverse();
            return Some(circle);
        }
        for &arrow in leaving.get(&node).into_iter().flatten() {
            if arrow.to != first.to && !reached.contains_key(&arrow.to) {
                reached.insert(arrow.to, arrow);
                next.push_back(arrow.to);
            }
        }
    }
    None
}
