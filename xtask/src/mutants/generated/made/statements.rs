//! Statements that are missing, or in another order.

use std::{collections::BTreeSet, ops::Range};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Arm, Block, Expr, ExprAssign, Local, Pat, PatIdent, ReturnType, Stmt,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::{super::mutation::Kind, Finder, short};

/// Leaves each statement of a block out that has an effect; what only leaves the function, or a loop, early is a kind of its
/// own.
pub fn deleted(finder: &mut Finder, block: &Block, unit: bool) {
    let alone = block.stmts.len() == 1;
    for (index, statement) in block.stmts.iter().enumerate() {
        let range = statement.span().byte_range();
        let last = index + 1 == block.stmts.len();
        match statement {
            // What stands behind a `?` is still done, only not looked at.
            Stmt::Expr(Expr::Try(tried), Some(_)) => {
                let inner = finder.source(&tried.expr.span().byte_range());
                let what = format!("`{}` does not end early", short(finder.source(&range)));
                finder.note(Kind::Return, range.clone(), format!("let _ = {inner};"), what);
                delete(finder, range, Kind::Deleted);
            }
            // A block that is nothing but this is deleted as a whole, one level up.
            _ if alone && !unit => {}
            Stmt::Expr(expression, semicolon) => {
                let value = semicolon.is_none() && last && !unit && !leaves(expression);
                if !value && let Some(kind) = kind(expression) {
                    delete(finder, range, kind);
                }
                if !value && let Expr::Match(choice) = expression {
                    choice.arms.iter().for_each(|arm| empty(finder, arm));
                }
            }
            Stmt::Macro(_) if !last || unit => delete(finder, range, Kind::Deleted),
            // A guard, whose end is an effect.
            Stmt::Local(Local { pat: Pat::Ident(PatIdent { ident, .. }), .. })
                if ident.to_string().starts_with('_') =>
            {
                delete(finder, range, Kind::Deleted);
            }
            _ => {}
        }
    }
}

fn delete(finder: &mut Finder, range: Range<usize>, kind: Kind) {
    let what = format!("without `{}`", short(finder.source(&range)));
    finder.note(kind, range, "", what);
}

/// What leaving an expression out is, if it has an effect.
fn kind(expression: &Expr) -> Option<Kind> {
    if leaves(expression) {
        return Some(Kind::Return);
    }
    match expression {
        // One that only leaves early is a return that is dropped.
        Expr::If(branch) => match branch.then_branch.stmts.as_slice() {
            [Stmt::Expr(only, _)] if leaves(only) && branch.else_branch.is_none() => Some(Kind::Return),
            _ => Some(Kind::Deleted),
        },
        _ => has_effect(expression).then_some(Kind::Deleted),
    }
}

fn leaves(expression: &Expr) -> bool {
    matches!(expression, Expr::Return(_) | Expr::Break(_) | Expr::Continue(_))
}

/// Whether something changes by this expression: it calls, or assigns.
fn has_effect(expression: &Expr) -> bool {
    struct Effects(bool);
    impl<'ast> Visit<'ast> for Effects {
        fn visit_expr(&mut self, expression: &'ast Expr) {
            self.0 |= match expression {
                Expr::Call(call) => !makes_a_value(&call.func),
                Expr::MethodCall(_) | Expr::Macro(_) | Expr::Assign(_) => true,
                Expr::Binary(binary) => is_assignment(&binary.op),
                _ => false,
            };
            visit::visit_expr(self, expression);
        }
    }
    let mut effects = Effects(false);
    effects.visit_expr(expression);
    effects.0
}

/// Whether what is called only puts a value together, such as `Ok` or `Self`.
fn makes_a_value(function: &Expr) -> bool {
    let Expr::Path(path) = function else { return false };
    let last = path.path.segments.last().map(|last| last.ident.to_string());
    last.is_some_and(|last| last.starts_with(|letter: char| letter.is_uppercase()) && last.contains(char::is_lowercase))
}

fn is_assignment(operator: &syn::BinOp) -> bool {
    operator.to_token_stream().to_string().ends_with('=')
        && !matches!(operator, syn::BinOp::Eq(_) | syn::BinOp::Ne(_) | syn::BinOp::Le(_) | syn::BinOp::Ge(_))
}

/// Swaps neighbours that both have an effect.
pub fn swapped(finder: &mut Finder, block: &Block) {
    for pair in block.stmts.windows(2) {
        let [first, second] = pair else { continue };
        if !may_trade(first, second) {
            continue;
        }
        let [before, after] = [first, second].map(|statement| statement.span().byte_range());
        let between = before.end..after.start;
        let [one, gap, other] = [&before, &between, &after].map(|range| finder.source(range));
        // The block's value has no semicolon; whatever comes first must have one.
        let (head, tail) = match second {
            Stmt::Expr(_, None) if !other.ends_with('}') => (format!("{other};"), one.trim_end_matches(';')),
            _ => (other.to_owned(), one),
        };
        let what = format!("`{}` before `{}`", short(other), short(one));
        finder.note(Kind::Swapped, before.start..after.end, format!("{head}{gap}{tail}"), what);
    }
}

/// Whether two statements both have an effect, and each stands where the other could.
fn may_trade(first: &Stmt, second: &Stmt) -> bool {
    let acts = |statement: &Stmt| match statement {
        Stmt::Expr(expression, _) => !leaves(expression) && has_effect(expression),
        Stmt::Local(local) => local.init.as_ref().is_some_and(|init| has_effect(&init.expr)),
        Stmt::Macro(_) => true,
        Stmt::Item(_) => false,
    };
    let both_let = matches!((first, second), (Stmt::Local(_), Stmt::Local(_)));
    // The second cannot stand before the first names what it takes.
    let needs = |first: &Stmt, second: &Stmt| match first {
        Stmt::Local(local) => {
            let bound = words(local.pat.to_token_stream());
            words(second.to_token_stream()).iter().any(|word| bound.contains(word))
        }
        _ => false,
    };
    acts(first) && acts(second) && !both_let && !needs(first, second) && !are_apart(first, second)
}

/// Whether both are plain assignments and neither reads or writes what the other writes.
fn are_apart(first: &Stmt, second: &Stmt) -> bool {
    let parts = |statement: &Stmt| match statement {
        Stmt::Expr(Expr::Assign(ExprAssign { left, right, .. }), _) if !has_effect(left) && !has_effect(right) => {
            Some((left.to_token_stream().to_string(), right.to_token_stream().to_string()))
        }
        _ => None,
    };
    let (Some((to, from)), Some((other_to, other_from))) = (parts(first), parts(second)) else { return false };
    to != other_to && !other_from.contains(&to) && !from.contains(&other_to)
}

/// Every word in a piece of source.
fn words(tokens: TokenStream) -> BTreeSet<String> {
    let words = tokens.into_iter().flat_map(|token| match token {
        TokenTree::Ident(word) => BTreeSet::from([word.to_string()]),
        TokenTree::Group(group) => words(group.stream()),
        _ => BTreeSet::new(),
    });
    words.collect()
}

/// An arm that does nothing.
fn empty(finder: &mut Finder, arm: &Arm) {
    let empties = match &*arm.body {
        Expr::Call(_) | Expr::MethodCall(_) | Expr::Macro(_) => true,
        Expr::Block(block) => matches!(block.block.stmts.last(), Some(Stmt::Expr(_, Some(_)))),
        _ => false,
    };
    if empties {
        let range = arm.body.span().byte_range();
        let what = format!("`{}` does nothing", short(finder.source(&arm.span().byte_range())));
        finder.note(Kind::Deleted, range, "{}", what);
    }
}

/// What a function of this type returns that does nothing.
pub fn nothing(output: &ReturnType) -> &'static [&'static str] {
    let ReturnType::Type(_, output) = output else { return &["()"] };
    let output = output.to_token_stream().to_string();
    match output.split([' ', '<']).next().unwrap_or_default() {
        "Option" => &["None"],
        "NTSTATUS" => &["0", "1"],
        "bool" => &["true", "false"],
        "Result" => &["Ok(())"],
        _ => &["Default::default()"],
    }
}
