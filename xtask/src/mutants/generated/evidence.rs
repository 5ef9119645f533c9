//! What a result rests on: a mutation is tried again when that has changed, and not when something else has. Who adds a test
//! tries again what survived, and what the other tests of its file notice.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use anyhow::{Context, Result};
use syn::spanned::Spanned;

use super::{
    super::hash::{hash, hash_of_files},
    on_this_machine::Depth,
    store::Verdict,
};
use crate::floors::{attributes, is_for_tests};

/// What the image is built of, but for the driver's source.
const BUILD: [&str; 7] = [".cargo", "Cargo.lock", "Cargo.toml", "build", "build.rs", "open-wdk", "rust-toolchain.toml"];
/// What scenarios and tests of the image share.
const SUITE: [&str; 4] = ["simulator", "tests/Cargo.toml", "tests/data", "tests/src"];
/// The driver's source, with its unit tests, and the pages that these look into.
const UNITS: [&str; 3] = ["docs/events.md", "docs/traces.md", "src"];
/// Bindings and events, and what they are held against.
const BINDINGS: [&str; 4] = ["src", "tests/build", "tests/data", "tests/src"];
/// What the driver's source runs on, on this machine.
const ON_HOST: [&str; 2] = ["src", "tests/on_host"];
const INTERLEAVINGS: [&str; 2] = ["tests/interleavings", "tests/verify/report.rs"];

/// Hashes of what results rest on.
pub struct Evidence<'a> {
    root: &'a Path,
    depth: Depth,
    /// Of the driver as it is built: without its unit tests.
    driver: String,
    /// Of lists of files, once they were asked for.
    known: HashMap<Vec<String>, String>,
}

impl<'a> Evidence<'a> {
    /// For the repository at `root`, whose driver has these files.
    pub fn of(root: &'a Path, texts: &BTreeMap<String, String>, depth: Depth) -> Result<Self> {
        let mut parts = vec![hash_of_files(root, &BUILD)?];
        for (file, text) in texts {
            parts.extend([file.clone(), as_built(text).with_context(|| format!("{file} is not Rust"))?]);
        }
        Ok(Self { root, depth, driver: hash(parts), known: HashMap::new() })
    }

    /// What a verdict rests on.
    pub fn for_verdict(&mut self, verdict: &Verdict) -> Result<String> {
        let files = match verdict {
            Verdict::NotBuilt | Verdict::SameCode => Vec::new(),
            Verdict::Noticed { by } => noticed_in(by),
            // Where nothing has noticed, anything that is new might.
            Verdict::Survived => everything(),
        };
        let files = if let Some(known) = self.known.get(&files) {
            known.clone()
        } else {
            let found = hash_of_files(self.root, &files.iter().map(String::as_str).collect::<Vec<_>>())?;
            self.known.insert(files, found.clone());
            found
        };
        // Only who survived everything has survived whatever else is asked for.
        let depth = if *verdict == Verdict::Survived && self.depth == Depth::Tests { "tests" } else { "all" };
        Ok(hash([&self.driver, &files, depth]))
    }
}

/// The files of a check that notices: its name, and for the suites that of a test.
fn noticed_in(by: &str) -> Vec<String> {
    match by.split_once(": ").unwrap_or((by, "")) {
        ("scenarios", test) => {
            let module = test.split("::").next().unwrap_or_default();
            let files = ["main".to_owned(), module.to_owned()].map(|name| format!("tests/scenarios/{name}.rs"));
            [owned(&SUITE), files.to_vec()].concat()
        }
        ("image", _) => [owned(&SUITE), owned(&["tests/build"])].concat(),
        ("unit tests", _) => owned(&UNITS),
        ("bindings" | "events", _) => owned(&BINDINGS),
        ("lives" | "Miri", _) => owned(&ON_HOST),
        ("loom" | "shuttle", _) => owned(&INTERLEAVINGS),
        _ => everything(),
    }
}

fn everything() -> Vec<String> {
    let suites = ["tests/build", "tests/scenarios"];
    [owned(&SUITE), owned(&suites), owned(&UNITS), owned(&ON_HOST), owned(&INTERLEAVINGS)].concat()
}

fn owned(files: &[&str]) -> Vec<String> {
    files.iter().map(|&file| file.to_owned()).collect()
}

/// A file without what is there in tests only.
fn as_built(text: &str) -> Result<String> {
    let mut built = String::new();
    let mut end = 0;
    for item in syn::parse_file(text)?.items.iter().filter(|item| is_for_tests(attributes(item))) {
        let range = item.span().byte_range();
        built.push_str(&text[end..range.start]);
        end = range.end;
    }
    Ok(built + &text[end..])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::super::hash::tests::Folder, *};

    /// A repository with everything that results rest on.
    fn repository() -> Folder {
        let root = Folder::new();
        for folder in [
            "build",
            ".cargo",
            "docs",
            "open-wdk",
            "simulator",
            "src",
            "tests/build",
            "tests/data",
            "tests/interleavings",
            "tests/on_host",
            "tests/scenarios",
            "tests/src",
            "tests/verify",
        ] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in [
            "Cargo.lock",
            "Cargo.toml",
            "build.rs",
            "docs/events.md",
            "docs/traces.md",
            "rust-toolchain.toml",
            "tests/Cargo.toml",
            "tests/scenarios/leaving.rs",
            "tests/scenarios/main.rs",
            "tests/scenarios/start.rs",
            "tests/verify/report.rs",
        ] {
            fs::write(root.join(file), "").unwrap();
        }
        fs::write(root.join("src/a.rs"), "fn f() {}\n").unwrap();
        root
    }

    fn evidence(root: &Folder, verdict: &Verdict, depth: Depth) -> String {
        let text = fs::read_to_string(root.join("src/a.rs")).unwrap();
        let path = root.join("");
        let mut evidence = Evidence::of(&path, &BTreeMap::from([("src/a.rs".into(), text)]), depth).unwrap();
        evidence.for_verdict(verdict).unwrap()
    }

    /// Whether a result has to be found anew after this file was written.
    fn is_void(verdict: &Verdict, file: &str, content: &str) -> bool {
        let root = repository();
        let before = evidence(&root, verdict, Depth::All);
        fs::write(root.join(file), content).unwrap();
        evidence(&root, verdict, Depth::All) != before
    }

    fn noticed(by: &str) -> Verdict {
        Verdict::Noticed { by: by.to_owned() }
    }

    #[test]
    fn everything_rests_on_the_driver() {
        for verdict in [
            Verdict::NotBuilt,
            Verdict::SameCode,
            Verdict::Survived,
            noticed("scenarios: start::a"),
            noticed("image: a"),
            noticed("unit tests"),
            noticed("bindings"),
            noticed("lives"),
            noticed("loom"),
            noticed("Miri"),
        ] {
            assert!(is_void(&verdict, "src/a.rs", "fn g() {}\n"), "{verdict:?}");
            assert!(is_void(&verdict, "Cargo.lock", "other"), "{verdict:?}");
        }
    }

    #[test]
    fn a_new_scenario_voids_what_its_file_notices() {
        assert!(is_void(&noticed("scenarios: start::a"), "tests/scenarios/start.rs", "more"));
    }

    #[test]
    fn a_new_scenario_voids_nothing_that_another_file_notices() {
        for by in ["scenarios: leaving::a", "image: a", "unit tests", "lives", "loom", "Miri"] {
            assert!(!is_void(&noticed(by), "tests/scenarios/start.rs", "more"), "{by}");
        }
    }

    #[test]
    fn another_simulator_voids_what_runs_in_it() {
        assert!(is_void(&noticed("scenarios: start::a"), "simulator/lib.rs", "more"));
        assert!(is_void(&noticed("image: a"), "simulator/lib.rs", "more"));
        assert!(!is_void(&noticed("lives"), "simulator/lib.rs", "more"));
    }

    #[test]
    fn each_check_on_this_machine_rests_on_its_own_files() {
        assert!(is_void(&noticed("lives"), "tests/on_host/lives.rs", "more"));
        assert!(is_void(&noticed("Miri"), "tests/on_host/lives.rs", "more"));
        assert!(is_void(&noticed("shuttle"), "tests/interleavings/model.rs", "more"));
        assert!(!is_void(&noticed("loom"), "tests/on_host/lives.rs", "more"));
        assert!(is_void(&noticed("bindings"), "tests/data/facts.json", "more"));
        assert!(!is_void(&noticed("bindings"), "tests/on_host/lives.rs", "more"));
    }

    #[test]
    fn any_new_test_may_notice_what_survived() {
        for file in
            ["tests/scenarios/start.rs", "tests/on_host/lives.rs", "tests/interleavings/model.rs", "simulator/lib.rs"]
        {
            assert!(is_void(&Verdict::Survived, file, "more"), "{file}");
        }
    }

    #[test]
    fn a_row_for_an_equivalent_one_voids_nothing() {
        assert!(!is_void(&Verdict::Survived, "tests/equivalent_mutants.toml", "more"));
    }

    #[test]
    fn a_new_unit_test_is_no_other_driver() {
        let more = "fn f() {}\n#[cfg(test)]\nmod tests {}\n";
        assert!(is_void(&noticed("unit tests"), "src/a.rs", more));
        assert!(is_void(&Verdict::Survived, "src/a.rs", more));
        let root = repository();
        fs::write(root.join("src/a.rs"), "fn f() {}\n#[cfg(test)]\nmod tests {}\n").unwrap();
        let before = evidence(&root, &noticed("scenarios: start::a"), Depth::All);
        fs::write(root.join("src/a.rs"), "fn f() {}\n#[cfg(test)]\nmod tests { fn t() {} }\n").unwrap();
        assert_eq!(evidence(&root, &noticed("scenarios: start::a"), Depth::All), before);
    }

    #[test]
    fn who_survives_the_tests_alone_has_not_survived_everything() {
        let root = repository();
        assert_ne!(evidence(&root, &Verdict::Survived, Depth::Tests), evidence(&root, &Verdict::Survived, Depth::All));
        assert_eq!(evidence(&root, &Verdict::NotBuilt, Depth::Tests), evidence(&root, &Verdict::NotBuilt, Depth::All));
    }
}
