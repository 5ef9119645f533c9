//! The names of the driver's source that have siblings: variants of one enum, fields and constants of one type.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use quote::ToTokens;
use syn::{
    Expr, Fields, ImplItem, Item, Type, UseTree,
    visit::{self, Visit},
};

use crate::floors::{attributes, is_for_tests};

/// All of them.
#[derive(Default)]
pub struct Names {
    /// By enum: the variants, each with how many values it carries.
    variants: BTreeMap<String, Vec<(String, usize)>>,
    fields: Vec<Typed>,
    constants: Vec<Typed>,
    /// By file: the statuses that it brings in.
    statuses: BTreeMap<String, Vec<String>>,
}

/// A field or a constant.
struct Typed {
    file: String,
    /// The struct, or the modules and types around.
    owner: Vec<String>,
    name: String,
    of_type: String,
}

impl Names {
    /// Reads files, given by name and text.
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut names = Self::default();
        for (file, text) in files {
            let parsed = syn::parse_file(text).with_context(|| format!("{file} is not Rust"))?;
            let mut reader = Reader { file, owner: Vec::new(), names: &mut names };
            reader.visit_file(&parsed);
        }
        Ok(names)
    }

    /// The next variant of the enum that carries as much.
    pub fn variant(&self, of: &str, name: &str) -> Option<String> {
        let variants = self.variants.get(of)?;
        let carried = variants.iter().find(|(variant, _)| variant == name)?.1;
        next(variants.iter().filter(|(_, carries)| *carries == carried).map(|(variant, _)| variant.as_str()), name)
    }

    /// The next status that the file brings in; if it brings in one only, another.
    pub fn status(&self, file: &str, name: &str) -> Option<String> {
        let statuses = self.statuses.get(file)?;
        let other = if name == "STATUS_SUCCESS" { "STATUS_UNSUCCESSFUL" } else { "STATUS_SUCCESS" };
        next(statuses.iter().map(String::as_str), name).or_else(|| Some(format!("wdk_sys::{other}")))
    }

    /// A field of the same type, of the same struct; in this file first.
    pub fn field(&self, file: &str, name: &str) -> Option<String> {
        let found = self.fields.iter().filter(|field| field.name == name);
        let (here, there): (Vec<_>, Vec<_>) = found.partition(|field| field.file == file);
        // Where a struct of this file has it, it is taken to be that one's.
        let of = if here.is_empty() { there } else { here };
        of.into_iter().find_map(|field| next(self.beside(&self.fields, field), name))
    }

    /// A constant of the same type that stands beside this one, and whose name begins as much like it as can be.
    pub fn constant(&self, file: &str, owner: Option<&str>, name: &str) -> Option<String> {
        let found = self.constants.iter().filter(|constant| {
            constant.name == name && owner.is_none_or(|owner| owner == "Self" || constant.is_owned_by(owner))
        });
        let (here, there): (Vec<_>, Vec<_>) = found.partition(|constant| constant.file == file);
        let constant = here.into_iter().chain(there).next()?;
        let beside: Vec<_> = self.beside(&self.constants, constant).collect();
        let shared = |other: &str| {
            let words = name.split('_').zip(other.split('_'));
            words.take_while(|(one, other)| one == other).count()
        };
        let most = beside.iter().filter(|other| **other != name).map(|other| shared(other)).max()?;
        // Two of one type that share no word are different things, unless each is a word by itself.
        if most == 0 && name.contains('_') {
            return None;
        }
        let alike = beside.iter().filter(|other| **other == name || shared(other) == most);
        let sibling = next(alike.copied(), name)?;
        // What is brought in by its own name alone may not be so for its sibling.
        let brought_in = owner.is_none() && constant.file != file;
        Some(if brought_in { format!("{}::{sibling}", constant.module()) } else { sibling })
    }

    #[expect(clippy::unused_self, reason = "it is about the names")]
    fn beside<'n>(&self, all: &'n [Typed], one: &Typed) -> impl Iterator<Item = &'n str> {
        let same = |other: &&Typed| other.file == one.file && other.owner == one.owner && other.of_type == one.of_type;
        all.iter().filter(same).map(|other| other.name.as_str()).collect::<Vec<_>>().into_iter()
    }
}

impl Typed {
    fn is_owned_by(&self, owner: &str) -> bool {
        let stem = self.file.rsplit('/').next().and_then(|name| name.strip_suffix(".rs"));
        self.owner.last().map_or(stem == Some(owner), |last| last == owner)
    }

    /// The path of the module that it stands in.
    fn module(&self) -> String {
        let path = self.file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        let parts = path.split('/').map(str::to_owned).chain(self.owner.iter().cloned());
        ["crate".to_owned()].into_iter().chain(parts).collect::<Vec<_>>().join("::")
    }
}

/// The one that follows `name`, and the first after the last.
fn next<'n>(names: impl Iterator<Item = &'n str>, name: &str) -> Option<String> {
    let names: Vec<_> = names.collect();
    let at = names.iter().position(|other| *other == name)?;
    let next = names[(at + 1) % names.len()];
    (next != name).then(|| next.to_owned())
}

/// The last word of a type's path.
pub fn type_name(r#type: &Type) -> String {
    match r#type {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default(),
        other => other.to_token_stream().to_string(),
    }
}

/// Walks through a file and collects names.
struct Reader<'a> {
    file: &'a str,
    owner: Vec<String>,
    names: &'a mut Names,
}

impl Reader<'_> {
    fn constant(&mut self, name: &syn::Ident, r#type: &Type, value: &Expr) {
        // A closure or a block is no sibling of a number.
        if name != "_" && !matches!(value, Expr::Block(_)) {
            self.typed(name, r#type, |names| &mut names.constants);
        }
    }

    fn typed(&mut self, name: &syn::Ident, r#type: &Type, list: impl FnOnce(&mut Names) -> &mut Vec<Typed>) {
        let (file, owner) = (self.file.to_owned(), self.owner.clone());
        let of_type = r#type.to_token_stream().to_string();
        list(self.names).push(Typed { file, owner, name: name.to_string(), of_type });
    }

    fn within(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        self.owner.push(name);
        visit(self);
        self.owner.pop();
    }

    fn brought_in(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => self.brought_in(&path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.brought_in(tree)),
            UseTree::Name(name) if name.ident.to_string().starts_with("STATUS_") => {
                self.names.statuses.entry(self.file.to_owned()).or_default().push(name.ident.to_string());
            }
            _ => {}
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        match item {
            Item::Const(item) => self.constant(&item.ident, &item.ty, &item.expr),
            Item::Enum(item) => {
                let variants = item.variants.iter().map(|variant| (variant.ident.to_string(), variant.fields.len()));
                self.names.variants.insert(item.ident.to_string(), variants.collect());
            }
            Item::Struct(item) => {
                let Fields::Named(fields) = &item.fields else { return };
                self.within(item.ident.to_string(), |reader| {
                    for field in &fields.named {
                        if let Some(name) = &field.ident {
                            reader.typed(name, &field.ty, |names| &mut names.fields);
                        }
                    }
                });
            }
            Item::Mod(module) => {
                self.within(module.ident.to_string(), |reader| visit::visit_item_mod(reader, module));
            }
            Item::Impl(block) => self.within(type_name(&block.self_ty), |reader| {
                for item in &block.items {
                    if let ImplItem::Const(item) = item {
                        reader.constant(&item.ident, &item.ty, &item.expr);
                    }
                }
            }),
            Item::Use(item) => self.brought_in(&item.tree),
            _ => {}
        }
    }
}
