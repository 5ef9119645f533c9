//! Every order of a case, once each: depth first, with sleep sets.
//!
//! A thread whose step was tried at some point of a run need not go first there again until another thread has done
//! something that this step conflicts with: until then every order that begins with it has been seen. (Godefroid, 1996:
//! sleep sets alone leave no order out.) What a step touches is known once it has been taken, and it stays the same
//! as long as nothing that it conflicts with has happened, which is how long it sleeps.

use super::{table::Strategy, touches::Touches};

/// One choice of the present run.
struct Node {
    ready: Vec<usize>,
    chosen: usize,
    /// What the chosen step touched, once it has been taken.
    touched: Touches,
    /// Threads that need not go first here, and what their steps touch.
    asleep: Vec<(usize, Touches)>,
}

impl Node {
    fn sleeps(&self, thread: usize) -> bool {
        self.asleep.iter().any(|(sleeper, _)| *sleeper == thread)
    }

    fn awake(&self) -> Option<usize> {
        self.ready.iter().copied().find(|&thread| !self.sleeps(thread))
    }
}

/// The orders of a case, one run after the other.
#[derive(Default)]
pub struct Explorer {
    path: Vec<Node>,
    depth: usize,
    /// This run repeats one that has been: everybody who could go is asleep.
    repeats: bool,
    /// A run did not go as the one before it up to where they part: the case is not repeatable.
    strayed: bool,
}

impl Explorer {
    /// Prepares the next run; false when there are no more orders.
    pub fn next_run(&mut self) -> bool {
        self.depth = 0;
        self.repeats = false;
        while let Some(node) = self.path.last_mut() {
            node.asleep.push((node.chosen, node.touched));
            if let Some(next) = node.awake() {
                node.chosen = next;
                return true;
            }
            self.path.pop();
        }
        false
    }

    /// Whether the run that has just ended repeats an earlier one.
    #[must_use]
    pub fn repeats(&self) -> bool {
        self.repeats
    }

    /// Whether a run has gone another way than its choices said.
    #[must_use]
    pub fn strayed(&self) -> bool {
        self.strayed
    }
}

impl Strategy for Explorer {
    fn choose(&mut self, ready: &[usize], last: Option<usize>) -> usize {
        let goes_on = last.filter(|last| ready.contains(last)).unwrap_or(ready[0]);
        if self.repeats || self.strayed {
            return goes_on;
        }
        if let Some(node) = self.path.get(self.depth) {
            if node.ready == ready {
                return node.chosen;
            }
            self.strayed = true;
            return goes_on;
        }
        let asleep = self.path.last().map_or_else(Vec::new, |parent| {
            let still = parent.asleep.iter().filter(|(_, touches)| !touches.conflicts_with(parent.touched));
            still.copied().collect()
        });
        let mut node = Node { ready: ready.to_vec(), chosen: goes_on, touched: Touches::EVERYTHING, asleep };
        if node.sleeps(goes_on) {
            match node.awake() {
                Some(awake) => node.chosen = awake,
                None => {
                    self.repeats = true;
                    return goes_on;
                }
            }
        }
        self.path.push(node);
        self.path[self.depth].chosen
    }

    fn ended(&mut self, touches: Touches) {
        if self.repeats || self.strayed {
            return;
        }
        if let Some(node) = self.path.get_mut(self.depth) {
            node.touched = touches;
        }
        self.depth += 1;
    }
}
