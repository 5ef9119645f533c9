//! A crate's modules, as its files declare them. What only tests have is left out.

use std::{
    collections::HashSet,
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use syn::{Item, ItemMod, ItemUse};

use super::written::{self, Binding, Written};

/// A crate. Its first module is the root.
pub struct Crate {
    /// The files that have its modules, below the repository's folder.
    pub files: Vec<PathBuf>,
    /// Every module, each behind its parent.
    pub modules: Vec<Module>,
}

/// A module: a file, or a block within one.
pub struct Module {
    /// Its name; `crate` for the root.
    pub name: String,
    /// The module that declares it.
    pub parent: Option<usize>,
    /// Which file it is in.
    pub file: usize,
    /// Where its parent declares it.
    pub line: usize,
    /// The modules that it declares.
    pub children: Vec<usize>,
    /// The names that it defines.
    pub items: HashSet<String>,
    /// The names that its `use` items bring in.
    pub bindings: Vec<Binding>,
    /// The paths that stand elsewhere in it.
    pub paths: Vec<Written>,
}

/// Where the modules that a module declares are looked for.
struct Folders {
    /// Where its file is.
    own: PathBuf,
    /// Where files with the names of its children are.
    children: PathBuf,
}

impl Crate {
    /// Reads the crate with this root file, below the repository's folder `root`.
    pub fn read(root: &Path, file: &Path) -> Result<Self> {
        let mut found = Self { files: Vec::new(), modules: Vec::new() };
        let children = file.parent().map(Path::to_owned).unwrap_or_default();
        found.read_file(root, file.to_owned(), children, "crate", None)?;
        Ok(found)
    }

    /// The modules between the root and `module`, which is the last; none for the root.
    pub fn way_to(&self, module: usize) -> Vec<usize> {
        let mut way: Vec<_> = std::iter::successors(Some(module), |&module| self.modules[module].parent).collect();
        way.pop();
        way.reverse();
        way
    }

    /// Whether a module is a folder: modules below it have files of their own.
    pub fn is_folder(&self, module: usize) -> bool {
        let Module { file, children, .. } = &self.modules[module];
        children.iter().any(|&child| self.modules[child].file != *file || self.is_folder(child))
    }

    /// The module whose folder a module's file belongs to.
    pub fn folder_of(&self, module: usize) -> usize {
        let in_its_file = |&above: &usize| self.modules[above].file == self.modules[module].file;
        let above = std::iter::successors(Some(module), |&module| self.modules[module].parent);
        let file = above.take_while(in_its_file).last().unwrap_or(module);
        match self.modules[file].parent {
            Some(parent) if !self.is_folder(file) => self.folder_of(parent),
            _ => file,
        }
    }

    fn read_file(
        &mut self,
        root: &Path,
        file: PathBuf,
        children: PathBuf,
        name: &str,
        declared: Option<(usize, usize)>,
    ) -> Result<()> {
        let text = fs::read_to_string(root.join(&file)).with_context(|| format!("read {}", file.display()))?;
        let syntax = syn::parse_file(&text)
            .map_err(|error| anyhow!("{}:{}: {error}", file.display(), error.span().start().line))?;
        if written::is_for_tests(&syntax.attrs) {
            return Ok(());
        }
        let folders = Folders { own: file.parent().map(Path::to_owned).unwrap_or_default(), children };
        self.files.push(file);
        let module = self.add(name, self.files.len() - 1, declared);
        self.read_items(root, module, &folders, &syntax.items)
    }

    fn add(&mut self, name: &str, file: usize, declared: Option<(usize, usize)>) -> usize {
        let module = self.modules.len();
        let (parent, line) = declared.unzip();
        if let Some(parent) = parent {
            self.modules[parent].children.push(module);
        }
        self.modules.push(Module {
            name: name.to_owned(),
            parent,
            file,
            line: line.unwrap_or_default(),
            children: Vec::new(),
            items: HashSet::new(),
            bindings: Vec::new(),
            paths: Vec::new(),
        });
        module
    }

    fn read_items(&mut self, root: &Path, module: usize, folders: &Folders, items: &[Item]) -> Result<()> {
        for item in items {
            if written::is_for_tests(written::attributes(item)) {
                continue;
            }
            match item {
                Item::Mod(item) => self.read_child(root, module, folders, item)?,
                Item::Use(ItemUse { leading_colon: None, tree, .. }) => {
                    self.modules[module].bindings.extend(written::bindings(tree, false));
                }
                item => {
                    let Module { items, paths, bindings, .. } = &mut self.modules[module];
                    items.extend(written::names(item));
                    written::read(item, paths, bindings);
                }
            }
        }
        Ok(())
    }

    fn read_child(&mut self, root: &Path, parent: usize, folders: &Folders, item: &ItemMod) -> Result<()> {
        let name = item.ident.to_string();
        let line = item.ident.span().start().line;
        let below = folders.children.join(&name);
        if let Some((_, items)) = &item.content {
            let child = self.add(&name, self.modules[parent].file, Some((parent, line)));
            return self.read_items(root, child, &Folders { own: folders.own.clone(), children: below }, items);
        }
        let declared = Some((parent, line));
        if let Some(path) = written::path_attribute(&item.attrs) {
            let file = without_detours(&folders.own.join(path));
            let children = file.parent().map(Path::to_owned).unwrap_or_default();
            return self.read_file(root, file, children, &name, declared);
        }
        for file in [below.with_extension("rs"), below.join("mod.rs")] {
            if root.join(&file).is_file() {
                return self.read_file(root, file, below, &name, declared);
            }
        }
        let file = self.files[self.modules[parent].file].display();
        bail!("{file}:{line} declares the module {name}, but neither {0}.rs nor {0}/mod.rs is there", below.display())
    }
}

/// The path without `..`, where a folder's name stands before it.
fn without_detours(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part != Component::ParentDir || !plain.pop() {
            plain.push(part);
        }
    }
    plain
}
