//! The mutants: deliberate breakages of the driver, each a real bug of somebody's, and which tests catch them.

pub mod generated;
mod hash;
mod image;
mod list;
mod on_hosts;
mod on_selftest;
mod patience;
mod suite;
mod tree;

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use anyhow::{Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use self::{
    list::Mutant,
    on_hosts::Shown,
    suite::{Search, Suite},
    tree::Tree,
};
use crate::{
    checks::{Request, Row},
    driver,
    lock::lock,
    selftest::Programs,
    target::Target,
};

/// What became of all mutants.
pub struct Outcome {
    mutants: usize,
    caught: usize,
    runs: usize,
}

/// The check of `cargo xtask verify`: each mutant that nothing caught is a failure.
pub fn check(request: &Request) -> Result<Row> {
    let start = Instant::now();
    let outcome = run(request.target, "")?;
    let [mutants, caught, runs] = [outcome.mutants, outcome.caught, outcome.runs].map(|count| count as u64);
    let row = Row::new("mutants", start, runs, mutants, mutants - caught);
    Ok(row.with("mutants", mutants).with("mutants_caught", caught))
}

/// Fails when a mutant was not caught.
pub fn all_caught(outcome: &Outcome) -> Result<()> {
    let Outcome { mutants, caught, runs } = outcome;
    println!("{caught} of {mutants} mutants caught, by {runs} runs of tests");
    ensure!(caught == mutants, "{} pass every test: one is missing, or the simulator is too kind", mutants - caught);
    Ok(())
}

/// Builds each mutant whose name contains `part`, and looks for a test that fails on it: two mutants at a time. Prints a row for
/// each, as they are found.
pub fn run(target: Target, part: &str) -> Result<Outcome> {
    let mutants = list::read(part)?;
    let mut suite = Suite::build()?;
    let sound = driver::build(target)?;
    suite.learn(&sound)?;
    let programs = Programs::build()?;
    hunt_all(target, &mutants, |tree, mutant| hunt(tree, mutant, &suite, &sound, &programs))
}

/// Lets `flowtag selftest` test each mutant on which it has to fail. Prints a row for each, as they are found.
pub fn run_selftest(target: Target) -> Result<Outcome> {
    let mut mutants = list::read("")?;
    mutants.retain(|mutant| mutant.selftest.is_some());
    let programs = Programs::build()?;
    hunt_all(target, &mutants, |tree, mutant| {
        let shown = tree.build_broken(mutant).and_then(|broken| on_selftest::show(mutant, &broken.image, &programs));
        match shown {
            Ok(Shown { all_noticed, said }) => {
                Found { caught: all_noticed, runs: 1, said: said.trim_start_matches(", ").to_owned() }
            }
            Err(error) => Found { caught: false, runs: 0, said: format!("NOT TESTED: {error:#}") },
        }
    })
}

fn hunt_all(target: Target, mutants: &[Mutant], hunt: impl Fn(&Tree, &Mutant) -> Found + Sync) -> Result<Outcome> {
    let trees = tree::lay_out_all(target)?;
    let bar = ProgressBar::new(mutants.len() as u64);
    bar.set_style(ProgressStyle::with_template("{pos}/{len} mutants {wide_bar} {msg}")?);
    let width = mutants.iter().map(|mutant| mutant.name.chars().count()).max().unwrap_or(0);
    let outcome = Mutex::new(Outcome { mutants: mutants.len(), caught: 0, runs: 0 });
    tree::share_out(&trees, mutants, |tree, mutant| {
        let Found { caught, runs, said } = hunt(tree, mutant);
        let mut outcome = lock(&outcome);
        outcome.caught += usize::from(caught);
        outcome.runs += runs;
        bar.suspend(|| println!("{:width$}  {said}", mutant.name));
        bar.inc(1);
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(outcome.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// What became of one mutant.
struct Found {
    caught: bool,
    runs: usize,
    /// The same in words.
    said: String,
}

/// Builds a mutant and looks for a test that fails on it.
fn hunt(tree: &Tree, mutant: &Mutant, suite: &Suite, sound: &Path, programs: &Programs) -> Found {
    let searched = tree.build_broken(mutant).and_then(|broken| {
        let search = search(mutant, &broken.image, suite)?;
        Ok((search, on_hosts::show(&broken, sound)?, on_selftest::show(mutant, &broken.image, programs)?))
    });
    match searched {
        Ok((Search { failed: Some(test), runs, .. }, hosts, selftest)) => {
            let caught = hosts.all_noticed && selftest.all_noticed;
            Found { caught, runs, said: format!("{test} (run {runs}){}{}", hosts.said, selftest.said) }
        }
        Ok((Search { failed: None, runs, .. }, ..)) => {
            Found { caught: false, runs, said: format!("NOT CAUGHT in {runs} runs; from {}", mutant.source) }
        }
        Err(error) => Found { caught: false, runs: 0, said: format!("NOT TESTED: {error:#}") },
    }
}

/// Looks for a test that fails on the image of a mutant: for the one that is to be tried first alone, then for any.
fn search(mutant: &Mutant, image: &Path, suite: &Suite) -> Result<Search> {
    let Mutant { caught_by, try_first, .. } = mutant;
    let mut tried = 0;
    if let Some(first) = try_first {
        let search = suite.first_failure(image, Some(first))?;
        if search.failed.is_some() {
            return Ok(search);
        }
        tried = search.runs;
    }
    let search = suite.first_failure(image, caught_by.as_deref())?;
    Ok(Search { runs: tried + search.runs, ..search })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tests that no image fails, and between them one that every image fails.
    const TESTS: [(&str, &str); 3] = [("kind", "/bin/true"), ("strict", "/bin/false"), ("lenient", "/bin/true")];

    fn found(mutant: &str) -> Result<(Option<String>, usize)> {
        let mutant = toml::from_str(&format!("name = ''\nsource = ''\nedit = []\n{mutant}"))?;
        let search = search(&mutant, Path::new("no image"), &Suite::of_programs(&TESTS))?;
        Ok((search.failed, search.runs))
    }

    #[test]
    fn where_the_test_that_is_tried_first_notices_no_other_runs() {
        assert_eq!(found("try_first = 'strict'").unwrap(), (Some("strict".to_owned()), 1));
    }

    #[test]
    fn where_the_test_that_is_tried_first_does_not_notice_all_others_are_tried() {
        assert_eq!(found("try_first = 'lenient'").unwrap(), (Some("strict".to_owned()), 3));
    }

    #[test]
    fn without_a_test_to_be_tried_first_all_are_tried_in_their_order() {
        assert_eq!(found("").unwrap(), (Some("strict".to_owned()), 2));
    }

    #[test]
    fn the_only_test_that_is_to_catch_it_is_the_only_one_that_runs() {
        assert_eq!(found("caught_by = 'kind'").unwrap(), (None, 1));
    }

    #[test]
    fn a_test_that_is_tried_first_and_is_none_is_an_error() {
        assert!(found("try_first = 'renamed'").unwrap_err().to_string().contains("renamed"));
    }
}
