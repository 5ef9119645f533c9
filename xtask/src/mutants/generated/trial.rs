//! What a mutation is held against: the unit tests of pure modules first, which are the quickest there; then the image, with its
//! scenarios and checks; last the lives of flows on this machine, bindings and events beside what is Microsoft's, loom, shuttle and
//! Miri.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    super::{image::code, suite::Suite, tree::Tree},
    mutation::Mutation,
    on_this_machine::{self, Check, Depth},
    store::Verdict,
};
use crate::{driver, lock::lock, target::Target};

/// All that one run needs.
pub struct Trial {
    suite: Suite,
    depth: Depth,
    /// What the sound images do.
    x64: Vec<u8>,
    arm64: Vec<u8>,
    /// How long each kind of step took, of all mutations.
    times: Mutex<BTreeMap<&'static str, Duration>>,
}

impl Trial {
    /// Gets ready, and sees that the sound driver passes.
    pub fn prepare(trees: &[Tree], depth: Depth) -> Result<Self> {
        let mut suite = Suite::build()?;
        let sound = driver::build(Target::X64)?;
        suite.learn(&sound)?;
        thread::scope(|scope| {
            let ready: Vec<_> =
                trees.iter().map(|tree| scope.spawn(|| on_this_machine::prepare(tree.root(), depth))).collect();
            ready.into_iter().try_for_each(|ready| ready.join().expect("getting ready does not panic"))
        })?;
        let arm64 = code(&driver::build(Target::Arm64)?)?;
        Ok(Self { suite, depth, x64: code(&sound)?, arm64, times: Mutex::default() })
    }

    /// What becomes of a mutation whose file then reads `text`. The tree is left as it was.
    pub fn verdict(&self, tree: &Tree, mutation: &Mutation, text: &str) -> Result<Verdict> {
        let file = Path::new(&mutation.file);
        tree.write(file, text.as_bytes())?;
        let verdict = self.in_tree(tree, mutation);
        tree.copy(file)?;
        verdict
    }

    /// Where the time went, for whoever wants it to be less.
    pub fn times(&self) -> String {
        let times = lock(&self.times);
        let times: Vec<_> = times.iter().map(|(step, took)| format!("{step} {} s", took.as_secs())).collect();
        times.join(", ")
    }

    fn in_tree(&self, tree: &Tree, mutation: &Mutation) -> Result<Verdict> {
        if let Some(by) = self.timed("unit tests", || on_host(tree, mutation, on_this_machine::units))? {
            return Ok(Verdict::Noticed { by });
        }
        let image = match self.timed("builds", || tree.build(Target::X64, "broken")) {
            Ok(image) => image,
            Err(error) if format!("{error:#}").contains("could not compile `flowtag`") => return Ok(Verdict::NotBuilt),
            Err(error) => return Err(error),
        };
        if code(&image)? == self.x64 {
            // What x64 cannot show, such as an order of memory, another processor may.
            let arm64 = self.timed("builds for ARM64", || tree.build(Target::Arm64, "broken-arm64"))?;
            if code(&arm64)? == self.arm64 {
                return Ok(Verdict::SameCode);
            }
        } else {
            let search = self.timed("scenarios", || self.suite.first_failure_about(&mutation.file, &image))?;
            if let Some(test) = search.failed {
                return Ok(Verdict::Noticed { by: format!("{}: {test}", search.program) });
            }
        }
        if let Some(by) = self.timed("lives", || on_host(tree, mutation, on_this_machine::lives))? {
            return Ok(Verdict::Noticed { by });
        }
        if let Some(by) = self.timed("formats", || on_host(tree, mutation, on_this_machine::formats))? {
            return Ok(Verdict::Noticed { by });
        }
        if self.depth == Depth::All
            && let Some(by) = self.timed("loom, shuttle, Miri", || on_host(tree, mutation, on_this_machine::tools))?
        {
            return Ok(Verdict::Noticed { by });
        }
        Ok(Verdict::Survived)
    }

    fn timed<T>(&self, step: &'static str, run: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = run();
        let mut times = lock(&self.times);
        *times.entry(step).or_default() += start.elapsed();
        done
    }
}

fn on_host(tree: &Tree, mutation: &Mutation, checks: fn(&Path, &str) -> Vec<Check>) -> Result<Option<String>> {
    on_this_machine::first_to_notice(checks(tree.root(), &mutation.file))
}
