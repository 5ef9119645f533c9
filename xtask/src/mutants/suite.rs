//! The tests that mutants are held against, each run in a process of its own, two at a time.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{driver, process, setup, target::Target, workspace};

/// The test binaries that look at the image.
const BINARIES: [&str; 2] = ["scenarios", "image"];

/// Tests that run at once.
const AT_ONCE: usize = 2;

/// The referee ends most drivers that wait or spin for ever well before this.
const PATIENCE: Duration = Duration::from_secs(90);

/// One test.
struct Test {
    binary: PathBuf,
    /// Its path within the binary.
    path: String,
    /// How long it takes on the sound driver.
    takes: Duration,
}

/// All tests.
pub struct Suite {
    tests: Vec<Test>,
    /// Where the sound image for ARM64 is, which tests of both images look at as well.
    arm64: PathBuf,
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
    /// How many tests ran.
    pub runs: usize,
}

impl Suite {
    /// Builds the test binaries and lists their tests.
    pub fn build() -> Result<Self> {
        let mut tests = Vec::new();
        for binary in workspace::build_tests(&BINARIES)? {
            tests.extend(tests_of(&binary)?);
        }
        setup::ensure(Target::Arm64, &[])?;
        let arm64 = driver::build(Target::Arm64)?.parent().context("an image lies in a folder")?.to_owned();
        Ok(Self { tests, arm64 })
    }

    /// Runs every test on the sound driver, and puts the quick ones first. Fails when one fails.
    pub fn learn(&mut self, sound: &Path) -> Result<()> {
        let Runs { failed, took } = self.run(sound, None)?;
        if let Some(index) = failed {
            bail!("{} fails on the driver as it is: mend that first", self.tests[index].path);
        }
        for (index, took) in took {
            self.tests[index].takes = took;
        }
        self.tests.sort_by_key(|test| test.takes);
        Ok(())
    }

    /// Looks for a test that fails on `image`, or sees whether the `only` one does.
    pub fn first_failure(&self, image: &Path, only: Option<&str>) -> Result<Search> {
        let Runs { failed, took } = self.run(image, only)?;
        Ok(Search { failed: failed.map(|index| self.tests[index].path.clone()), runs: took.len() })
    }

    /// Runs the tests on `image` until one fails. Says which, and how long each took.
    fn run(&self, image: &Path, only: Option<&str>) -> Result<Runs> {
        let next = AtomicUsize::new(0);
        let failed = OnceLock::new();
        let took = Mutex::new(Vec::new());
        let work = || -> Result<()> {
            while failed.get().is_none() {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(test) = self.tests.get(index) else { break };
                if only.is_some_and(|only| test.path != only) {
                    continue;
                }
                let start = Instant::now();
                if !test.passes(image, &self.arm64, || failed.get().is_some())? {
                    // A test that was stopped because another has failed comes too late here.
                    let _ = failed.set(index);
                }
                took.lock().unwrap_or_else(PoisonError::into_inner).push((index, start.elapsed()));
            }
            Ok(())
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
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
        run.env("FLOWTAG_PACKAGE_ARM64", arm64).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = run.spawn().with_context(|| format!("start {}", self.binary.display()))?;
        let deadline = Instant::now() + PATIENCE;
        let status = process::wait_unless(&mut child, || needless() || Instant::now() > deadline)?;
        Ok(status.is_some_and(|status| status.success()))
    }
}

fn tests_of(binary: &Path) -> Result<Vec<Test>> {
    let list = Command::new(binary).args(["--list", "--format", "terse"]).output();
    let list = list.with_context(|| format!("start {}", binary.display()))?;
    let list = String::from_utf8_lossy(&list.stdout);
    let paths = list.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(paths.map(|path| Test { binary: binary.to_owned(), path: path.to_owned(), takes: Duration::ZERO }).collect())
}
