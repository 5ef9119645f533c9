//! What is made of the driver as it is.

use std::sync::LazyLock;

use syn::{
    ImplItemFn, ItemFn, Safety, Signature,
    visit::{self, Visit},
};

use super::*;
use crate::floors::is_for_tests;

/// What our own generator makes, once for all tests.
static OURS: LazyLock<Everything> =
    LazyLock::new(|| made(&Request { sample: None, seed: 0, quick: true, part: "" }).unwrap());

/// The unsafe functions of a file that are there in the image.
#[derive(Default)]
struct UnsafeFunctions(Vec<String>);

impl UnsafeFunctions {
    fn note(&mut self, signature: &Signature) {
        if matches!(signature.safety, Safety::Unsafe(_)) {
            self.0.push(signature.ident.to_string());
        }
    }
}

impl<'ast> Visit<'ast> for UnsafeFunctions {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.note(&function.sig);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.note(&function.sig);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }
}

#[test]
fn every_file_of_the_driver_is_broken() {
    let Everything { texts, mutations } = &*OURS;
    // These have no function and no constant.
    for file in texts.keys().filter(|file| !["src/wfp/mod.rs", "src/details.rs"].contains(&file.as_str())) {
        assert!(mutations.iter().any(|mutation| mutation.file == *file), "nothing is made of {file}");
    }
}

#[test]
fn every_unsafe_function_of_the_driver_is_broken() {
    let Everything { texts, mutations } = &*OURS;
    let mut count = 0;
    for (file, text) in texts {
        let mut functions = UnsafeFunctions::default();
        functions.visit_file(&syn::parse_file(text).unwrap());
        for function in functions.0 {
            let in_it = |mutation: &&Mutation| {
                mutation.file == *file && mutation.function.split("::").any(|name| name == function)
            };
            assert!(mutations.iter().any(|mutation| in_it(&mutation)), "nothing is made of {function} in {file}");
            count += 1;
        }
    }
    assert!(count >= 10, "only {count} unsafe functions");
}

#[test]
fn no_two_mutations_have_the_same_name() {
    let Everything { mutations, .. } = &*OURS;
    let names: HashSet<_> = mutations.iter().map(Mutation::name).collect();
    assert_eq!(names.len(), mutations.len());
}

#[test]
fn every_mutation_changes_its_file() {
    let Everything { texts, mutations } = &*OURS;
    for mutation in mutations {
        let text = &texts[&mutation.file];
        assert!(mutation.apply(text) != *text, "{}", mutation.name());
    }
}

#[test]
fn the_rows_for_equivalent_ones_of_ours_are_right() {
    let names = OURS.mutations.iter().map(Mutation::name).collect();
    assert_eq!(Equivalents::read().unwrap().complaints(&names, false), Vec::<String>::new());
}
