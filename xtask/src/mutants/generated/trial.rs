//! What a mutation is held against: the unit tests of pure modules first, which are the quickest there; then the image, with its
//! scenarios and checks; last the lives of flows on this machine, loom, shuttle and Miri.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use anyhow::Result;

use super::{
    super::{image::code, suite::Suite, tree::Tree},
    mutation::Mutation,
    on_this_machine::{self, Check, Depth},
    store::Verdict,
};
use crate::{driver, target::Target};

/// All that one run needs.
pub struct Trial {
    suite: Suite,
    depth: Depth,
    /// What the sound images do.
    x64: Vec<u8>,
    arm64: Vec<u8>,
    /// The copy for the checks of the source: one, since these are quick or come last, and its builds are large.
    host: Mutex<Tree>,
}

impl Trial {
    /// Gets ready, and sees that the sound driver passes.
    pub fn prepare(depth: Depth) -> Result<Self> {
        let mut suite = Suite::build()?;
        let sound = driver::build(Target::X64)?;
        suite.learn(&sound)?;
        let host = Tree::of_sources(Target::X64, "mutants-on-host")?;
        on_this_machine::prepare(host.root(), depth)?;
        let arm64 = code(&driver::build(Target::Arm64)?)?;
        Ok(Self { suite, depth, x64: code(&sound)?, arm64, host: Mutex::new(host) })
    }

    /// What becomes of a mutation whose file then reads `text`. The tree is left as it was.
    pub fn verdict(&self, tree: &Tree, mutation: &Mutation, text: &str) -> Result<Verdict> {
        let file = Path::new(&mutation.file);
        tree.write(file, text.as_bytes())?;
        let verdict = self.in_tree(tree, mutation, text);
        tree.copy(file)?;
        verdict
    }

    fn in_tree(&self, tree: &Tree, mutation: &Mutation, text: &str) -> Result<Verdict> {
        if let Some(by) = self.on_host(mutation, text, on_this_machine::units)? {
            return Ok(Verdict::Noticed { by });
        }
        let image = match tree.build(Target::X64, "broken") {
            Ok(image) => image,
            Err(error) if format!("{error:#}").contains("could not compile `flowtag`") => return Ok(Verdict::NotBuilt),
            Err(error) => return Err(error),
        };
        let same = code(&image)? == self.x64;
        if !same {
            let search = self.suite.first_failure(&image, None, 1)?;
            if let Some(test) = search.failed {
                return Ok(Verdict::Noticed { by: format!("{}: {test}", search.program) });
            }
        }
        if let Some(by) = self.on_host(mutation, text, on_this_machine::lives)? {
            return Ok(Verdict::Noticed { by });
        }
        if self.depth == Depth::All
            && let Some(by) = self.on_host(mutation, text, on_this_machine::tools)?
        {
            return Ok(Verdict::Noticed { by });
        }
        // What x64 cannot show, such as an order of memory, another processor may.
        if same && code(&tree.build(Target::Arm64, "broken-arm64")?)? == self.arm64 {
            return Ok(Verdict::SameCode);
        }
        Ok(Verdict::Survived)
    }

    fn on_host(
        &self,
        mutation: &Mutation,
        text: &str,
        checks: fn(&Path, &str) -> Vec<Check>,
    ) -> Result<Option<String>> {
        let tree = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        let file = Path::new(&mutation.file);
        tree.write(file, text.as_bytes())?;
        let noticed = on_this_machine::first_to_notice(checks(tree.root(), &mutation.file));
        tree.copy(file)?;
        noticed
    }
}
