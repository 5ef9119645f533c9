//! A copy of the repository, in which the driver is broken. Below `target/`, where its builds are kept.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::list::Mutant;
use crate::{driver, process, target::Target, workspace};

/// A mutant, built.
pub struct Broken {
    /// The image.
    pub image: PathBuf,
    /// The one for ARM64, where hosts are to see it.
    pub arm64: Option<PathBuf>,
}

/// The copy.
pub struct Tree {
    root: PathBuf,
    target: Target,
}

impl Tree {
    /// Makes the copy what the repository is, and ready to build the driver.
    pub fn lay_out(target: Target, name: &str) -> Result<Self> {
        let tree = Self::of_sources(target, name)?;
        tree.copy_build()?;
        Ok(tree)
    }

    /// The same, for what builds on this machine only.
    pub fn of_sources(target: Target, name: &str) -> Result<Self> {
        let tree = Self { root: workspace::target_folder().join(name), target };
        tree.copy_folder(Path::new(""))?;
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

    /// Builds the driver as it is. Returns an image of its own that stays when the next one is built.
    pub fn build_sound(&self) -> Result<PathBuf> {
        self.build(self.target, "sound")
    }

    /// Builds the `index`th mutant, and leaves the tree as it was.
    pub fn build_broken(&self, mutant: &Mutant, index: usize) -> Result<Broken> {
        let broken = self.apply(mutant).and_then(|()| {
            let image = self.build(self.target, &index.to_string())?;
            let arm64 = mutant.on_hosts.then(|| self.build(Target::Arm64, &format!("{index}-arm64"))).transpose()?;
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
