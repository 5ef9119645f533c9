//! The names that the driver takes from wdk-sys, held against those that wdk-sys makes of the real headers.
//!
//! They cannot be had on Linux, and a name that only open-wdk has would stop the build on Windows.

use std::{collections::BTreeSet, fs, path::Path};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde_json::Value;

use crate::headers;

/// What wdk-sys adds to the bindings by other means than the list knows: a module for each family of headers, and what
/// it makes of KMDF's table.
const MODULES: [&str; 1] = ["ntddk"];
const VARIABLES: [&str; 2] = ["WdfDriverGlobals", "WdfFunctions"];

/// What `FxDriverEntry` shares with KMDF's loader. The kit's own library has it; a driver does not see it.
const LOADER: [&str; 5] = ["WdfVersionBind", "WdfVersionUnbind", "WDF_BIND_INFO", "PWDF_BIND_INFO", "WDF_VERSION"];

/// What wdk-sys offers.
struct Names(Value);

impl Names {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/wdk-sys-names.json");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(serde_json::from_str(&text).expect("wdk-sys-names.json is JSON"))
    }

    fn are_in(&self, section: &str, name: &str) -> bool {
        let names = self.0[section].as_str().unwrap_or_else(|| panic!("no section {section}"));
        names.split(' ').any(|known| known == name)
    }

    /// Whether `wdk_sys::name` exists.
    fn have(&self, name: &str) -> bool {
        let sections =
            ["functions", "structs", "type_aliases", "constants", "own_constants", "own_functions", "own_macros"];
        MODULES.contains(&name)
            || VARIABLES.contains(&name)
            || self.0["enum_modules"].get(name).is_some()
            || sections.iter().any(|section| self.are_in(section, name))
    }

    /// Whether `wdk_sys::path` exists; functions may be named through their module.
    fn have_path(&self, path: &[String]) -> bool {
        match path {
            [name] => self.have(name),
            [module, name] if MODULES.contains(&module.as_str()) => self.are_in("functions", name),
            [module, name] => self.have_enumerator(module, name),
            _ => false,
        }
    }

    fn have_enumerator(&self, module: &str, name: &str) -> bool {
        let enumerators = self.0["enum_modules"][module].as_str().unwrap_or_default();
        enumerators.split(' ').any(|known| known == name)
    }
}

#[test]
fn the_driver_takes_only_names_that_wdk_sys_has_on_windows() {
    let names = Names::read();
    let mut paths = BTreeSet::new();
    for tokens in sources() {
        collect_paths(tokens, &mut paths);
    }
    assert!(paths.len() > 50, "the driver takes more than {} names", paths.len());
    let unknown: Vec<_> = paths.iter().filter(|path| !names.have_path(path)).collect();
    assert_eq!(unknown, Vec::<&Vec<String>>::new());
}

#[test]
fn every_function_of_kmdf_that_the_driver_calls_is_in_its_table() {
    let names = Names::read();
    let mut words = BTreeSet::new();
    for tokens in sources() {
        collect_words(tokens, &mut words);
    }
    let indices: Vec<_> = words.iter().filter(|word| word.ends_with("TableIndex")).collect();
    assert!(indices.len() >= 10, "{indices:?}");
    for index in indices {
        assert!(names.have_enumerator("_WDFFUNCENUM", index), "_WDFFUNCENUM has no {index}");
    }
}

#[test]
fn open_wdk_declares_no_function_type_or_constant_that_the_kit_lacks() {
    let names = Names::read();
    let mut checked = 0;
    let mut unknown = Vec::new();
    for declaration in headers::declarations() {
        let Some(name) = declaration["name"].as_str().filter(|_| declaration["isImplicit"] != true) else { continue };
        let known = match declaration["kind"].as_str() {
            Some("FunctionDecl") => names.are_in("functions", name),
            // bindgen makes a module of an enumeration, and names its type as the header's typedef does.
            Some("TypedefDecl") => names.have(name) || names.0["enum_modules"].get(format!("_{name}")).is_some(),
            Some("EnumDecl") => names.0["enum_modules"].get(name).is_some(),
            _ => continue,
        };
        checked += 1;
        if !known && !LOADER.contains(&name) {
            unknown.push(name.to_owned());
        }
    }
    assert!(checked > 100, "only {checked} declarations");
    assert_eq!(unknown, Vec::<String>::new());
    let macros = headers::macros();
    assert!(!macros.is_empty());
    for name in macros {
        assert!(names.have(&name), "the kit has no constant {name}");
    }
}

/// The tokens of each source file of the driver.
fn sources() -> Vec<TokenStream> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../src")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).expect("a readable source");
                sources.push(text.parse().unwrap_or_else(|_| panic!("{} is Rust", path.display())));
            }
        }
    }
    sources
}

/// Collects what follows each `wdk_sys::`, in declarations and in macros alike.
fn collect_paths(tokens: TokenStream, paths: &mut BTreeSet<Vec<String>>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => collect_paths(group.stream(), paths),
            TokenTree::Ident(name) if name == "wdk_sys" => collect_tree(&mut tokens, &[], paths),
            _ => {}
        }
    }
}

type Tokens = std::iter::Peekable<proc_macro2::token_stream::IntoIter>;

/// Collects the paths of a use tree that goes on with `::`, or ends here.
fn collect_tree(tokens: &mut Tokens, before: &[String], paths: &mut BTreeSet<Vec<String>>) {
    let mut colons = 0;
    while tokens.next_if(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':')).is_some() {
        colons += 1;
    }
    if colons == 0 {
        if !before.is_empty() {
            paths.insert(before.to_vec());
        }
        return;
    }
    match tokens.next() {
        Some(TokenTree::Ident(name)) => collect_tree(tokens, &[before, &[name.to_string()]].concat(), paths),
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let mut inner = group.stream().into_iter().peekable();
            while let Some(token) = inner.next() {
                if let TokenTree::Ident(name) = token {
                    collect_tree(&mut inner, &[before, &[name.to_string()]].concat(), paths);
                }
            }
        }
        other => panic!("after wdk_sys::, {other:?}: name what is used"),
    }
}

fn collect_words(tokens: TokenStream, words: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect_words(group.stream(), words),
            TokenTree::Ident(name) => drop(words.insert(name.to_string())),
            _ => {}
        }
    }
}
