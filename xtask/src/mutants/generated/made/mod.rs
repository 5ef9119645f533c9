//! Our own generator: mutations of the driver's source, one edit each, unsafe functions included.
//!
//! What can never show is not made:
//! - code that is there in tests only, and asserts of the compiler's (`const _`): the image has neither;
//! - attributes, types, and the bodies of `macro_rules!`;
//! - a stronger `Ordering`: it allows less than the one that stands there;
//! - the parts of a [`GUID::new`](): a key of our own is as good with other digits, and those of Windows are held against its
//!   headers by the facts in `tests/data`;
//! - two plain assignments swapped, or two `let`s: either order leaves the same values;
//! - a variant of an enum in a pattern by itself: what is matched would not be complete, so two neighbours trade places.

mod conditions;
mod names;
mod statements;
mod values;

#[cfg(test)]
mod tests;

use std::ops::Range;

use anyhow::{Context, Result};
use syn::{
    Block, ExprClosure, ExprField, ExprIf, ExprLit, ExprMatch, ExprMethodCall, ExprPath, ExprWhile, ImplItemConst,
    ImplItemFn, Item, ItemConst, ItemFn, ItemImpl, ItemMod, ItemStatic, Pat, PatGuard, PatIdent, ReturnType, Safety,
    Signature, Type,
    spanned::Spanned,
    visit::{self, Visit},
};

pub use self::names::Names;
use super::mutation::{Kind, Mutation};
use crate::floors::{attributes, is_for_tests};

/// The mutations of one file.
pub fn mutations(file: &str, text: &str, names: &Names) -> Result<Vec<Mutation>> {
    let parsed = syn::parse_file(text).with_context(|| format!("{file} is not Rust"))?;
    let mut finder = Finder { file, text, names, scope: Vec::new(), found: Vec::new() };
    finder.visit_file(&parsed);
    Ok(finder.found)
}

/// Walks through a file and notes what can be broken.
struct Finder<'a> {
    file: &'a str,
    text: &'a str,
    names: &'a Names,
    /// The modules, types and functions around.
    scope: Vec<String>,
    found: Vec<Mutation>,
}

impl<'a> Finder<'a> {
    fn source(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    fn note(&mut self, kind: Kind, range: Range<usize>, by: impl Into<String>, what: impl Into<String>) {
        let (file, function) = (self.file.to_owned(), self.scope.join("::"));
        self.found.push(Mutation { file, function, what: what.into(), kind, range, by: by.into() });
    }

    /// A small thing put for another, within a line.
    fn replace(&mut self, kind: Kind, range: Range<usize>, by: &str) {
        let begin = self.text[..range.start].rfind('\n').map_or(0, |end| end + 1);
        let end = self.text[range.start..].find('\n').map_or(self.text.len(), |length| range.start + length);
        let what = format!("`{by}` for `{}` in `{}`", short(self.source(&range)), short(&self.text[begin..end]));
        self.note(kind, range, by, what);
    }

    fn within(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        self.scope.push(name);
        visit(self);
        self.scope.pop();
    }

    /// A function: its body, and what is in it.
    fn function(&mut self, signature: &Signature, body: &Block) {
        let unit = matches!(signature.output, ReturnType::Default);
        self.within(signature.ident.to_string(), |finder| {
            // cargo-mutants does the same for functions that are not unsafe.
            if matches!(signature.safety, Safety::Unsafe(_)) && !body.stmts.is_empty() {
                finder.empty(signature, body);
            }
            finder.body(body, unit);
        });
    }

    /// An unsafe function that does nothing.
    fn empty(&mut self, signature: &Signature, body: &Block) {
        let range = body.span().byte_range();
        for result in statements::nothing(&signature.output) {
            self.note(Kind::Body, range.clone(), format!("{{ {result} }}"), format!("the body replaced by `{result}`"));
        }
    }

    /// A block, whose last expression may be removed if nothing comes of it.
    fn body(&mut self, block: &Block, unit: bool) {
        statements::deleted(self, block, unit);
        statements::swapped(self, block);
        visit::visit_block(self, block);
    }
}

/// Text in one line, and not too long.
fn short(text: &str) -> String {
    const LONGEST: usize = 90;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_type(&mut self, _: &'ast Type) {}

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        self.within(module.ident.to_string(), |finder| visit::visit_item_mod(finder, module));
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        self.within(names::type_name(&item.self_ty), |finder| visit::visit_item_impl(finder, item));
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_item_const(&mut self, item: &'ast ItemConst) {
        if item.ident != "_" {
            self.within(item.ident.to_string(), |finder| finder.visit_expr(&item.expr));
        }
    }

    fn visit_impl_item_const(&mut self, item: &'ast ImplItemConst) {
        self.within(item.ident.to_string(), |finder| finder.visit_expr(&item.expr));
    }

    fn visit_item_static(&mut self, item: &'ast ItemStatic) {
        self.within(item.ident.to_string(), |finder| finder.visit_expr(&item.expr));
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.body(block, false);
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        self.visit_expr(&closure.body);
    }

    fn visit_expr_for_loop(&mut self, each: &'ast syn::ExprForLoop) {
        self.visit_expr(&each.expr);
        self.body(&each.body, true);
    }

    fn visit_expr_loop(&mut self, expression: &'ast syn::ExprLoop) {
        self.body(&expression.body, true);
    }

    fn visit_expr_while(&mut self, expression: &'ast ExprWhile) {
        conditions::negated(self, &expression.cond);
        self.visit_expr(&expression.cond);
        self.body(&expression.body, true);
    }

    fn visit_expr_if(&mut self, expression: &'ast ExprIf) {
        conditions::negated(self, &expression.cond);
        self.visit_expr(&expression.cond);
        self.body(&expression.then_branch, expression.else_branch.is_none());
        if let Some((_, otherwise)) = &expression.else_branch {
            self.visit_expr(otherwise);
        }
    }

    fn visit_expr_match(&mut self, expression: &'ast ExprMatch) {
        values::arms_traded(self, expression);
        visit::visit_expr_match(self, expression);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        values::method(self, call);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if self.source(&call.func.span().byte_range()) != "GUID::new" {
            visit::visit_expr_call(self, call);
        }
    }

    fn visit_expr_field(&mut self, field: &'ast ExprField) {
        values::field(self, field);
        visit::visit_expr_field(self, field);
    }

    fn visit_expr_path(&mut self, expression: &'ast ExprPath) {
        values::path(self, &expression.path);
    }

    fn visit_expr_lit(&mut self, expression: &'ast ExprLit) {
        values::literal(self, &expression.lit);
    }

    fn visit_pat(&mut self, pattern: &'ast Pat) {
        match pattern {
            Pat::Ident(PatIdent { ident, .. }) => values::constant_in_pattern(self, ident),
            Pat::Or(alternatives) => alternatives.cases.iter().for_each(|case| self.visit_pat(case)),
            Pat::Guard(PatGuard { pat, guard, .. }) => {
                self.visit_pat(pat);
                conditions::negated(self, guard);
                self.visit_expr(guard);
            }
            // Another variant would leave the match incomplete.
            _ => {}
        }
    }
}
