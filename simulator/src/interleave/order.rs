//! Which runs are the same order of events, and how an order is written down.

use super::table::Step;

/// A number for what a run's order was: the same for two runs that differ only in the order of steps that do not matter
/// to each other, and (but for a chance of one in 2^64) another one otherwise.
///
/// Each step is numbered by its thread, its place among that thread's steps, its name, and the numbers of all earlier
/// steps that it conflicts with; so a step's number says all that has happened before it as far as it matters.
#[must_use]
pub fn identity(steps: &[Step]) -> u64 {
    let mut identity = Identity::default();
    for step in steps {
        identity.add(step);
    }
    identity.number()
}

/// The [`identity`] of a run that is under way.
#[derive(Default)]
pub(super) struct Identity {
    steps: Vec<(Step, u64)>,
    /// How many steps each thread has taken.
    places: Vec<u64>,
    all: u64,
}

impl Identity {
    /// The number for the steps so far.
    pub(super) const fn number(&self) -> u64 {
        self.all
    }

    /// Another step.
    pub(super) fn add(&mut self, step: &Step) {
        if self.places.len() <= step.thread {
            self.places.resize(step.thread + 1, 0);
        }
        self.places[step.thread] += 1;
        let mut before = 0_u64;
        for (other, number) in &self.steps {
            if other.thread != step.thread && other.touches.conflicts_with(step.touches) {
                before = before.wrapping_add(mix(*number));
            }
        }
        let name = step.name.bytes().fold(0, |sum, byte| mix(sum ^ u64::from(byte)));
        let own = mix(name ^ mix(self.places[step.thread] << 8 | step.thread as u64));
        let number = mix(own.wrapping_add(before));
        self.all = self.all.wrapping_add(mix(number ^ 0x5EED));
        self.steps.push((*step, number));
    }
}

/// The finalizer of `SplitMix64`: each bit of the result depends on every bit of `value`.
pub(super) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Writes who went when: a letter for the thread, and how many steps it took.
pub fn write(threads: impl Iterator<Item = usize>) -> String {
    let mut turns: Vec<(usize, usize)> = Vec::new();
    for thread in threads {
        match turns.last_mut() {
            Some((last, count)) if *last == thread => *count += 1,
            _ => turns.push((thread, 1)),
        }
    }
    let letter = |thread: usize| char::from(b'a' + u8::try_from(thread).unwrap_or(25).min(25));
    turns.into_iter().flat_map(|(thread, count)| [letter(thread).to_string(), count.to_string()]).collect()
}

/// Reads what [`write()`] wrote; `None` if it is something else.
#[must_use]
pub fn read(trace: &str) -> Option<Vec<usize>> {
    let mut threads = Vec::new();
    let mut rest = trace;
    while let Some(letter) = rest.chars().next() {
        let thread = letter.is_ascii_lowercase().then(|| usize::from(letter as u8 - b'a'))?;
        let digits = rest[1..].find(|next: char| !next.is_ascii_digit()).map_or(rest.len(), |end| end + 1);
        let count: usize = rest[1..digits].parse().ok().filter(|&count| count <= 100_000)?;
        threads.extend(std::iter::repeat_n(thread, count));
        rest = &rest[digits..];
    }
    Some(threads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interleave::touches::Touches;

    fn step(thread: usize, thing: u8) -> Step {
        Step { thread, name: "step", touches: Touches::thing(thing) }
    }

    #[test]
    fn steps_that_conflict_make_another_order_when_they_change_places() {
        let (a, b) = (step(0, 1), step(1, 1));
        assert_ne!(identity(&[a, b]), identity(&[b, a]));
    }

    #[test]
    fn steps_that_do_not_conflict_make_the_same_order_when_they_change_places() {
        let (a, b) = (step(0, 1), step(1, 2));
        assert_eq!(identity(&[a, b]), identity(&[b, a]));
    }

    #[test]
    fn a_written_order_is_read_back() {
        let threads = vec![0, 0, 0, 2, 1, 1, 0];
        assert_eq!(write(threads.iter().copied()), "a3c1b2a1");
        assert_eq!(read("a3c1b2a1"), Some(threads));
    }

    #[test]
    fn what_is_no_order_is_not_read() {
        assert_eq!(read("a3x"), None);
        assert_eq!(read("3a"), None);
        assert_eq!(read("é1"), None);
    }
}
