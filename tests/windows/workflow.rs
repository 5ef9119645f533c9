//! The workflow of the hosted build, as far as it can be judged without running it.

use std::path::Path;

use crate::files;

fn workflow() -> String {
    files::text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.github/workflows/ci.yml"))
}

#[test]
fn every_action_is_pinned_to_a_commit() {
    let workflow = workflow();
    let actions: Vec<_> = workflow.lines().filter_map(|line| line.trim().strip_prefix("- uses: ")).collect();
    assert!(actions.len() >= 4, "{actions:?}");
    assert_eq!(workflow.matches("uses:").count(), actions.len());
    for action in actions {
        let commit = action.split('@').nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        assert!(commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit()), "{action}");
    }
}

#[test]
fn the_windows_job_says_that_it_has_not_run() {
    assert!(workflow().starts_with("# ") && workflow().contains("that job has not run yet"));
}

#[test]
fn llvm_is_the_version_that_the_guide_asks_for() {
    let guide = crate::guide::text();
    let version = guide.split("winget install LLVM.LLVM --version ").nth(1).and_then(|rest| rest.split('`').next());
    let version = version.expect("the guide pins LLVM");
    assert_eq!(version.split('.').count(), 3, "{version}");
    assert!(workflow().contains(&format!("choco install llvm --version={version} ")), "{version}");
}

#[test]
fn the_command_is_tested_on_windows_and_lies_in_both_packages() {
    let workflow = workflow();
    assert!(workflow.contains("run: cargo test --locked --profile host -p flowtag-tool\n"));
    // In a folder of its own: its flowtag.pdb would take the place of the driver's.
    assert!(workflow.contains(
        "cargo build --locked --release -p flowtag-tool --target ${{ matrix.target }} --target-dir target/tool\n"
    ));
    assert!(workflow.contains(
        "cp target/tool/${{ matrix.target }}/release/flowtag.exe target/${{ matrix.target }}/release/flowtag_package"
    ));
}

#[test]
fn both_machines_are_built_on_windows_and_the_packages_kept() {
    let workflow = workflow();
    assert!(workflow.contains("target: [x86_64-pc-windows-msvc, aarch64-pc-windows-msvc]"));
    assert!(workflow.contains("run: cargo make default --target ${{ matrix.target }}"));
    // wdk-build's name for the folder, below the one of the target that was asked for.
    assert!(workflow.contains("path: target/${{ matrix.target }}/release/flowtag_package"));
}
