//! Which module imports what of which.
//!
//! Two things are not seen: an inherent method, which is called without a path, and a macro that another file has by
//! `#[macro_export]` or by the order of the source.

use std::collections::HashSet;

use super::{
    modules::{Crate, Module},
    written::{Binding, Written},
};

/// An import of something that is defined in another file.
pub struct Import {
    /// The module that imports.
    pub from: usize,
    /// The module that defines it, or is it.
    pub to: usize,
    /// Where it stands in the importing module's file.
    pub line: usize,
    /// As it is written.
    pub path: String,
}

/// What a path leads to.
#[derive(Clone, Copy)]
enum Thing {
    /// A module.
    Module(usize),
    /// Something that a module defines.
    Item(usize),
}

impl Thing {
    fn module(self) -> usize {
        let (Self::Module(module) | Self::Item(module)) = self;
        module
    }
}

/// The imports from one file of a crate to another, once for each module and each that it imports from.
pub fn between_files(of: &Crate) -> Vec<Import> {
    let (mut imports, mut seen) = (Vec::new(), HashSet::new());
    for (from, Module { file, bindings, paths, .. }) in of.modules.iter().enumerate() {
        let bound = bindings.iter().map(|Binding { path, .. }| (path, Search::new(of).follow(from, &path.segments)));
        let written = paths.iter().map(|path| (path, used(of, from, path)));
        for (path, things) in bound.chain(written) {
            for to in things.into_iter().map(Thing::module) {
                if of.modules[to].file != *file && seen.insert((from, to)) {
                    imports.push(Import { from, to, line: path.line, path: path.segments.join("::") });
                }
            }
        }
    }
    imports
}

/// What a path outside of `use` means: nothing that is a module, if there is something else of that name. One name alone is
/// never a module there, but may be a variable.
fn used(of: &Crate, from: usize, path: &Written) -> Vec<Thing> {
    let mut things = Search::new(of).follow(from, &path.segments);
    if path.segments.len() == 1 || things.iter().any(|thing| matches!(thing, Thing::Item(_))) {
        things.retain(|thing| matches!(thing, Thing::Item(_)));
    }
    things
}

/// Follows one path to where it ends.
struct Search<'a> {
    of: &'a Crate,
    /// The `use` items on the way, by module and place: those that lead back to themselves end there.
    on_the_way: Vec<(usize, usize)>,
}

impl<'a> Search<'a> {
    fn new(of: &'a Crate) -> Self {
        Self { of, on_the_way: Vec::new() }
    }

    /// What a path in the module `from` leads to: nothing if it leads out of the crate, and more than one thing where a module
    /// and a function have the same name.
    fn follow(&mut self, from: usize, path: &[String]) -> Vec<Thing> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        let first = match first.as_str() {
            "crate" => vec![Thing::Module(0)],
            "self" | "super" => self.step(Thing::Module(from), first),
            name => self.look_up(from, name, true),
        };
        rest.iter().fold(first, |things, name| things.into_iter().flat_map(|thing| self.step(thing, name)).collect())
    }

    fn step(&mut self, thing: Thing, name: &str) -> Vec<Thing> {
        match (thing, name) {
            // A variant, or an associated item: defined where the type is.
            (Thing::Item(_), _) | (Thing::Module(_), "self") => vec![thing],
            (Thing::Module(module), "super") => self.of.modules[module].parent.map(Thing::Module).into_iter().collect(),
            (Thing::Module(module), name) => self.look_up(module, name, false),
        }
    }

    fn look_up(&mut self, module: usize, name: &str, from_within: bool) -> Vec<Thing> {
        let Module { children, items, bindings, .. } = &self.of.modules[module];
        let children = children.iter().filter(|&&child| self.of.modules[child].name == name);
        let mut found: Vec<_> = children.map(|&child| Thing::Module(child)).collect();
        found.extend(items.contains(name).then_some(Thing::Item(module)));

        let visible = || bindings.iter().enumerate().filter(|(_, binding)| from_within || !binding.local);
        let mut named = visible().filter(|(_, binding)| binding.name.as_deref() == Some(name)).peekable();
        if found.is_empty() && named.peek().is_none() {
            for (index, _) in visible().filter(|(_, binding)| binding.name.is_none()) {
                found.extend(self.through(module, index, |search, thing| match thing {
                    Thing::Module(module) => search.look_up(module, name, false),
                    Thing::Item(_) => Vec::new(),
                }));
            }
        }
        for (index, _) in named {
            found.extend(self.through(module, index, |_, thing| vec![thing]));
        }
        found
    }

    /// What `then` makes of the things that a `use` brings in.
    fn through(&mut self, module: usize, binding: usize, then: impl Fn(&mut Self, Thing) -> Vec<Thing>) -> Vec<Thing> {
        if self.on_the_way.contains(&(module, binding)) {
            return Vec::new();
        }
        self.on_the_way.push((module, binding));
        let things = self.follow(module, &self.of.modules[module].bindings[binding].path.segments);
        let things = things.into_iter().flat_map(|thing| then(self, thing)).collect();
        self.on_the_way.pop();
        things
    }
}
