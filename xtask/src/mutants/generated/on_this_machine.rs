//! The checks of the driver's source on this machine, in a copy of the repository: unit tests and lives of flows, and the quick
//! runs of loom, shuttle and Miri where these compile the file.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::super::patience::all_pass;
use crate::{
    host_checks::{self, MIRI_LIVES, MIRI_UNITS, MIRI_UNITS_ARE_OF, PACKAGE},
    workspace,
};

/// The crates that compile the driver's files: its pure modules, whose unit tests say what they do, and all but those about KMDF
/// and WFP's management.
const PURE: &str = "tests/src";
const ON_HOST: &str = "tests/on_host/src";
/// Holds the bindings, which are written by hand, against the headers.
const BINDINGS: &str = "tests/build/ffi.rs";
/// The driver's events, whose tests hold them against Microsoft's own writer of their format.
const EVENTS: &str = "src/etw/";
/// Files that loom and shuttle run.
const INTERLEAVED: [&str; 3] = ["src/flow_ring.rs", "src/flow_ring/list.rs", "src/references.rs"];
/// What takes the time of these tests: the driver's source as it is here, and what makes inputs for it.
const OPTIMIZED: [&str; 2] = [PACKAGE, "proptest"];
/// On the processor, of unit tests and lives. On the sound driver these take two or three seconds; a list that has become a circle
/// takes all there is, and many a mutation makes one.
const PATIENCE: Duration = Duration::from_secs(12);
/// The same for loom and shuttle.
const PATIENCE_OF_INTERLEAVINGS: Duration = Duration::from_mins(1);
/// The same for Miri.
const PATIENCE_OF_MIRI: Duration = Duration::from_mins(10);

/// How much is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The unit tests and the lives of flows.
    Tests,
    /// loom, shuttle and Miri too.
    All,
}

/// One check.
pub struct Check {
    name: &'static str,
    /// Builds it; where the changed source does not compile here, there is nothing to run.
    build: Command,
    run: Command,
    patience: Duration,
}

/// Builds what the checks share, and sees that all of them pass on the driver as it is.
pub fn prepare(root: &Path, depth: Depth) -> Result<()> {
    let file = INTERLEAVED[0];
    let mut checks = units(root, file);
    checks.extend(lives(root, file));
    if depth == Depth::All {
        host_checks::have_miri()?;
        checks.extend(tools(root, file));
    }
    for check in &mut checks {
        ensure!(builds(&mut check.build)?, "{} do not build on the driver as it is: mend that first", check.name);
    }
    let noticed = first_to_notice(checks)?;
    ensure!(noticed.is_none(), "{} fail on the driver as it is: mend that first", noticed.unwrap_or_default());
    Ok(())
}

/// Which of these checks fails first. What does not compile here is not run.
pub fn first_to_notice(checks: Vec<Check>) -> Result<Option<String>> {
    for mut check in checks {
        if builds(&mut check.build)? && !all_pass(&mut check.run, check.patience)? {
            return Ok(Some(check.name.to_owned()));
        }
    }
    Ok(None)
}

/// The unit tests, if they are about `file`, in the copy at `root`.
pub fn units(root: &Path, file: &str) -> Vec<Check> {
    let pure = compiles(&root.join(PURE), file);
    pure.then(|| cargo_test("unit tests", root, PACKAGE, "--lib")).into_iter().collect()
}

/// The lives of flows, if they compile `file`, in the copy at `root`.
pub fn lives(root: &Path, file: &str) -> Vec<Check> {
    let there = compiles(&root.join(ON_HOST), file);
    there.then(|| cargo_test("lives", root, PACKAGE, "--test=lives")).into_iter().collect()
}

/// What holds `file` against code of Microsoft's, in the copy at `root`: the bindings against headers, the events against their
/// format. Their package builds for longer than any other check's.
pub fn formats(root: &Path, file: &str) -> Vec<Check> {
    let test = |name, which| cargo_test(name, root, "flowtag-tests", which);
    let bindings = compiles(&root.join(BINDINGS), file).then(|| test("bindings", "--test=ffi"));
    let events = file.starts_with(EVENTS).then(|| test("events", "--test=tracelogging"));
    bindings.into_iter().chain(events).collect()
}

/// Whether a crate, which is a file or the files of a folder, takes a file of the driver, by a path of its own or through the module
/// above it.
fn compiles(krate: &Path, file: &str) -> bool {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let paths =
        [file.to_owned(), format!("{folder}/mod.rs"), format!("{folder}.rs")].map(|path| format!("../{path}\""));
    let files = fs::read_dir(krate).map(|files| files.flatten().map(|file| file.path()).collect());
    let files: Vec<_> = files.unwrap_or_else(|_| vec![krate.to_owned()]);
    files.iter().any(|file| {
        let text = fs::read_to_string(file).unwrap_or_default();
        paths.iter().any(|path| text.contains(path))
    })
}

/// loom, shuttle and Miri, as far as they compile `file`, in the copy at `root`, and it has what they are for.
pub fn tools(root: &Path, file: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    if INTERLEAVED.contains(&file) {
        checks.extend([interleavings("loom", root), interleavings("shuttle", root)]);
    }
    // In safe code without atomics Miri sees no more than the same tests do without it.
    let text = fs::read_to_string(root.join(file)).unwrap_or_default();
    if !compiles(&root.join(ON_HOST), file) || !(text.contains("unsafe") || text.contains("Ordering::")) {
        return checks;
    }
    // Miri runs the unit tests of a few modules only.
    let has_units = MIRI_UNITS_ARE_OF.iter().any(|part| file.starts_with(part));
    for arguments in has_units.then_some(&MIRI_UNITS[..]).into_iter().chain([&MIRI_LIVES[..]]) {
        let part = [&["--no-run"], &arguments[..1]].concat();
        let (build, run) = (host_checks::miri_in(root, 0, &part), host_checks::miri_in(root, 0, arguments));
        checks.push(Check { name: "Miri", build, run, patience: PATIENCE_OF_MIRI });
    }
    checks
}

fn cargo_test(name: &'static str, root: &Path, package: &str, which: &str) -> Check {
    let command = || {
        let mut command = workspace::host_cargo_in(root, "test");
        command.args(["--package", package, which]);
        // Built once, run for every mutant: optimized, all unit tests together take a seventh of the time.
        for part in OPTIMIZED {
            command.args(["--config", &format!("profile.dev.package.{part}.opt-level=1")]);
        }
        command
    };
    let mut build = command();
    build.arg("--no-run");
    Check { name, build, run: command(), patience: PATIENCE }
}

fn interleavings(tool: &'static str, root: &Path) -> Check {
    let mut build = workspace::host_cargo_in(root, "build");
    build.args(["--profile", "host", "--package", "flowtag-interleavings"]);
    let mut run = Command::new(root.join("target/host/flowtag-interleavings"));
    run.args([tool, "--quick"]);
    Check { name: tool, build, run, patience: PATIENCE_OF_INTERLEAVINGS }
}

/// Whether it builds.
fn builds(command: &mut Command) -> Result<bool> {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = silent.status().with_context(|| format!("start {}", command.get_program().display()))?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(checks: Vec<Check>) -> Vec<&'static str> {
        checks.into_iter().map(|check| check.name).collect()
    }

    #[test]
    fn a_pure_module_has_unit_tests() {
        assert_eq!(names(units(workspace::root(), "src/trace.rs")), ["unit tests"]);
        assert_eq!(names(units(workspace::root(), "src/wfp/values.rs")), ["unit tests"]);
        assert_eq!(names(units(workspace::root(), "src/flow_ring/list.rs")), ["unit tests"]);
        assert_eq!(names(units(workspace::root(), "src/processes/table.rs")), ["unit tests"]);
    }

    #[test]
    fn a_module_that_calls_the_kernel_has_none() {
        assert!(units(workspace::root(), "src/flow.rs").is_empty());
    }

    #[test]
    fn the_bindings_are_held_against_the_headers() {
        assert_eq!(names(formats(workspace::root(), "src/wfp/ffi.rs")), ["bindings"]);
        assert!(formats(workspace::root(), "src/wfp/values.rs").is_empty());
    }

    #[test]
    fn the_events_are_held_against_their_format() {
        assert_eq!(names(formats(workspace::root(), "src/etw/metadata.rs")), ["events"]);
    }

    #[test]
    fn the_lives_of_flows_are_about_what_is_compiled_for_this_machine() {
        assert_eq!(names(lives(workspace::root(), "src/callouts/authorize.rs")), ["lives"]);
        assert_eq!(names(lives(workspace::root(), "src/processes/stored.rs")), ["lives"]);
        assert!(lives(workspace::root(), "src/engine.rs").is_empty());
    }

    #[test]
    fn loom_and_shuttle_run_the_ring_and_the_count() {
        for file in INTERLEAVED {
            assert_eq!(names(tools(workspace::root(), file))[..2], ["loom", "shuttle"]);
        }
    }

    #[test]
    fn miri_runs_where_it_has_something_to_see() {
        assert_eq!(names(tools(workspace::root(), "src/wfp/metadata.rs")), ["Miri", "Miri"]);
        assert_eq!(names(tools(workspace::root(), "src/flow.rs")), ["Miri"]);
        assert!(tools(workspace::root(), "src/life.rs").is_empty());
    }
}
