//! The checks of the driver's source on this machine, in a copy of the repository: unit tests and lives of flows, and the quick
//! runs of loom, shuttle and Miri where these compile the file.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    host_checks::{self, MIRI_LIVES, MIRI_UNITS, PACKAGE},
    process, workspace,
};

/// Files that no check of these compiles: they are about KMDF and WFP's management.
const NOT_THERE: [&str; 4] = ["src/driver.rs", "src/engine.rs", "src/kmdf.rs", "src/lib.rs"];
/// Files that loom and shuttle run.
const INTERLEAVED: [&str; 2] = ["src/flow_ring.rs", "src/references.rs"];
/// On the sound driver each takes seconds, Miri a minute or two; a busy machine may take ten times as long.
const PATIENCE: Duration = Duration::from_mins(3);
/// The same for Miri.
const PATIENCE_OF_MIRI: Duration = Duration::from_mins(30);

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
    let mut checks = tests(root, INTERLEAVED[0]);
    if depth == Depth::All {
        host_checks::have_miri()?;
        checks.extend(tools(root, INTERLEAVED[0]));
    }
    let noticed = first_to_notice(checks)?;
    ensure!(noticed.is_none(), "{} fail on the driver as it is: mend that first", noticed.unwrap_or_default());
    Ok(())
}

/// Which of these checks fails first. What does not compile here is not run.
pub fn first_to_notice(checks: Vec<Check>) -> Result<Option<String>> {
    for mut check in checks {
        if runs(&mut check.build, Duration::MAX)? && !runs(&mut check.run, check.patience)? {
            return Ok(Some(check.name.to_owned()));
        }
    }
    Ok(None)
}

/// The tests that compile `file`, in the copy at `root`.
pub fn tests(root: &Path, file: &str) -> Vec<Check> {
    if NOT_THERE.contains(&file) {
        return Vec::new();
    }
    vec![cargo_test("unit tests", root, "--lib"), cargo_test("lives", root, "--test=lives")]
}

/// loom, shuttle and Miri, as far as they compile `file`, in the copy at `root`, and it has what they are for.
pub fn tools(root: &Path, file: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    if INTERLEAVED.contains(&file) {
        checks.extend([interleavings("loom", root), interleavings("shuttle", root)]);
    }
    // In safe code without atomics Miri sees no more than the same tests do without it.
    let text = fs::read_to_string(root.join(file)).unwrap_or_default();
    if NOT_THERE.contains(&file) || !(text.contains("unsafe") || text.contains("Ordering::")) {
        return checks;
    }
    for arguments in [&MIRI_UNITS[..], &MIRI_LIVES[..]] {
        let part = [&["--no-run"], &arguments[..1]].concat();
        let (build, run) = (host_checks::miri_in(root, 0, &part), host_checks::miri_in(root, 0, arguments));
        checks.push(Check { name: "Miri", build, run, patience: PATIENCE_OF_MIRI });
    }
    checks
}

fn cargo_test(name: &'static str, root: &Path, which: &str) -> Check {
    let command = || {
        let mut command = workspace::host_cargo_in(root, "test");
        command.args(["--package", PACKAGE, which]);
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
    Check { name: tool, build, run, patience: PATIENCE }
}

/// Whether a command ends well, and within this time.
fn runs(command: &mut Command, patience: Duration) -> Result<bool> {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = silent.spawn().with_context(|| format!("start {}", command.get_program().display()))?;
    let start = Instant::now();
    let status = process::wait_unless(&mut child, || start.elapsed() > patience)?;
    Ok(status.is_some_and(|status| status.success()))
}
