//! The tests that mutants are held against, each run in a process of its own.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::{hash::hash, image, patience::ends_well};
use crate::{driver, lock::lock, setup, target::Target, workspace};

/// The test binaries that look at the image.
const BINARIES: [&str; 2] = ["scenarios", "image"];

/// On the processor, before it is known how long a test takes.
const PATIENCE: Duration = Duration::from_secs(90);
/// The same for tests that take a few milliseconds on the sound driver, as nearly all do. The referee ends most drivers that wait or
/// spin for ever well before this.
const PATIENCE_WITH_QUICK_ONES: Duration = Duration::from_secs(10);
/// How many times longer than on the sound driver a slow one may take.
const SLOWER: u32 = 5;

/// One test.
struct Test {
    /// Which of [`BINARIES`] it is in.
    program: &'static str,
    binary: PathBuf,
    /// Its path within the binary.
    path: String,
    /// How long it takes on the sound driver, once that is known.
    takes: Option<Duration>,
}

/// All tests.
pub struct Suite {
    tests: Vec<Test>,
    /// Which have failed on breakages of a file, the last one last.
    noticed: Mutex<HashMap<String, Vec<usize>>>,
    /// Where the sound image for ARM64 is, which tests of both images look at as well.
    arm64: PathBuf,
}

/// What a run on the sound driver has shown.
#[derive(Serialize, Deserialize)]
struct Learned {
    key: String,
    takes: HashMap<String, Duration>,
}

/// Tests that ran, by index.
struct Runs {
    failed: Option<usize>,
    took: Vec<(usize, Duration)>,
}

/// What came of looking for a test that fails.
pub struct Search {
    /// The first test that failed, or did not end.
    pub failed: Option<String>,
    /// The test program that it is in.
    pub program: &'static str,
    /// How many tests ran.
    pub runs: usize,
}

impl Suite {
    /// Builds the test binaries and lists their tests.
    pub fn build() -> Result<Self> {
        let mut tests = Vec::new();
        for (program, binary) in BINARIES.into_iter().zip(workspace::build_tests(&BINARIES)?) {
            tests.extend(tests_of(program, &binary)?);
        }
        setup::ensure(Target::Arm64, &[])?;
        let arm64 = driver::build(Target::Arm64)?.parent().context("an image lies in a folder")?.to_owned();
        Ok(Self { tests, noticed: Mutex::default(), arm64 })
    }

    /// Tests that are programs: a name each, and what runs.
    #[cfg(test)]
    pub fn of_programs(tests: &[(&str, &str)]) -> Self {
        let test = |&(path, binary): &(&str, &str)| Test {
            program: BINARIES[0],
            binary: binary.into(),
            path: path.to_owned(),
            takes: None,
        };
        Self { tests: tests.iter().map(test).collect(), noticed: Mutex::default(), arm64: PathBuf::new() }
    }

    /// Runs every test on the sound driver, two at once, and puts the quick ones first. Fails when one fails. What was learned
    /// is kept for as long as neither tests nor driver change.
    pub fn learn(&mut self, sound: &Path) -> Result<()> {
        let key = self.key(sound)?;
        let file = workspace::target_folder().join("mutants-learned.json");
        let learned = fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Learned>(&text).ok());
        let learned = match learned.filter(|learned| learned.key == key) {
            Some(learned) => learned,
            None => self.run_all(sound, key)?,
        };
        for test in &mut self.tests {
            test.takes = learned.takes.get(&test.path).copied();
        }
        self.tests.sort_by_key(|test| test.takes);
        fs::write(&file, serde_json::to_vec(&learned)?).with_context(|| format!("write {}", file.display()))
    }

    fn run_all(&self, sound: &Path, key: String) -> Result<Learned> {
        let Runs { failed, took } = self.run(sound, &self.all(), 2)?;
        if let Some(index) = failed {
            bail!("{} fails on the driver as it is: mend that first", self.tests[index].path);
        }
        let takes = took.into_iter().map(|(index, took)| (self.tests[index].path.clone(), took));
        Ok(Learned { key, takes: takes.collect() })
    }

    /// Which tests these are, and which driver.
    fn key(&self, sound: &Path) -> Result<String> {
        let mut files: Vec<_> = self.tests.iter().map(|test| test.binary.as_path()).collect();
        files.dedup();
        let described = files.into_iter().map(|file| {
            let data = fs::metadata(file).with_context(|| format!("look at {}", file.display()))?;
            Ok(format!("{} {} {:?}", file.display(), data.len(), data.modified()?).into_bytes())
        });
        let mut parts: Vec<_> = described.collect::<Result<_>>()?;
        parts.push(image::code(sound)?);
        Ok(hash(parts))
    }

    /// Looks for a test that fails on `image`, one at a time, or sees whether the `only` one does.
    pub fn first_failure(&self, image: &Path, only: Option<&str>) -> Result<Search> {
        let order = match only {
            Some(only) => {
                let found = self.tests.iter().position(|test| test.path == only);
                vec![found.with_context(|| format!("there is no test {only}"))?]
            }
            None => self.all(),
        };
        let Runs { failed, took } = self.run(image, &order, 1)?;
        Ok(self.search(failed, took.len()))
    }

    /// Looks for a test that fails on an `image` with a breakage in `file`, one at a time. Those that have failed on other breakages of
    /// it come first: they are about the same thing, and find sooner what makes others spin.
    pub fn first_failure_about(&self, file: &str, image: &Path) -> Result<Search> {
        let mut order = lock(&self.noticed).get(file).cloned().unwrap_or_default();
        order.reverse();
        let others: Vec<_> = self.all().into_iter().filter(|index| !order.contains(index)).collect();
        order.extend(others);
        let Runs { failed, took } = self.run(image, &order, 1)?;
        if let Some(index) = failed {
            let mut noticed = lock(&self.noticed);
            let noticed = noticed.entry(file.to_owned()).or_default();
            noticed.retain(|other| *other != index);
            noticed.push(index);
        }
        Ok(self.search(failed, took.len()))
    }

    fn all(&self) -> Vec<usize> {
        (0..self.tests.len()).collect()
    }

    fn search(&self, failed: Option<usize>, runs: usize) -> Search {
        let failed = failed.map(|index| &self.tests[index]);
        let program = failed.map_or("", |test| test.program);
        Search { failed: failed.map(|test| test.path.clone()), program, runs }
    }

    /// Runs tests on `image`, in this order, until one fails. Says which, and how long each took.
    fn run(&self, image: &Path, order: &[usize], at_once: usize) -> Result<Runs> {
        let next = AtomicUsize::new(0);
        let failed = OnceLock::new();
        let took = Mutex::new(Vec::new());
        let work = || -> Result<()> {
            while failed.get().is_none() {
                let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                let test = &self.tests[index];
                let start = Instant::now();
                if !test.passes(image, &self.arm64, || failed.get().is_some())? {
                    // A test that was stopped because another has failed comes too late here.
                    let _ = failed.set(index);
                }
                lock(&took).push((index, start.elapsed()));
            }
            Ok(())
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("running a test does not panic"))
        })?;
        let took = took.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Runs { failed: failed.into_inner(), took })
    }
}

impl Test {
    /// Whether it passes on `image`; it is stopped, and fails, when it takes too long or has become `needless`.
    fn passes(&self, image: &Path, arm64: &Path, needless: impl Fn() -> bool) -> Result<bool> {
        let mut run = Command::new(&self.binary);
        run.args(["--exact", &self.path]).env("FLOWTAG_SYS", image).env("RUST_BACKTRACE", "0");
        ends_well(run.env("FLOWTAG_PACKAGE_ARM64", arm64), self.patience(), needless)
    }

    fn patience(&self) -> Duration {
        self.takes.map_or(PATIENCE, |takes| PATIENCE_WITH_QUICK_ONES + takes * SLOWER)
    }
}

fn tests_of(program: &'static str, binary: &Path) -> Result<Vec<Test>> {
    let list = Command::new(binary).args(["--list", "--format", "terse"]).output();
    let list = list.with_context(|| format!("start {}", binary.display()))?;
    let list = String::from_utf8_lossy(&list.stdout);
    let paths = list.lines().filter_map(|line| line.strip_suffix(": test"));
    let test = |path: &str| Test { program, binary: binary.to_owned(), path: path.to_owned(), takes: None };
    Ok(paths.map(test).collect())
}
