//! One value, name or operation for its sibling.

use syn::{ExprField, ExprMatch, ExprMethodCall, Ident, Lit, Member, Pat, Path, spanned::Spanned};

use super::{super::mutation::Kind, Finder};

/// Methods, and what is put for them.
const METHODS: &[(&str, &str)] = &[
    ("wrapping_add", "wrapping_sub"),
    ("wrapping_sub", "wrapping_add"),
    ("wrapping_mul", "wrapping_add"),
    ("saturating_sub", "wrapping_sub"),
    ("saturating_add", "wrapping_add"),
    ("min", "max"),
    ("max", "min"),
    ("fetch_add", "fetch_sub"),
    ("fetch_sub", "fetch_add"),
    ("is_some_and", "is_none_or"),
    ("to_be_bytes", "to_le_bytes"),
    ("to_le_bytes", "to_be_bytes"),
];

/// Orders of memory, and those that promise less.
const ORDERINGS: &[(&str, &[&str])] = &[
    ("Acquire", &["Relaxed"]),
    ("Release", &["Relaxed"]),
    ("AcqRel", &["Acquire", "Release"]),
    ("SeqCst", &["AcqRel"]),
];

/// Names of Windows, and one of the same kind: those whose kind has no more than one name in the file.
const OF_WINDOWS: &[(&str, &str)] = &[
    ("APC_LEVEL", "wdk_sys::DISPATCH_LEVEL"),
    ("DISPATCH_LEVEL", "wdk_sys::APC_LEVEL"),
    ("DPFLTR_ERROR_LEVEL", "wdk_sys::DPFLTR_INFO_LEVEL"),
    ("DPFLTR_INFO_LEVEL", "wdk_sys::DPFLTR_ERROR_LEVEL"),
    ("FILE_DEVICE_NETWORK", "wdk_sys::FILE_DEVICE_UNKNOWN"),
    ("KEY_READ", "wdk_sys::KEY_WRITE"),
    ("POOL_FLAG_NON_PAGED", "wdk_sys::POOL_FLAG_PAGED"),
];

/// A method for its sibling.
pub fn method(finder: &mut Finder, call: &ExprMethodCall) {
    for (_, other) in METHODS.iter().filter(|(name, _)| call.method == name) {
        finder.replace(Kind::Operation, call.method.span().byte_range(), other);
    }
}

/// A constant, variant or order for its sibling.
pub fn path(finder: &mut Finder, path: &Path) {
    let Some(last) = path.segments.last() else { return };
    let (name, range) = (last.ident.to_string(), last.ident.span().byte_range());
    let owner = path.segments.iter().nth_back(1).map(|segment| segment.ident.to_string());
    if owner.as_deref() == Some("Ordering") {
        let weaker = ORDERINGS.iter().filter(|(order, _)| *order == name).flat_map(|(_, weaker)| *weaker);
        weaker.for_each(|weaker| finder.replace(Kind::Ordering, range.clone(), weaker));
        return;
    }
    // `Self` is whatever type is around.
    let mut enums = owner
        .iter()
        .filter(|owner| *owner != "Self")
        .chain(finder.scope.iter().filter(|_| owner.as_deref() == Some("Self")));
    if let Some(sibling) = enums.find_map(|owner| finder.names.variant(owner, &name)) {
        finder.replace(Kind::Sibling, range, &sibling);
    } else if is_constant(&name)
        && let Some(sibling) = sibling(finder, owner.as_deref(), &name)
    {
        finder.replace(Kind::Sibling, range, &sibling);
    }
}

/// The same for a constant that stands as a pattern.
pub fn constant_in_pattern(finder: &mut Finder, ident: &Ident) {
    let name = ident.to_string();
    if is_constant(&name)
        && let Some(sibling) = sibling(finder, None, &name)
    {
        finder.replace(Kind::Sibling, ident.span().byte_range(), &sibling);
    }
}

fn sibling(finder: &Finder, owner: Option<&str>, name: &str) -> Option<String> {
    if name.starts_with("STATUS_") && owner.is_none() {
        return finder.names.status(finder.file, name);
    }
    let of_windows = OF_WINDOWS.iter().find(|(one, _)| *one == name).map(|(_, other)| (*other).to_owned());
    of_windows.or_else(|| finder.names.constant(finder.file, owner, name))
}

fn is_constant(name: &str) -> bool {
    name.len() > 1 && name.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
}

/// A field for one of the same type.
pub fn field(finder: &mut Finder, field: &ExprField) {
    if let Member::Named(name) = &field.member
        && let Some(sibling) = finder.names.field(finder.file, &name.to_string())
    {
        finder.replace(Kind::Sibling, name.span().byte_range(), &sibling);
    }
}

/// A flag the other way; zero for one, one for zero, and twice any other number.
pub fn literal(finder: &mut Finder, literal: &Lit) {
    let range = literal.span().byte_range();
    match literal {
        Lit::Bool(flag) => finder.replace(Kind::Number, range, if flag.value { "false" } else { "true" }),
        Lit::Int(number) => {
            let Ok(value) = number.base10_parse::<u128>() else { return };
            let other = match value {
                0 => 1,
                1 => 0,
                value => value.wrapping_mul(2),
            };
            finder.replace(Kind::Number, range, &format!("{other}{}", number.suffix()));
        }
        _ => {}
    }
}

/// Two neighbouring arms, each for a variant, with the variants traded.
pub fn arms_traded(finder: &mut Finder, expression: &ExprMatch) {
    for pair in expression.arms.windows(2) {
        let [one, other] = pair else { continue };
        if !is_plain(&one.pat) || !is_plain(&other.pat) {
            continue;
        }
        let (first, second) = (one.pat.span().byte_range(), other.pat.span().byte_range());
        let between = finder.source(&(first.end..second.start));
        let (first_pattern, second_pattern) = (finder.source(&first), finder.source(&second));
        let by = format!("{second_pattern}{between}{first_pattern}");
        let what = format!("the arms `{first_pattern}` and `{second_pattern}` traded");
        finder.note(Kind::Sibling, first.start..second.end, by, what);
    }
}

/// Whether a pattern only names variants.
fn is_plain(pattern: &Pat) -> bool {
    match pattern {
        Pat::Path(_) => true,
        Pat::Tuple(tuple) => tuple.elems.iter().all(is_plain),
        Pat::Or(or) => or.cases.iter().all(is_plain),
        Pat::Lit(literal) => matches!(literal.lit, Lit::Int(_)),
        _ => false,
    }
}
