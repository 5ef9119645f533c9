//! Who imports whom in our crates: nothing upwards, and nothing in a circle.
//!
//! The files of one folder may need each other; folders may not. A crate with a `floors.toml` says itself which of its modules
//! stand above which.

mod circles;
mod imports;
mod modules;
mod rows;
#[cfg(test)]
mod tests;
mod written;

use std::path::Path;

use anyhow::{Result, ensure};
use rayon::prelude::*;

pub use self::written::{attributes, is_for_tests};
use self::{
    circles::Arrow,
    imports::Import,
    modules::{Crate, Module},
};
use crate::workspace;

/// The root files of the crates that are held to it.
const CRATES: [&str; 15] = [
    "bench/fixtures/src/lib.rs",
    "bench/src/main.rs",
    "fuzz/src/lib.rs",
    "simulator/src/lib.rs",
    "src/lib.rs",
    "tests/hosts/src/main.rs",
    "tests/interleavings/src/main.rs",
    "tests/on_host/src/lib.rs",
    "tests/scenarios/main.rs",
    "tests/src/lib.rs",
    "tests/verify/main.rs",
    "tests/windows/main.rs",
    "tests/wine/src/lib.rs",
    "tool/src/lib.rs",
    "xtask/src/main.rs",
];

/// How circles and imports that run upwards are mended.
const HOOK: &str = "let the lower offer a hook and the higher fill it; see docs/architecture.md, Floors and Imports";

/// Fails when an import runs upwards or in a circle, and says which.
pub fn check() -> Result<()> {
    let root = workspace::root();
    let found = CRATES.par_iter().map(|file| Found::in_crate(root, Path::new(file)));
    let found: Vec<_> = found.collect::<Result<_>>()?;
    let complaints: Vec<_> = found.iter().map(|found| found.complaints(root)).collect::<Result<_>>()?;
    let complaints = complaints.concat();
    ensure!(complaints.is_empty(), "imports run upwards or in circles:\n{}", complaints.join("\n"));
    let count: usize = found.iter().map(|found| found.imports.len()).sum();
    eprintln!("{count} imports between the files of {} crates: none runs upwards or in a circle", CRATES.len());
    Ok(())
}

/// A crate and its imports.
struct Found {
    source: Crate,
    imports: Vec<Import>,
}

impl Found {
    /// What the crate with this root file, below the repository's folder `root`, has.
    fn in_crate(root: &Path, file: &Path) -> Result<Self> {
        let source = Crate::read(root, file)?;
        Ok(Self { imports: imports::between_files(&source), source })
    }

    /// All that is wrong.
    fn complaints(&self, root: &Path) -> Result<Vec<String>> {
        let mut complaints = rows::complaints(self, root)?;
        let circles: Vec<_> = self.circles().iter().map(|circle| self.said_of_all(circle)).collect();
        if !circles.is_empty() {
            let circles = circles.join("\n\n");
            complaints
                .push(format!("imports in a circle: move what they share below them all, or {HOOK}\n\n{circles}"));
        }
        Ok(complaints)
    }

    /// The circles of files in different folders, and those of a folder and what stands beside it, where what is below either
    /// counts as it.
    fn circles(&self) -> Vec<Vec<usize>> {
        let modules = &self.source.modules;
        let files = self.arrows(|import| Some((modules[import.from].file, modules[import.to].file)));
        let between_folders = |arrow: &Arrow| {
            let Import { from, to, .. } = self.imports[arrow.import];
            self.source.folder_of(from) != self.source.folder_of(to)
        };
        let beside = self.arrows(|import| self.side_by_side(import));
        let has_folder = |arrow: &Arrow| [arrow.from, arrow.to].iter().any(|&module| self.source.is_folder(module));
        let found = [circles::shortest(&files, between_folders), circles::shortest(&beside, has_folder)].concat();
        circles::apart(found)
    }

    /// An arrow for each import that `ends` gives two ends.
    fn arrows(&self, ends: impl Fn(&Import) -> Option<(usize, usize)>) -> Vec<Arrow> {
        let arrow = |(import, of)| ends(of).map(|(from, to)| Arrow { from, to, import });
        self.imports.iter().enumerate().filter_map(arrow).collect()
    }

    /// The modules of one parent that an import runs between, with all that is below them; nothing where the parent itself
    /// is at one end.
    fn side_by_side(&self, import: &Import) -> Option<(usize, usize)> {
        let [from, to] = [import.from, import.to].map(|module| self.source.way_to(module));
        from.into_iter().zip(to).find(|(from, to)| from != to)
    }

    /// The imports of a circle, a line each.
    fn said_of_all(&self, circle: &[usize]) -> String {
        let lines: Vec<_> = circle.iter().map(|&import| self.said(&self.imports[import])).collect();
        lines.join("\n")
    }

    /// An import, with both its ends.
    fn said(&self, Import { from, to, line, path }: &Import) -> String {
        let file = |module: usize| {
            let Module { file, .. } = self.source.modules[module];
            self.source.files[file].display()
        };
        format!("{}:{line} imports {path} ({})", file(*from), file(*to))
    }
}
