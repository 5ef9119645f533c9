//! What is in a package, and where the tests find it.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use flowtag_simulator::{Machine, Options, service::Config};

use crate::imports;

/// The x64 package.
pub fn x64() -> PathBuf {
    folder("FLOWTAG_PACKAGE")
}

/// The ARM64 package.
pub fn arm64() -> PathBuf {
    folder("FLOWTAG_PACKAGE_ARM64")
}

fn folder(variable: &str) -> PathBuf {
    let folder = env::var_os(variable);
    folder.unwrap_or_else(|| panic!("{variable} names a package: run the tests by `cargo xtask test`")).into()
}

/// A file as text.
pub fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file's content.
pub fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_package_has_what_the_guide_starts_from_and_no_more() {
    let in_both = [
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "events.md",
        "flowtag-test.cer",
        "flowtag.inf",
        "flowtag.pdb",
        "flowtag.sys",
        "flowtag.wprp",
        "traces.md",
        "windows.md",
    ];
    for (folder, command) in [(x64(), Some("flowtag.exe")), (arm64(), None)] {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let names: BTreeSet<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        let expected: BTreeSet<_> = in_both.into_iter().chain(command).map(str::to_owned).collect();
        assert_eq!(names, expected, "{}", folder.display());
    }
}

#[test]
fn the_command_needs_nothing_that_windows_does_not_bring() {
    // Those of windows-sys' functions, of Rust's standard library, and of the C runtime that every Windows has.
    const BROUGHT: [&str; 9] = [
        "advapi32.dll",
        "api-ms-win-core-synch-l1-2-0.dll",
        "bcryptprimitives.dll",
        "kernel32.dll",
        "msvcrt.dll",
        "ntdll.dll",
        "user32.dll",
        "userenv.dll",
        "ws2_32.dll",
    ];
    for (module, function) in imports::of(&bytes(&x64().join("flowtag.exe"))) {
        assert!(BROUGHT.contains(&module.to_ascii_lowercase().as_str()), "{function} of {module}");
    }
}

#[test]
fn the_packaged_documents_link_only_to_what_is_in_the_package() {
    let folder = x64();
    for document in ["windows.md", "traces.md", "events.md"] {
        for link in links(&text(&folder.join(document))) {
            let file = link.split('#').next().unwrap_or_default();
            let inside = link.starts_with("https://") || file.is_empty() || folder.join(file).is_file();
            assert!(inside, "{document} links to {link}");
        }
    }
}

/// The targets of the inline links of a Markdown text.
fn links(markdown: &str) -> Vec<&str> {
    markdown.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

#[test]
fn the_packaged_image_loads_tags_a_flow_and_unloads() {
    let machine = Machine::new(Options::default());
    let config = Config { binary_path: x64().join("flowtag.sys").display().to_string(), ..Config::default() };
    machine.create_service("flowtag", config).expect("a new service");
    machine.start_service("flowtag").expect("the packaged image starts");
    let flow = machine.open_flow(&flowtag_tests::rig::outbound()).expect("no bug check");
    machine.close_flow(flow).expect("no bug check");
    machine.stop_service("flowtag").expect("the packaged image stops");
    assert_eq!(machine.referee().verdict().map(|bug_check| bug_check.to_string()), None);
    assert_eq!((machine.pool().live_count(), machine.wfp().contexts(), machine.wfp().callouts()), (0, 0, 0));
    let totals = machine.debug_print().lines().into_iter().map(|line| line.text).find(|line| line.contains("totals"));
    assert!(totals.expect("a line of totals").contains(" opened=1 closed=1 "));
}
