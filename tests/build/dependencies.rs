//! Where the driver's dependencies come from: crates.io, unmodified, by the lock file.

use std::{fs, path::Path};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The crates that flowtag is built on, in the versions that its Linux build knows.
const FOUNDATION: [(&str, &str); 6] = [
    ("wdk", "0.5."),
    ("wdk-sys", "0.5."),
    ("wdk-alloc", "0.4."),
    ("wdk-panic", "0.5."),
    ("wdk-build", "0.6."),
    ("spin", "0.12."),
];

#[test]
fn the_crates_that_the_driver_is_built_on_come_from_crates_io() {
    let lock = read("Cargo.lock");
    for (name, version) in FOUNDATION {
        let packages: Vec<_> = packages(&lock).filter(|package| package.name == name).collect();
        let [package] = packages[..] else { panic!("{} versions of {name} in Cargo.lock", packages.len()) };
        assert!(package.version.starts_with(version), "{name} {}", package.version);
        assert_eq!(package.source, Some(CRATES_IO), "{name}");
    }
}

#[test]
fn every_package_is_from_crates_io_or_a_member_of_the_workspace() {
    let members = [
        "flowtag",
        "flowtag-bench",
        "flowtag-fuzz",
        "flowtag-hosts",
        "flowtag-interleavings",
        "flowtag-on-host",
        "flowtag-simulator",
        "flowtag-tests",
        "flowtag-tool",
        "xtask",
    ];
    let lock = read("Cargo.lock");
    for package in packages(&lock) {
        let known = package.source == Some(CRATES_IO) || package.source.is_none() && members.contains(&package.name);
        assert!(known, "{} is from {:?}", package.name, package.source);
    }
}

#[test]
fn no_manifest_replaces_a_crate() {
    for manifest in ["Cargo.toml", ".cargo/config.toml"] {
        let text = read(manifest);
        let replaced = text.lines().find(|line| line.starts_with("[patch") || line.starts_with("[replace"));
        assert_eq!(replaced, None, "in {manifest}");
    }
}

#[derive(Clone, Copy)]
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    source: Option<&'a str>,
}

fn packages(lock: &str) -> impl Iterator<Item = Package<'_>> {
    lock.split("[[package]]").skip(1).map(|block| {
        let value =
            |key: &str| block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'));
        Package {
            name: value("name").expect("a package has a name"),
            version: value("version").expect("a package has a version"),
            source: value("source"),
        }
    })
}

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
