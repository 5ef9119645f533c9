//! Copies of the repository, in which the driver is broken. Below `target/`, where their builds are kept.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context, Result};

use super::list::Mutant;
use crate::{driver, process, target::Target, workspace};

/// Their names: one for each of two processors.
const NAMES: [&str; 2] = ["mutants", "mutants-2"];

/// A mutant, built.
pub struct Broken {
    /// The image. It stays until the next one is built in the same copy.
    pub image: PathBuf,
    /// The one for ARM64, where hosts are to see it.
    pub arm64: Option<PathBuf>,
}

/// One copy.
pub struct Tree {
    root: PathBuf,
    target: Target,
}

/// Makes each copy what the repository is, and ready to build the driver.
pub fn lay_out_all(target: Target) -> Result<Vec<Tree>> {
    NAMES.iter().map(|name| Tree::lay_out(target, name)).collect()
}

/// Does all of `work`: each copy takes the next piece as soon as it is done with one, so that what builds in one overlaps with what
/// runs in another. Ends early when `act` fails.
pub fn share_out<W: Sync>(trees: &[Tree], work: &[W], act: impl Fn(&Tree, &W) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let take = |tree: &Tree| -> Result<()> {
        while let Some(piece) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            act(tree, piece)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = trees.iter().map(|tree| scope.spawn(|| take(tree))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("working in a copy does not panic"))
    })
}

impl Tree {
    fn lay_out(target: Target, name: &str) -> Result<Self> {
        let tree = Self { root: workspace::target_folder().join(name), target };
        tree.copy_folder(Path::new(""))?;
        tree.copy_build()?;
        Ok(tree)
    }

    /// The copy's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Copies a folder of the repository, without what is built and without git's own files.
    fn copy_folder(&self, folder: &Path) -> Result<()> {
        let listing = fs::read_dir(workspace::root().join(folder));
        for entry in listing.with_context(|| format!("list {}", folder.display()))? {
            let entry = entry.with_context(|| format!("list {}", folder.display()))?;
            let (name, path) = (entry.file_name(), folder.join(entry.file_name()));
            if name == "target" || name == ".git" {
                continue;
            }
            if entry.file_type().with_context(|| format!("look at {}", path.display()))?.is_dir() {
                self.copy_folder(&path)?;
            } else {
                self.copy(&path)?;
            }
        }
        Ok(())
    }

    /// Copies what the driver's own build has built, so that its dependencies are not built once more.
    fn copy_build(&self) -> Result<()> {
        let built = self.root.join("target/driver");
        if built.exists() {
            return Ok(());
        }
        driver::build(self.target)?;
        let half_done = self.root.join("target/driver.part");
        fs::create_dir_all(&half_done).with_context(|| format!("create {}", half_done.display()))?;
        let mut copy = Command::new("cp");
        copy.args(["-a", "--no-target-directory"]).arg(workspace::target_folder().join("driver")).arg(&half_done);
        process::run_quietly(&mut copy, "the driver's build could not be copied")?;
        fs::rename(&half_done, &built).with_context(|| format!("rename {}", half_done.display()))
    }

    /// Builds a mutant, and leaves the tree as it was.
    pub fn build_broken(&self, mutant: &Mutant) -> Result<Broken> {
        let broken = self.apply(mutant).and_then(|()| {
            let image = self.build(self.target, "broken")?;
            let arm64 = mutant.on_hosts.then(|| self.build(Target::Arm64, "broken-arm64")).transpose()?;
            Ok(Broken { image, arm64 })
        });
        self.restore(mutant)?;
        broken
    }

    /// Builds what is in the copy now. Returns an image of its own, in a folder of this name.
    pub fn build(&self, target: Target, name: &str) -> Result<PathBuf> {
        let image = driver::build_in(&self.root, target)?;
        let folder = self.root.join("target/images").join(name);
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        for file in [&image, &image.with_extension("pdb")] {
            let copy = folder.join(file.file_name().context("an image has a name")?);
            fs::copy(file, &copy).with_context(|| format!("copy {} to {}", file.display(), copy.display()))?;
        }
        Ok(folder.join("flowtag.sys"))
    }

    /// Makes a file of the copy what it is in the repository, if it differs: cargo builds again what has been written.
    pub fn copy(&self, file: &Path) -> Result<()> {
        let source = workspace::root().join(file);
        let content = fs::read(&source).with_context(|| format!("read {}", file.display()))?;
        self.write(file, &content)
    }

    /// Writes a file of the copy.
    pub fn write(&self, file: &Path, content: &[u8]) -> Result<()> {
        let path = self.root.join(file);
        if fs::read(&path).is_ok_and(|present| present == content) {
            return Ok(());
        }
        let folder = path.parent().context("a file without a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))
    }

    fn apply(&self, mutant: &Mutant) -> Result<()> {
        for edit in &mutant.edit {
            let text = fs::read_to_string(self.root.join(&edit.file)).with_context(|| format!("read {}", edit.file))?;
            self.write(Path::new(&edit.file), edit.apply(&text)?.as_bytes())?;
        }
        Ok(())
    }

    fn restore(&self, mutant: &Mutant) -> Result<()> {
        let files: BTreeSet<_> = mutant.edit.iter().map(|edit| edit.file.as_str()).collect();
        files.into_iter().try_for_each(|file| self.copy(Path::new(file)))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Mutex,
        time::{Duration, Instant},
    };

    use anyhow::{bail, ensure};

    use super::*;

    fn trees() -> Vec<Tree> {
        NAMES.iter().map(|name| Tree { root: name.into(), target: Target::X64 }).collect()
    }

    #[test]
    fn each_piece_of_work_is_done_once() {
        let work: Vec<u32> = (0..100).collect();
        let done = Mutex::new(Vec::new());
        share_out(&trees(), &work, |_, piece| {
            done.lock().unwrap().push(*piece);
            Ok(())
        })
        .unwrap();
        let mut done = done.into_inner().unwrap();
        done.sort_unstable();
        assert_eq!(done, work);
    }

    #[test]
    fn two_copies_work_at_once() {
        let at_work = AtomicUsize::new(0);
        share_out(&trees(), &[(), ()], |_, ()| {
            at_work.fetch_add(1, Ordering::Relaxed);
            let start = Instant::now();
            while at_work.load(Ordering::Relaxed) < NAMES.len() {
                ensure!(start.elapsed() < Duration::from_secs(20), "the other copy does not work");
                thread::yield_now();
            }
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn work_that_fails_is_the_end() {
        let failed = share_out(&trees(), &[1, 2, 3], |_, piece| if *piece == 2 { bail!("broken") } else { Ok(()) });
        assert_eq!(failed.unwrap_err().to_string(), "broken");
    }
}
