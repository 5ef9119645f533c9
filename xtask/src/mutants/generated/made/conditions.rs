//! Conditions that ask for the contrary.

use syn::{BinOp, Expr, ExprBinary, spanned::Spanned};

use super::{super::mutation::Kind, Finder};

/// Negates a condition; of one with `let` in it, each of the others that are joined by `&&`.
pub fn negated(finder: &mut Finder, condition: &Expr) {
    let mut parts = Vec::new();
    joined(condition, &mut parts);
    let whole = !parts.iter().any(|part| matches!(part, Expr::Let(_)));
    let parts = if whole { vec![condition] } else { parts };
    for part in parts.into_iter().filter(|part| !matches!(part, Expr::Let(_))) {
        let range = part.span().byte_range();
        let by = match part {
            Expr::Unary(negation) if matches!(negation.op, syn::UnOp::Not(_)) => {
                finder.source(&negation.expr.span().byte_range()).to_owned()
            }
            _ => format!("!({})", finder.source(&range)),
        };
        let what = format!("`{}` negated", super::short(finder.source(&range)));
        finder.note(Kind::Negated, range, by, what);
    }
}

fn joined<'e>(condition: &'e Expr, parts: &mut Vec<&'e Expr>) {
    if let Expr::Binary(ExprBinary { left, op: BinOp::And(_), right, .. }) = condition {
        joined(left, parts);
        joined(right, parts);
    } else {
        parts.push(condition);
    }
}
