//! The orders of a case, those with the fewest preemptions first (Musuvathi, Qadeer: "Iterative context bounding for
//! systematic testing of multithreaded programs", 2007).
//!
//! A preemption takes the turn from a thread that could go on. Most bugs need one or two, and the orders with so few are
//! few: the search comes to the end of one number before it begins with the next, and [`Bounded::complete`] says how far
//! it has come. Where [`super::explore`] could come to the end of all orders, it needs fewer runs for that: here, many runs
//! turn out to repeat an order.
//!
//! In the first run, each thread goes on for as long as it can. At each point of a run there is a fork for every other
//! thread that could have gone: at once where nobody could go on anyway, with one preemption more where somebody could.
//! Two beginnings that differ only in the order of steps that do not matter to each other lead to the same place, and
//! what comes behind a place is run once. A thread that touches nothing in its next step is not preempted before it:
//! behind it is as good.

use std::{collections::HashSet, mem};

use super::{
    order::{Identity, mix},
    table::{Choice, Explores, Step, Strategy},
    touches::Touches,
};

/// The orders of a case, one run after the other.
#[derive(Default)]
pub struct Bounded {
    /// Who went when, in each run so far.
    runs: Vec<Vec<u8>>,
    /// Forks with as many preemptions as this run has, and those with one more.
    now: Vec<Fork>,
    later: Vec<Fork>,
    preemptions: usize,
    /// The places that have been left by each thread.
    left: HashSet<u64>,
    run: Present,
    strayed: bool,
}

/// Another thread goes in a run that has been.
struct Fork {
    run: u32,
    /// How many steps of that run come first.
    at: u32,
    thread: u8,
    /// The place, and the thread that leaves it.
    leaves: u64,
}

/// The present run.
#[derive(Default)]
struct Present {
    /// Who goes when up to the fork, the fork included, and what that leaves.
    given: Vec<u8>,
    leaves: u64,
    taken: Vec<u8>,
    so_far: Identity,
    /// From here on it repeats an earlier run.
    repeats: bool,
    /// Who else could have gone in place of the present step, and whether that is a preemption.
    others: Vec<(usize, u64)>,
    preempts: bool,
}

impl Bounded {
    /// Every order with so many preemptions has been run; `None` before that is true of those without any.
    #[must_use]
    pub fn complete(&self) -> Option<usize> {
        self.preemptions.checked_sub(1)
    }
}

impl Explores for Bounded {
    fn next_run(&mut self) -> bool {
        let ended = mem::take(&mut self.run);
        self.runs.push(ended.taken);
        loop {
            let Some(fork) = self.now.pop() else {
                if self.later.is_empty() {
                    return false;
                }
                mem::swap(&mut self.now, &mut self.later);
                self.preemptions += 1;
                continue;
            };
            if self.left.contains(&fork.leaves) {
                continue;
            }
            self.run.given = self.runs[fork.run as usize][..fork.at as usize].to_vec();
            self.run.given.push(fork.thread);
            self.run.leaves = fork.leaves;
            return true;
        }
    }

    fn strayed(&self) -> bool {
        self.strayed
    }
}

impl Strategy for Bounded {
    fn choose(&mut self, choice: &Choice) -> usize {
        let Present { given, taken, so_far, .. } = &self.run;
        let leaves = |thread: usize| mix(so_far.number() ^ mix(thread as u64));
        let goes_on = choice.last.filter(|last| !choice.yields && choice.ready.contains(last));
        let depth = taken.len();
        let chosen = given.get(depth).map_or_else(|| goes_on.unwrap_or(choice.ready[0]), |&given| given.into());
        let is_fork = depth + 1 == given.len();
        if !choice.ready.contains(&chosen) || is_fork && leaves(chosen) != self.run.leaves {
            self.strayed = true;
            return choice.ready[0];
        }
        if depth + 1 >= given.len() {
            let is_new = self.left.insert(leaves(chosen));
            // The run that had this fork has those beside it.
            let others = choice.ready.iter().filter(|&&other| other != chosen && !is_fork && !self.run.repeats);
            let others = others.map(|&other| (other, leaves(other))).filter(|(_, leaves)| !self.left.contains(leaves));
            self.run.others = others.collect();
            self.run.preempts = goes_on.is_some();
            // The place may have been left this way before and yet by a dearer fork, so this goes for what comes behind.
            self.run.repeats |= !is_new;
        }
        chosen
    }

    fn ended(&mut self, step: &Step) {
        let Present { taken, so_far, others, preempts, .. } = &mut self.run;
        let at = taken.len() as u32;
        let pointless = *preempts && step.touches == Touches::NOTHING;
        for (thread, leaves) in mem::take(others) {
            if !pointless {
                let fork = Fork { run: self.runs.len() as u32, at, thread: thread as u8, leaves };
                let forks = if *preempts { &mut self.later } else { &mut self.now };
                forks.push(fork);
            }
        }
        taken.push(step.thread as u8);
        so_far.add(step);
    }
}
