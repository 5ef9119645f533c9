//! The mutants: deliberate breakages of the driver, each a real bug of somebody's, and whether the scenarios catch them.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;

use crate::{
    driver,
    target::Target,
    verify::{Request, Row},
    workspace,
};

/// The list.
const LIST: &str = "tests/mutants.toml";
/// A run of the scenarios takes seconds. The referee ends most drivers that wait or spin for ever well before this.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Deserialize)]
struct List {
    mutant: Vec<Mutant>,
}

/// One breakage.
#[derive(Deserialize)]
struct Mutant {
    /// What is broken.
    name: String,
    /// Whose bug it was.
    #[serde(rename = "source")]
    _source: String,
    /// The edits that break it.
    edit: Vec<Edit>,
}

/// One place that changes.
#[derive(Deserialize)]
struct Edit {
    file: String,
    replace: String,
    by: String,
}

/// What became of a mutant.
pub struct Outcome {
    /// What was broken.
    name: String,
    /// The tests that failed, or did not end.
    caught_by: Vec<String>,
}

impl Outcome {
    /// Prints a row of the table.
    fn print(&self, width: usize) {
        let name = &self.name;
        match self.caught_by.as_slice() {
            [] => println!("{name:width$}  NOT CAUGHT"),
            [test] => println!("{name:width$}  {test}"),
            [test, others @ ..] => println!("{name:width$}  {test} and {} more", others.len()),
        }
    }
}

/// The check of `cargo xtask verify`: each mutant that nothing caught is a failure.
pub fn check(request: &Request) -> Result<Row> {
    let start = Instant::now();
    let outcomes = run(request.target, "")?;
    let count = outcomes.len() as u64;
    let caught = outcomes.iter().filter(|outcome| !outcome.caught_by.is_empty()).count() as u64;
    let row = Row::new("mutants", start, count, count, count - caught);
    Ok(row.with("mutants", count).with("mutants_caught", caught))
}

/// Builds each mutant whose name contains `part`, and runs the scenarios on it.
pub fn run(target: Target, part: &str) -> Result<Vec<Outcome>> {
    let text = fs::read_to_string(workspace::root().join(LIST)).with_context(|| format!("read {LIST}"))?;
    let list: List = toml::from_str(&text).with_context(|| format!("{LIST} is not what it should be"))?;
    let scenarios = build_scenarios()?;
    let tree = Tree::lay_out()?;

    let sound = failing_tests(&scenarios, &driver::build_in(&tree.root, target)?)?;
    ensure!(sound.is_empty(), "the driver as it is fails already: {}", sound.join(", "));

    let mutants: Vec<_> = list.mutant.into_iter().filter(|mutant| mutant.name.contains(part)).collect();
    ensure!(!mutants.is_empty(), "no mutant in {LIST} has “{part}” in its name");
    let bar = ProgressBar::new(mutants.len() as u64);
    bar.set_style(ProgressStyle::with_template("{pos}/{len} mutants {wide_bar} {msg}")?);
    let width = mutants.iter().map(|mutant| mutant.name.len()).max().unwrap_or(0);
    let mut outcomes = Vec::new();
    for mutant in mutants {
        bar.set_message(mutant.name.clone());
        tree.apply(&mutant)?;
        let image = driver::build_in(&tree.root, target).with_context(|| format!("mutant “{}”", mutant.name));
        let caught_by = image.and_then(|image| failing_tests(&scenarios, &image));
        tree.restore(&mutant)?;
        let outcome = Outcome { name: mutant.name, caught_by: caught_by? };
        bar.suspend(|| outcome.print(width));
        outcomes.push(outcome);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(outcomes)
}

/// Builds the scenarios and returns the path of the test binary.
fn build_scenarios() -> Result<PathBuf> {
    let mut build = workspace::host_cargo("test");
    build.args(["--profile", "host", "--package", "flowtag-tests", "--features", "driver", "--test", "scenarios"]);
    build.args(["--no-run", "--message-format", "json"]).stderr(Stdio::inherit());
    let output = build.output().context("start cargo")?;
    ensure!(output.status.success(), "the scenarios did not build");
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executable.context("cargo named no test binary")
}

/// A copy of the repository, in which the driver is broken. Below `target/`, where its builds are kept.
struct Tree {
    root: PathBuf,
}

impl Tree {
    fn lay_out() -> Result<Self> {
        let root = workspace::target_folder().join("mutants");
        let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(workspace::root()).output();
        let listed = listed.context("start git")?;
        ensure!(listed.status.success(), "git does not list the repository's files");
        let tree = Self { root };
        for file in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
            tree.copy(file)?;
        }
        Ok(tree)
    }

    /// Copies a file where the copy differs: cargo builds again what has been written.
    fn copy(&self, file: &str) -> Result<()> {
        let source = workspace::root().join(file);
        if !source.exists() {
            return Ok(()); // deleted, and not yet committed
        }
        let content = fs::read(&source).with_context(|| format!("read {file}"))?;
        self.write(file, &content)
    }

    fn write(&self, file: &str, content: &[u8]) -> Result<()> {
        let path = self.root.join(file);
        if fs::read(&path).is_ok_and(|present| present == content) {
            return Ok(());
        }
        let folder = path.parent().context("a file without a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))
    }

    fn apply(&self, mutant: &Mutant) -> Result<()> {
        for Edit { file, replace, by } in &mutant.edit {
            let text = fs::read_to_string(self.root.join(file)).with_context(|| format!("read {file}"))?;
            let places = text.matches(replace.as_str()).count();
            ensure!(places == 1, "mutant “{}”: {file} has {places} places like this:\n{replace}", mutant.name);
            self.write(file, text.replacen(replace, by, 1).as_bytes())?;
        }
        Ok(())
    }

    fn restore(&self, mutant: &Mutant) -> Result<()> {
        let files: BTreeSet<_> = mutant.edit.iter().map(|edit| edit.file.as_str()).collect();
        files.into_iter().try_for_each(|file| self.copy(file))
    }
}

/// Runs the scenarios on `image` and returns the names of those that fail, or do not end.
fn failing_tests(scenarios: &Path, image: &Path) -> Result<Vec<String>> {
    let mut run = Command::new(scenarios);
    run.env("FLOWTAG_SYS", image).env("RUST_BACKTRACE", "0").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = run.spawn().context("start the scenarios")?;
    let mut stdout = child.stdout.take().context("the scenarios have no output")?;
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let text = reader.join().expect("reading does not panic")?;
    let passed: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... ok")).collect();
    let all = Command::new(scenarios).args(["--list", "--format", "terse"]).output().context("start the scenarios")?;
    let all = String::from_utf8_lossy(&all.stdout);
    let names = all.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(names.filter(|name| !passed.contains(name)).map(str::to_owned).collect())
}

/// Fails when a mutant was not caught.
pub fn all_caught(outcomes: &[Outcome]) -> Result<()> {
    let missed = outcomes.iter().filter(|outcome| outcome.caught_by.is_empty()).count();
    let count = outcomes.len();
    println!("{} of {count} mutants caught", count - missed);
    ensure!(missed == 0, "{missed} pass every scenario: one is missing, or the simulator is too kind");
    Ok(())
}
