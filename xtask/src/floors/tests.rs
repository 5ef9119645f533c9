//! Little crates, each with one thing that the rules allow or refuse.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::*;

/// Two modules, the first below the second.
const FLOORS: (&str, &str) = ("floors.toml", r#"floors = [["low", "side"], ["high"]]"#);
const ROOT: (&str, &str) = ("src/lib.rs", "mod low;\nmod side;\nmod high;\n");
const EMPTY_LOW: (&str, &str) = ("src/low.rs", "pub struct Low;\n");
const EMPTY_SIDE: (&str, &str) = ("src/side.rs", "pub struct Side;\n");
const EMPTY_HIGH: (&str, &str) = ("src/high.rs", "pub struct High;\npub fn high() {}\n");

/// A folder of a test's own, gone when the test is over.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind is in the system's temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is wrong with a crate of these files.
fn complaints(files: &[(&str, &str)]) -> Vec<String> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("flowtag-floors-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let scratch = Scratch(std::env::temp_dir().join(name));
    for (file, text) in files {
        let path = scratch.0.join("some").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Found::in_crate(&scratch.0, Path::new("some/src/lib.rs")).unwrap().complaints(&scratch.0).unwrap()
}

/// The same for a crate with floors whose lowest module is `text`.
fn low(text: &str) -> Vec<String> {
    complaints(&[FLOORS, ROOT, ("src/low.rs", text), EMPTY_SIDE, EMPTY_HIGH])
}

/// Two folders, whose files a/x.rs and b/y.rs have these texts.
fn two_folders(x: &str, y: &str) -> Vec<String> {
    complaints(&[
        ("src/lib.rs", "mod a;\nmod b;\n"),
        ("src/a/mod.rs", "pub mod x;\npub mod other;\n"),
        ("src/a/x.rs", x),
        ("src/a/other.rs", "pub struct Other;\n"),
        ("src/b/mod.rs", "pub mod y;\npub mod other;\npub use y::Y;\n"),
        ("src/b/y.rs", y),
        ("src/b/other.rs", "use crate::a::other::Other;\n"),
    ])
}

/// A module whose own file has this text, and below it a folder that imports it: importing that folder makes a circle.
fn above_a_folder(text: &str) -> Vec<String> {
    complaints(&[
        ("src/lib.rs", "mod high;\n"),
        ("src/high/mod.rs", &format!("mod deep;\npub struct High;\n{text}\n")),
        ("src/high/deep/mod.rs", "mod deeper;\nuse super::High;\npub struct Deep;\n"),
        ("src/high/deep/deeper.rs", ""),
    ])
}

fn assert_one(complaints: &[String], parts: &[&str]) {
    let [complaint] = complaints else { panic!("not one complaint: {complaints:#?}") };
    for part in parts {
        assert_eq!(complaint.matches(part).count(), 1, "“{part}” in: {complaint}");
    }
}

#[test]
fn the_crates_of_the_repository_keep_the_rules() {
    check().unwrap();
}

#[test]
fn a_circle_of_files_in_different_folders_is_refused_and_every_import_of_it_named() {
    let found = two_folders("use crate::b::Y;\npub struct X;\n", "\nuse crate::a::x::X;\npub struct Y;\n");
    assert_one(
        &found,
        &[
            "\nsome/src/a/x.rs:1 imports crate::b::Y (some/src/b/y.rs)",
            "\nsome/src/b/y.rs:2 imports crate::a::x::X (some/src/a/x.rs)",
        ],
    );
}

#[test]
fn a_circle_of_folders_is_refused_though_no_file_is_in_one() {
    let found = two_folders("use crate::b::y::Y;\npub struct X;\n", "pub struct Y;\n");
    assert_one(&found, &["some/src/a/x.rs:1", "some/src/b/other.rs:1 imports crate::a::other::Other"]);
}

#[test]
fn a_circle_of_a_folder_and_the_file_above_it_is_refused() {
    let found = complaints(&[
        ("src/lib.rs", "mod a;\n"),
        ("src/a.rs", "mod b;\nuse self::b::c::C;\npub struct A;\n"),
        ("src/a/b/mod.rs", "pub mod c;\n"),
        ("src/a/b/c.rs", "use super::super::A;\npub struct C;\n"),
    ]);
    assert_one(&found, &["some/src/a.rs:2", "some/src/a/b/c.rs:1 imports super::super::A (some/src/a.rs)"]);
}

#[test]
fn a_circle_is_named_in_its_order() {
    let found = complaints(&[
        ("src/lib.rs", "mod a;\nmod b;\nmod c;\n"),
        ("src/a.rs", "mod below;\nuse crate::b::B;\npub struct A;\n"),
        ("src/a/below.rs", ""),
        ("src/b.rs", "use crate::c::C;\npub struct B;\n"),
        ("src/c.rs", "use crate::a::A;\npub struct C;\n"),
    ]);
    let [complaint] = &found[..] else { panic!("not one complaint: {found:#?}") };
    let froms: Vec<_> = complaint.lines().filter_map(|line| line.split_once(".rs:")).map(|(file, _)| file).collect();
    assert_eq!(froms, ["some/src/a", "some/src/b", "some/src/c"]);
}

#[test]
fn a_circle_within_a_folder_is_allowed() {
    let found = complaints(&[
        ("src/lib.rs", "mod a;\n"),
        ("src/a.rs", "mod x;\nmod y;\npub struct A;\n"),
        ("src/a/x.rs", "use super::{A, y::Y};\npub struct X;\n"),
        ("src/a/y.rs", "use super::x::X;\npub struct Y;\n"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_module_in_braces_makes_no_folder() {
    let found = complaints(&[
        ("src/lib.rs", "mod a;\nmod b;\n"),
        ("src/a.rs", "mod inner {\n    use crate::b::B;\n}\npub struct A;\n"),
        ("src/b.rs", "use crate::a::A;\npub struct B;\n"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_file_with_nothing_but_tests_beside_it_stays_in_the_folder_that_it_is_in() {
    let found = complaints(&[
        ("src/lib.rs", "mod a;\nmod b;\n"),
        ("src/a.rs", "use crate::b::B;\npub struct A;\n#[cfg(test)]\nmod tests;\n"),
        ("src/a/tests.rs", "use super::A;\n"),
        ("src/b.rs", "use crate::a::A;\npub struct B;\n"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn an_import_upwards_is_refused_and_both_ends_named() {
    assert_one(
        &low("use std::fmt;\nuse crate::{\n    high::High,\n};\n"),
        &[
            "some/src/low.rs:3 imports crate::high::High (some/src/high.rs), which stands above low",
            "docs/architecture.md",
        ],
    );
}

#[test]
fn an_import_downwards_is_allowed() {
    let high = ("src/high.rs", "use crate::low::Low;\n");
    assert!(complaints(&[FLOORS, ROOT, EMPTY_LOW, EMPTY_SIDE, high]).is_empty());
}

#[test]
fn an_import_sideways_is_refused() {
    assert_one(&low("use crate::side::Side;\n"), &["some/src/low.rs:1", "which stands beside low"]);
}

#[test]
fn an_import_of_what_the_root_defines_is_refused() {
    let root = ("src/lib.rs", "mod low;\nmod side;\nmod high;\npub struct Root;\n");
    let low = ("src/low.rs", "use crate::Root;\n");
    assert_one(&complaints(&[FLOORS, root, low, EMPTY_SIDE, EMPTY_HIGH]), &["(some/src/lib.rs), the root"]);
}

#[test]
fn a_path_in_a_function_is_an_import() {
    assert_one(&low("fn low() {\n    crate::high::high();\n}\n"), &["some/src/low.rs:2 imports crate::high::high"]);
}

#[test]
fn a_path_that_begins_with_a_name_brought_in_is_an_import() {
    let high = ("src/high/mod.rs", "pub mod deep;\n");
    let deep = ("src/high/deep.rs", "pub fn deep() {}\n");
    let low = ("src/low.rs", "use crate::high as above;\nfn low() { above::deep::deep() }\n");
    let found = complaints(&[FLOORS, ROOT, low, EMPTY_SIDE, high, deep]);
    assert!(
        found.iter().any(|line| line.contains(":2 imports above::deep::deep (some/src/high/deep.rs)")),
        "{found:?}"
    );
}

#[test]
fn a_path_in_what_a_macro_is_given_is_an_import() {
    assert_one(&low("fn low() {\n    println!(\"{:?}\", crate::high::high());\n}\n"), &["some/src/low.rs:2"]);
}

#[test]
fn a_use_in_a_function_is_an_import() {
    assert_one(&low("fn low() {\n    use crate::high::High;\n}\n"), &["some/src/low.rs:2"]);
}

#[test]
fn an_import_through_super_is_seen() {
    assert_one(&low("mod inner {\n    use super::super::high::High;\n}\n"), &["some/src/low.rs:2"]);
}

#[test]
fn an_import_through_a_re_export_leads_to_where_the_thing_is_defined() {
    for re_export in ["pub use high::High as Top;\n", "pub(crate) use high::*;\nuse high::High as Top;\n"] {
        let root = format!("mod low;\nmod side;\nmod high;\n{re_export}");
        let low = ("src/low.rs", "use crate::Top;\n");
        let found = complaints(&[FLOORS, ("src/lib.rs", &root), low, EMPTY_SIDE, EMPTY_HIGH]);
        assert_one(&found, &["some/src/low.rs:1 imports crate::Top (some/src/high.rs)"]);
    }
}

#[test]
fn a_name_that_comes_through_a_star_leads_to_where_it_is_defined() {
    let side = ("src/side.rs", "pub use crate::high::*;\n");
    let low = ("src/low.rs", "use crate::side::*;\nfn low(_: High) {}\n");
    let found = complaints(&[FLOORS, ROOT, low, side, EMPTY_HIGH]);
    assert!(found.iter().any(|line| line.contains("low.rs:2 imports High (some/src/high.rs)")), "{found:?}");
}

#[test]
fn what_leads_out_of_the_crate_is_no_import() {
    assert!(low("use std::io::{self, Read};\nfn low() -> io::Result<()> { Ok(()) }\n").is_empty());
    for path in ["use ::deep::Deep;", "type Deep = ::deep::Deep;", "thread_local!(static DEEP: ::deep::Deep);"] {
        assert!(above_a_folder(path).is_empty(), "{path}");
        assert_eq!(above_a_folder(&path.replace("::deep", "deep")).len(), 1, "{path}");
    }
}

#[test]
fn a_variable_with_the_name_of_a_module_is_no_import() {
    assert!(above_a_folder("fn high(deep: u8) -> u8 { deep }").is_empty());
}

#[test]
fn one_name_in_what_a_macro_is_given_is_no_import() {
    let side = ("src/side.rs", "pub use crate::high::*;\n");
    let low = ("src/low.rs", "use crate::side::*;\nfn low(x: X) { println!(\"{}\", x.high) }\n");
    let found = complaints(&[FLOORS, ROOT, low, side, EMPTY_HIGH]);
    assert!(found.iter().all(|line| !line.contains("src/low.rs:2")), "{found:?}");
}

#[test]
fn what_only_tests_have_is_left_out() {
    for condition in ["test", "all(test, target_os = \"linux\")"] {
        for item in
            ["use crate::high::High;", "mod inner { use crate::high::High; }", "fn low() { crate::high::high(); }"]
        {
            assert!(low(&format!("#[cfg({condition})]\n{item}\n")).is_empty(), "{condition}: {item}");
        }
    }
}

#[test]
fn a_method_that_only_tests_have_is_left_out() {
    assert!(low("struct Low;\nimpl Low {\n#[cfg(test)]\nfn low() { crate::high::high(); }\n}\n").is_empty());
}

#[test]
fn what_is_there_without_tests_is_not_left_out() {
    for condition in ["not(test)", "any(test, unix)", "unix"] {
        assert_one(&low(&format!("#[cfg({condition})]\nuse crate::high::High;\n")), &["some/src/low.rs:2"]);
    }
}

#[test]
fn a_module_that_has_no_row_is_refused() {
    let root = ("src/lib.rs", "mod low;\nmod side;\nmod high;\nmod more;\n");
    let found = complaints(&[FLOORS, root, EMPTY_LOW, EMPTY_SIDE, EMPTY_HIGH, ("src/more.rs", "")]);
    assert_one(&found, &["some/src/lib.rs:4 declares more, which some/floors.toml does not list: add"]);
}

#[test]
fn a_row_with_a_module_that_does_not_exist_is_refused() {
    let root = ("src/lib.rs", "mod low;\nmod high;\n");
    let found = complaints(&[FLOORS, root, EMPTY_LOW, EMPTY_HIGH]);
    assert_one(&found, &["some/floors.toml lists side, but some/src/lib.rs declares no such module"]);
}

#[test]
fn a_module_in_two_rows_is_refused() {
    let floors = ("floors.toml", r#"floors = [["low", "side"], ["high", "low"]]"#);
    let found = complaints(&[floors, ROOT, EMPTY_LOW, EMPTY_SIDE, EMPTY_HIGH]);
    assert_one(&found, &["some/floors.toml lists low twice"]);
}
