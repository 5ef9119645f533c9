//! Every order of a case, once each: source sets with sleep sets (Abdulla, Aronsson, Jonsson, Sagonas: "Optimal dynamic
//! partial order reduction", 2014, algorithm 1).
//!
//! After each run, every two steps are looked for that conflict and could as well have come the other way round. Where
//! the first of them was taken, a thread is noted that leads there. A thread whose step was tried at some point need not
//! go first there again until another has done something that this step conflicts with: until then, every order that
//! begins with it has been seen. What a step touches is known once it has been taken, and it stays the same as long as
//! nothing that it conflicts with has happened.
//!
//! This leaves no order out as long as no thread's step takes away another's turn. Here, only waits can: a wait for time
//! that ends early uses up one of [`super::Waits::Early`]. So at most one thread of a case may wait for time.

use super::{
    table::{Choice, Explores, Step, Strategy},
    touches::Touches,
};

/// One choice of the present run.
struct Node {
    ready: Vec<usize>,
    chosen: usize,
    /// What the chosen step touched, once it has been taken.
    touched: Touches,
    /// Threads that must go first here, in one run or another.
    wanted: Vec<usize>,
    /// Threads that need not go first here, and what their steps touch.
    asleep: Vec<(usize, Touches)>,
}

impl Node {
    fn sleeps(&self, thread: usize) -> bool {
        self.asleep.iter().any(|(sleeper, _)| *sleeper == thread)
    }

    /// A thread that is still to go first here.
    fn left(&self) -> Option<usize> {
        self.wanted.iter().copied().find(|&thread| !self.sleeps(thread))
    }

    fn want(&mut self, thread: usize) {
        if !self.wanted.contains(&thread) {
            self.wanted.push(thread);
        }
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
    /// Notes, for each two steps of the run that could have come the other way round, who has to go first for that.
    fn find_races(&mut self) {
        let clocks = Clocks::of(&self.path);
        for &(first, second) in &clocks.races {
            let initials = clocks.initials(first, second);
            let node = &mut self.path[first];
            if node.wanted.iter().any(|thread| initials.contains(thread)) {
                continue;
            }
            match initials.iter().find(|thread| node.ready.contains(thread)) {
                Some(&thread) => node.want(thread),
                None => node.ready.clone().into_iter().for_each(|thread| node.want(thread)),
            }
        }
    }
}

impl Explores for Explorer {
    fn next_run(&mut self) -> bool {
        self.find_races();
        self.depth = 0;
        self.repeats = false;
        while let Some(node) = self.path.last_mut() {
            node.asleep.push((node.chosen, node.touched));
            if let Some(next) = node.left() {
                node.chosen = next;
                return true;
            }
            self.path.pop();
        }
        false
    }

    fn strayed(&self) -> bool {
        self.strayed
    }
}

impl Strategy for Explorer {
    fn choose(&mut self, &Choice { ready, last, .. }: &Choice) -> usize {
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
        let sleeps = |thread: usize| asleep.iter().any(|(sleeper, _)| *sleeper == thread);
        let awake = Some(goes_on).into_iter().chain(ready.iter().copied()).find(|&thread| !sleeps(thread));
        let Some(chosen) = awake else {
            self.repeats = true;
            return goes_on;
        };
        let node = Node { ready: ready.to_vec(), chosen, touched: Touches::EVERYTHING, wanted: vec![chosen], asleep };
        self.path.push(node);
        chosen
    }

    fn ended(&mut self, step: &Step) {
        if self.repeats || self.strayed {
            return;
        }
        if let Some(node) = self.path.get_mut(self.depth) {
            node.touched = step.touches;
        }
        self.depth += 1;
    }
}

/// Which step of a run happens before which: whatever the order, as long as conflicting steps stay as they are.
struct Clocks {
    /// Each step's thread, and its number among the steps of that thread, from 1.
    steps: Vec<(usize, usize)>,
    /// How many steps of each thread happen before a step or are it.
    counts: Vec<Vec<usize>>,
    /// Pairs of steps that conflict, with nothing that must come between.
    races: Vec<(usize, usize)>,
}

impl Clocks {
    fn of(path: &[Node]) -> Self {
        let threads = path.iter().map(|node| node.chosen + 1).max().unwrap_or(0);
        let mut taken = vec![0; threads];
        let mut latest: Vec<Vec<usize>> = vec![vec![0; threads]; threads];
        let mut all = Self { steps: Vec::new(), counts: Vec::new(), races: Vec::new() };
        for (second, node) in path.iter().enumerate() {
            let thread = node.chosen;
            taken[thread] += 1;
            let mut clock = latest[thread].clone();
            clock[thread] = taken[thread];
            for first in (0..second).rev() {
                let (other, number) = all.steps[first];
                if other == thread || number <= clock[other] || !path[first].touched.conflicts_with(node.touched) {
                    continue;
                }
                all.races.push((first, second));
                for (mine, theirs) in clock.iter_mut().zip(&all.counts[first]) {
                    *mine = (*mine).max(*theirs);
                }
            }
            all.steps.push((thread, taken[thread]));
            latest[thread].clone_from(&clock);
            all.counts.push(clock);
        }
        all
    }

    fn before(&self, first: usize, second: usize) -> bool {
        let (thread, number) = self.steps[first];
        first < second && number <= self.counts[second][thread]
    }

    /// Who can go first in place of `first`, so that `second` comes before it: the threads whose next step needs none of
    /// the others that have to be taken for that.
    fn initials(&self, first: usize, second: usize) -> Vec<usize> {
        let without_first: Vec<usize> =
            (first + 1..=second).filter(|&step| step == second || !self.before(first, step)).collect();
        let mut seen = Vec::new();
        let mut initials = Vec::new();
        for (at, &step) in without_first.iter().enumerate() {
            let thread = self.steps[step].0;
            if seen.contains(&thread) {
                continue;
            }
            seen.push(thread);
            if !without_first[..at].iter().any(|&earlier| self.before(earlier, step)) {
                initials.push(thread);
            }
        }
        initials
    }
}
