//! What is made of small sources, and what is not.

use super::{super::mutation::Kind, *};

/// Enough around what is broken: an enum, a struct, constants.
const AROUND: &str = "\
    enum State { Free, Live, Known(u32) }\n\
    struct Slot { older: u32, newer: u32, state: State }\n\
    const FLAG_A: u32 = X;\n\
    const FLAG_B: u32 = X;\n";

/// The texts that become of one source by mutations of a kind.
fn broken(kind: Kind, source: &str) -> Vec<String> {
    let names = Names::read([("src/a.rs", AROUND), ("src/b.rs", source)]).unwrap();
    let found = mutations("src/b.rs", source, &names).unwrap();
    found.iter().filter(|mutation| mutation.kind == kind).map(|mutation| mutation.apply(source)).collect()
}

/// Whether one of them is this.
fn makes(kind: Kind, source: &str, wanted: &str) -> bool {
    let found = broken(kind, source);
    found.iter().any(|text| text == wanted)
}

#[test]
fn a_statement_with_an_effect_is_deleted() {
    assert!(makes(Kind::Deleted, "fn f() { g(); h(); }", "fn f() {  h(); }"));
    assert!(makes(Kind::Deleted, "fn f() { g(); a = 1; }", "fn f() { g();  }"));
    assert!(makes(Kind::Deleted, "fn f() { g(); a += 1; }", "fn f() { g();  }"));
    assert!(makes(Kind::Deleted, "fn f() { g(); call!(1); }", "fn f() { g();  }"));
}

#[test]
fn what_a_function_without_a_result_ends_with_is_deleted() {
    assert!(makes(Kind::Deleted, "fn f() { g(); h() }", "fn f() { g();  }"));
}

#[test]
fn the_value_of_a_function_is_not_deleted() {
    assert!(broken(Kind::Deleted, "fn f() -> u32 { let a = 1; h(a) }").is_empty());
}

#[test]
fn a_guard_is_deleted() {
    assert!(makes(Kind::Deleted, "fn f() { let _guard = lock(); g(); }", "fn f() {  g(); }"));
}

#[test]
fn an_arm_is_emptied() {
    let source = "fn f() { match a { 1 => g(), _ => {} } }";
    assert!(makes(Kind::Deleted, source, "fn f() { match a { 1 => {}, _ => {} } }"));
}

#[test]
fn unsafe_functions_are_broken_too() {
    let source = "unsafe extern \"C\" fn f() { g(); h(); }";
    assert!(makes(Kind::Deleted, source, "unsafe extern \"C\" fn f() {  h(); }"));
}

#[test]
fn an_unsafe_function_does_nothing() {
    assert!(makes(Kind::Body, "unsafe fn f() -> Option<u8> { g() }", "unsafe fn f() -> Option<u8> { None }"));
}

#[test]
fn a_safe_function_keeps_its_body() {
    assert!(broken(Kind::Body, "fn f() -> Option<u8> { g() }").is_empty());
}

#[test]
fn neighbours_with_effects_are_swapped() {
    assert!(makes(Kind::Swapped, "fn f() { g(); h(); }", "fn f() { h(); g(); }"));
}

#[test]
fn the_last_expression_is_swapped_with_what_stands_before() {
    assert!(makes(Kind::Swapped, "fn f() { g(); h() }", "fn f() { h(); g() }"));
}

#[test]
fn what_takes_a_name_stays_behind_it() {
    assert!(broken(Kind::Swapped, "fn f() { let a = g(); h(a); }").is_empty());
}

#[test]
fn assignments_that_do_not_meet_are_not_swapped() {
    assert!(broken(Kind::Swapped, "fn f() { a = 1; b = 2; }").is_empty());
    assert_eq!(broken(Kind::Swapped, "fn f() { a = 1; b = a; }").len(), 1);
}

#[test]
fn a_value_that_is_put_together_is_not_an_effect() {
    assert!(broken(Kind::Swapped, "fn f() -> R { g(); Ok(()) }").is_empty());
}

#[test]
fn a_variant_is_put_for_one_that_carries_as_much() {
    assert!(makes(Kind::Sibling, "fn f() { g(State::Free) }", "fn f() { g(State::Live) }"));
    assert!(broken(Kind::Sibling, "fn f() { g(State::Known(a)) }").is_empty());
}

#[test]
fn arms_of_variants_are_traded() {
    let source = "fn f() { match s { State::Free => a, State::Live => b } }";
    assert!(makes(Kind::Sibling, source, "fn f() { match s { State::Live => a, State::Free => b } }"));
}

#[test]
fn a_field_is_put_for_one_of_its_type() {
    assert_eq!(broken(Kind::Sibling, "fn f() { s.older }"), ["fn f() { s.newer }"]);
}

#[test]
fn a_field_alone_of_its_type_stays() {
    assert!(broken(Kind::Sibling, "fn f() { s.state }").is_empty());
}

#[test]
fn a_constant_of_another_file_is_named_by_its_path() {
    assert_eq!(broken(Kind::Sibling, "fn f() { FLAG_A }"), ["fn f() { crate::a::FLAG_B }"]);
}

#[test]
fn a_status_is_put_for_another_of_the_file() {
    let source = "use wdk_sys::{STATUS_A, STATUS_B}; fn f() { STATUS_A }";
    assert!(makes(Kind::Sibling, source, "use wdk_sys::{STATUS_A, STATUS_B}; fn f() { STATUS_B }"));
}

#[test]
fn flags_and_numbers_change() {
    assert!(makes(Kind::Number, "fn f() { g(true) }", "fn f() { g(false) }"));
    assert!(makes(Kind::Number, "fn f() { g(0) }", "fn f() { g(1) }"));
    assert!(makes(Kind::Number, "fn f() { g(8) }", "fn f() { g(16) }"));
}

#[test]
fn operations_have_siblings() {
    assert!(makes(Kind::Operation, "fn f() { a.wrapping_add(b) }", "fn f() { a.wrapping_sub(b) }"));
    assert!(makes(Kind::Operation, "fn f() { a.saturating_sub(b) }", "fn f() { a.wrapping_sub(b) }"));
}

#[test]
fn an_order_of_memory_is_weakened_and_never_made_stronger() {
    let source = "fn f() { a.load(Ordering::Acquire); b.load(Ordering::Relaxed); }";
    let wanted = "fn f() { a.load(Ordering::Relaxed); b.load(Ordering::Relaxed); }";
    assert_eq!(broken(Kind::Ordering, source), [wanted]);
}

#[test]
fn a_condition_is_negated() {
    assert!(makes(Kind::Negated, "fn f() { if a == b { g() } }", "fn f() { if !(a == b) { g() } }"));
    assert!(makes(Kind::Negated, "fn f() { while !a { g() } }", "fn f() { while a { g() } }"));
}

#[test]
fn a_condition_beside_a_binding_is_negated_by_itself() {
    let source = "fn f() { if let Some(a) = b && a { g() } }";
    assert_eq!(broken(Kind::Negated, source), ["fn f() { if let Some(a) = b && !(a) { g() } }"]);
}

#[test]
fn the_guard_of_an_arm_is_negated() {
    let source = "fn f() { match a { b if c => 1, _ => 2 } }";
    assert!(makes(Kind::Negated, source, "fn f() { match a { b if !(c) => 1, _ => 2 } }"));
}

#[test]
fn an_early_return_is_dropped() {
    assert!(makes(Kind::Return, "fn f() { if a { g(); return; } h(); }", "fn f() { if a { g();  } h(); }"));
    assert!(makes(Kind::Return, "fn f() { if a { return; } h(); }", "fn f() {  h(); }"));
    assert!(makes(Kind::Return, "fn f() -> R { g()?; h() }", "fn f() -> R { let _ = g(); h() }"));
}

#[test]
fn tests_are_not_broken() {
    assert!(broken(Kind::Deleted, "#[cfg(test)] mod tests { fn f() { g(); h(); } }").is_empty());
}

#[test]
fn what_the_compiler_asserts_is_not_broken() {
    assert!(broken(Kind::Number, "const _: () = assert!(size_of::<A>() == 16); const _: u32 = 8;").is_empty());
}

#[test]
fn guids_are_not_broken() {
    assert!(broken(Kind::Number, "const KEY: GUID = GUID::new(0x1, 2, 3, 4);").is_empty());
}

#[test]
fn the_same_source_gives_the_same_mutations() {
    let source = "fn f() { if a { g(1); } h(State::Free, s.older, FLAG_A); }";
    assert_eq!(broken(Kind::Sibling, source), broken(Kind::Sibling, source));
}
