//! Orders by chance, with priorities (PCT: Burckhardt and others, 2010), and an order that is given.
//!
//! Each thread has a priority, and the highest that can goes; at a few places by chance, the one that goes falls below
//! all others. A fault that needs d such places is found with a probability that does not fall with the length of the run
//! as fast as it does when every choice is a coin.

use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::table::{Choice, Step, Strategy};

/// Priorities that fall at random places.
pub struct Priorities {
    priority: Vec<i64>,
    falls: Vec<usize>,
    lowest: i64,
    step: usize,
}

impl Priorities {
    /// For `threads` threads that take about `length` steps in all, with `falls` places where one falls behind.
    #[must_use]
    pub fn new(seed: u64, threads: usize, length: usize, falls: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut priority: Vec<i64> = (1..).take(threads).collect();
        priority.shuffle(&mut random);
        let falls = (0..falls).map(|_| random.random_range(0..length.max(1))).collect();
        Self { priority, falls, lowest: 0, step: 0 }
    }
}

impl Strategy for Priorities {
    fn choose(&mut self, choice: &Choice) -> usize {
        if let Some(last) = choice.last
            && self.falls.contains(&self.step)
        {
            self.lowest -= 1;
            self.priority[last] = self.lowest;
        }
        self.step += 1;
        choice.ready.iter().copied().max_by_key(|&thread| self.priority[thread]).unwrap_or(0)
    }

    fn ended(&mut self, _step: &Step) {}
}

/// An order that was written down. Behind its end, whoever goes goes on.
pub struct Given {
    threads: std::vec::IntoIter<usize>,
}

impl Given {
    /// This order.
    #[must_use]
    pub fn new(threads: Vec<usize>) -> Self {
        Self { threads: threads.into_iter() }
    }
}

impl Strategy for Given {
    fn choose(&mut self, choice: &Choice) -> usize {
        let given = self.threads.next().or(choice.last).filter(|thread| choice.ready.contains(thread));
        given.unwrap_or(choice.ready[0])
    }

    fn ended(&mut self, _step: &Step) {}
}
