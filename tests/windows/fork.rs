//! The guide's list of what a fork must change, held against the sources.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::{files, guide};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rows of the guide's list: what, and where.
fn list(guide: &str) -> Vec<(String, String)> {
    let section = guide.split("## What a fork must change").nth(1).and_then(|rest| rest.split("\n## ").next());
    let rows = guide::rows(section.expect("a section"));
    let pair = |row: &Vec<&str>| (row[0].to_owned(), row[1].trim_matches('`').to_owned());
    rows.iter().map(pair).filter(|(what, _)| what != "what").collect()
}

/// How many the guide says there are of something, by file.
fn listed(kind: &str) -> BTreeMap<String, usize> {
    let number = |what: &str| what.split_once('(')?.1.split_once(')')?.0.parse().ok();
    let rows = list(&guide::text()).into_iter().filter(|(what, _)| what.starts_with(kind));
    rows.map(|(what, file)| (file, number(&what).unwrap_or_else(|| panic!("no number: {what}")))).collect()
}

/// How often the driver's sources say this, by file; their tests and comments do not count.
fn in_sources(text: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    count(&root().join("src"), text, &mut counts);
    counts
}

fn count(folder: &Path, text: &str, counts: &mut BTreeMap<String, usize>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            count(&path, text, counts);
            continue;
        }
        let source = files::text(&path);
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let found: usize = lines.map(|line| line.matches(text).count()).sum();
        if found > 0 {
            let name = path.strip_prefix(root()).expect("below the root").display().to_string();
            counts.insert(name, found);
        }
    }
}

#[test]
fn every_key_of_our_own_is_in_the_list() {
    let mut keys = in_sources("GUID::new(0x");
    assert_eq!(keys.remove("src/wfp/ffi.rs"), Some(8), "Microsoft's layers");
    assert_eq!(listed("key"), keys);
}

#[test]
fn every_name_that_the_filter_engine_gets_is_in_the_list() {
    assert_eq!(listed("names"), in_sources("wide!(\"flowtag"));
}

#[test]
fn every_pool_tag_is_in_the_list() {
    assert_eq!(listed("tags"), in_sources("from_le_bytes(*b\""));
}

#[test]
fn every_place_where_a_trace_line_starts_is_in_the_list() {
    let rows = list(&guide::text()).into_iter().filter(|(what, _)| what.starts_with("start of the trace lines"));
    let listed: BTreeSet<_> = rows.map(|(_, file)| file).collect();
    assert_eq!(listed, in_sources("\"flowtag: ").into_keys().collect());
}

#[test]
fn every_string_that_names_us_in_the_version_resource_and_the_inf_file_is_in_the_list() {
    let list = list(&guide::text());
    let row = |file: &str| &list.iter().find(|(_, listed)| listed == file).unwrap_or_else(|| panic!("{file}")).0;

    let build = files::text(&root().join("build.rs"));
    let ours = build.lines().filter(|line| line.contains("flowtag"));
    let names: Vec<_> = ours.filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next()).collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        assert!(guide::quoted(row("build.rs")).contains(name), "{name}");
    }

    let inf = crate::inf_file::Inf::parse(&files::text(&root().join("driver.inx")));
    let ours = inf.entries().filter(|entry| entry.values.iter().any(|value| value.contains("flowtag")));
    let mut keys: Vec<_> = ours.filter_map(|entry| entry.key.clone()).collect();
    keys.extend(inf.section("Strings").iter().filter_map(|entry| entry.key.clone()));
    assert!(keys.len() >= 6, "{keys:?}");
    for key in keys.iter().filter(|key| *key != "ServiceBinary") {
        assert!(guide::quoted(row("driver.inx")).contains(key.as_str()), "{key}");
    }
}
