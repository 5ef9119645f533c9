//! What stands in a module: the names that it defines or brings in, and the paths that it writes.

use proc_macro2::{Spacing, TokenStream, TokenTree};
use syn::{
    Attribute, Expr, ExprLit, Field, ForeignItem, ImplItem, Item, Lit, Local, Meta, Path, TraitItem, UseTree,
    Visibility,
    parse::Parser,
    punctuated::Punctuated,
    visit::{self, Visit},
};

/// A path, as it is written.
#[derive(Clone)]
pub struct Written {
    /// Its parts.
    pub segments: Vec<String>,
    /// The line with the last of them.
    pub line: usize,
}

/// What a `use` brings in.
pub struct Binding {
    /// The name under which it does so; none for `*`, which brings in all that there is.
    pub name: Option<String>,
    /// What it is.
    pub path: Written,
    /// Whether it stands within a function, where no other module sees it.
    pub local: bool,
}

/// Whether the attributes say that something is there in tests only.
pub fn is_for_tests(attributes: &[Attribute]) -> bool {
    let condition = |attribute: &Attribute| attribute.path().is_ident("cfg").then(|| attribute.parse_args::<Meta>());
    attributes.iter().filter_map(condition).any(|condition| condition.is_ok_and(|condition| needs_test(&condition)))
}

fn needs_test(condition: &Meta) -> bool {
    let Meta::List(list) = condition else { return condition.path().is_ident("test") };
    let parts = Punctuated::<Meta, syn::Token![,]>::parse_terminated.parse2(list.tokens.clone());
    let mut parts = parts.into_iter().flatten();
    if list.path.is_ident("all") {
        parts.any(|part| needs_test(&part))
    } else {
        list.path.is_ident("any") && parts.all(|part| needs_test(&part))
    }
}

/// The file that a module's attribute `#[path = "…"]` names.
pub fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// An item's attributes.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The names that an item defines.
pub fn names(item: &Item) -> Vec<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => return item.ident.iter().map(ToString::to_string).collect(),
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::ForeignMod(item) => return item.items.iter().filter_map(foreign_name).collect(),
        _ => return Vec::new(),
    };
    vec![name.to_string()]
}

fn foreign_name(item: &ForeignItem) -> Option<String> {
    match item {
        ForeignItem::Fn(item) => Some(item.sig.ident.to_string()),
        ForeignItem::Static(item) => Some(item.ident.to_string()),
        ForeignItem::Type(item) => Some(item.ident.to_string()),
        _ => None,
    }
}

/// What a `use` brings in.
pub fn bindings(tree: &UseTree, local: bool) -> Vec<Binding> {
    let mut bindings = Vec::new();
    unfold(tree, &[], local, &mut bindings);
    bindings
}

fn unfold(tree: &UseTree, above: &[String], local: bool, bindings: &mut Vec<Binding>) {
    let (ident, name) = match tree {
        UseTree::Path(path) => {
            return unfold(&path.tree, &[above, &[path.ident.to_string()]].concat(), local, bindings);
        }
        UseTree::Group(group) => return group.items.iter().for_each(|tree| unfold(tree, above, local, bindings)),
        UseTree::Glob(glob) => {
            let line = glob.star_token.spans[0].start().line;
            bindings.push(Binding { name: None, path: Written { segments: above.to_vec(), line }, local });
            return;
        }
        UseTree::Name(name) => (&name.ident, None),
        UseTree::Rename(rename) => (&rename.ident, Some(rename.rename.to_string())),
    };
    let mut segments = above.to_vec();
    // `{self}` is what stands before it.
    if ident != "self" || above.is_empty() {
        segments.push(ident.to_string());
    }
    let name = name.or_else(|| segments.last().cloned());
    bindings.push(Binding { name, path: Written { segments, line: ident.span().start().line }, local });
}

/// Adds the paths in an item, and what a `use` in a function's body brings in.
pub fn read(item: &Item, paths: &mut Vec<Written>, bindings: &mut Vec<Binding>) {
    Reader { paths, bindings }.visit_item(item);
}

struct Reader<'a> {
    paths: &'a mut Vec<Written>,
    bindings: &'a mut Vec<Binding>,
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes = match item {
            TraitItem::Const(item) => &item.attrs,
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            TraitItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !is_for_tests(attributes) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if !is_for_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            self.bindings.extend(bindings(&item.tree, true));
        }
    }

    // Neither imports anything.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast Path) {
        if let (None, Some(last)) = (path.leading_colon, path.segments.last()) {
            let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.paths.push(Written { segments, line: last.ident.span().start().line });
        }
        visit::visit_path(self, path);
    }

    // What macros are given and made of: there is no syntax there, only what looks like a path.
    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        paths_in_tokens(tokens.clone(), self.paths);
    }
}

fn paths_in_tokens(tokens: TokenStream, paths: &mut Vec<Written>) {
    let mut path = Written { segments: Vec::new(), line: 0 };
    // How much of `::` stands before the token.
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                // Behind `::` it goes on with the path, or begins one that leads out of the crate.
                if colons != 2 {
                    finish(&mut path, paths);
                }
                if colons != 2 || !path.segments.is_empty() {
                    path.segments.push(ident.to_string());
                    path.line = ident.span().start().line;
                }
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' && colons == 1 => colons = 2,
            TokenTree::Punct(punct) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint => colons = 1,
            other => {
                finish(&mut path, paths);
                colons = 0;
                if let TokenTree::Group(group) = other {
                    paths_in_tokens(group.stream(), paths);
                }
            }
        }
    }
    finish(&mut path, paths);
}

/// Keeps a path. A single name may be anything here, and is no path.
fn finish(path: &mut Written, paths: &mut Vec<Written>) {
    if path.segments.len() > 1 {
        paths.push(path.clone());
    }
    path.segments.clear();
}
