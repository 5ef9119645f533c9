//! Some of many, chosen by a number: the same number chooses the same, also where others come or go.

use std::process::Command;

use super::super::hash::hash;
use crate::workspace;

/// `count` of the items, by their names; in the order in which they came.
pub fn chosen<T>(items: Vec<T>, name: impl Fn(&T) -> String, count: usize, seed: u64) -> Vec<T> {
    let mut ranked: Vec<_> = items
        .into_iter()
        .enumerate()
        .map(|(index, item)| (hash([seed.to_le_bytes().as_slice(), name(&item).as_bytes()]), index, item))
        .collect();
    ranked.sort_by(|one, other| one.0.cmp(&other.0));
    ranked.truncate(count);
    ranked.sort_by_key(|(_, index, _)| *index);
    ranked.into_iter().map(|(_, _, item)| item).collect()
}

/// A number for what the checked-out commit holds, the same whoever commits it and when; zero where there is none.
pub fn seed_of_commit() -> u64 {
    let output = Command::new("git").args(["rev-parse", "HEAD^{tree}"]).current_dir(workspace::root()).output();
    let tree = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    tree.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: u64) -> Vec<u32> {
        chosen((0..100).collect(), u32::to_string, count, seed)
    }

    #[test]
    fn the_same_seed_chooses_the_same() {
        assert_eq!(numbers(20, 7), numbers(20, 7));
    }

    #[test]
    fn another_seed_chooses_others() {
        assert_ne!(numbers(20, 7), numbers(20, 8));
    }

    #[test]
    fn as_many_are_chosen_as_are_asked_for() {
        assert_eq!(numbers(20, 7).len(), 20);
    }

    #[test]
    fn more_than_there_are_is_all_of_them() {
        assert_eq!(numbers(1_000, 7), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn one_item_more_moves_at_most_one_of_the_others_out() {
        let more = chosen((0..101).collect(), u32::to_string, 20, 7);
        let kept = numbers(20, 7).into_iter().filter(|number| more.contains(number)).count();
        assert!(kept >= 19);
    }
}
