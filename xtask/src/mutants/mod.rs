//! The mutants: deliberate breakages of the driver, each a real bug of somebody's, and which tests catch them.

pub mod generated;
mod hash;
mod image;
mod list;
mod on_hosts;
mod patience;
mod suite;
mod tree;

use std::{
    path::Path,
    sync::mpsc::{self, Receiver},
    thread,
    time::Instant,
};

use anyhow::{Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use self::{
    list::Mutant,
    suite::{Search, Suite},
    tree::{Broken, Tree},
};
use crate::{
    checks::{Request, Row},
    target::Target,
};

/// The copy in which they are made, below `target/`.
const FOLDER: &str = "mutants";

/// Tests that run at once.
const AT_ONCE: usize = 2;

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

/// Builds each mutant whose name contains `part`, and looks for a test that fails on it.
pub fn run(target: Target, part: &str) -> Result<Outcome> {
    let mutants = list::read(part)?;
    let mut suite = Suite::build()?;
    let tree = Tree::lay_out(target, FOLDER)?;
    let sound = tree.build_sound()?;
    suite.learn(&sound)?;

    let bar = ProgressBar::new(mutants.len() as u64);
    bar.set_style(ProgressStyle::with_template("{pos}/{len} mutants {wide_bar} {msg}")?);
    // While one mutant is tested, the next is built.
    let (mutants, tree) = (&mutants, &tree);
    let (built, images) = mpsc::sync_channel(1);
    thread::scope(|scope| {
        scope.spawn(move || {
            for (index, mutant) in mutants.iter().enumerate() {
                if built.send(tree.build_broken(mutant, index)).is_err() {
                    return;
                }
            }
        });
        Ok(hunt(mutants, images, &suite, &sound, &bar))
    })
}

/// Looks for a test that fails on each image, and prints a row for each.
fn hunt(
    mutants: &[Mutant],
    images: Receiver<Result<Broken>>,
    suite: &Suite,
    sound: &Path,
    bar: &ProgressBar,
) -> Outcome {
    let width = mutants.iter().map(|mutant| mutant.name.chars().count()).max().unwrap_or(0);
    let mut outcome = Outcome { mutants: mutants.len(), caught: 0, runs: 0 };
    for (mutant, broken) in mutants.iter().zip(images) {
        let Mutant { name, source, .. } = mutant;
        let searched = broken.and_then(|broken| {
            let search = search(mutant, &broken.image, suite)?;
            Ok((search, on_hosts::show(&broken, sound)?))
        });
        let found = match searched {
            Ok((Search { failed: Some(test), runs, .. }, hosts)) => {
                outcome.caught += usize::from(hosts.all_noticed);
                outcome.runs += runs;
                format!("{test} (run {runs}){}", hosts.said)
            }
            Ok((Search { failed: None, runs, .. }, _)) => {
                outcome.runs += runs;
                format!("NOT CAUGHT in {runs} runs; from {source}")
            }
            Err(error) => format!("NOT TESTED: {error:#}"),
        };
        bar.suspend(|| println!("{name:width$}  {found}"));
        bar.inc(1);
    }
    bar.finish_and_clear();
    outcome
}

/// Looks for a test that fails on the image of a mutant: for the one that is to be tried first alone, then for any.
fn search(mutant: &Mutant, image: &Path, suite: &Suite) -> Result<Search> {
    let Mutant { caught_by, try_first, .. } = mutant;
    if let Some(first) = try_first {
        let search = suite.first_failure(image, Some(first), AT_ONCE)?;
        if search.failed.is_some() {
            return Ok(search);
        }
    }
    suite.first_failure(image, caught_by.as_deref(), AT_ONCE)
}
