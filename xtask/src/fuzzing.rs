//! libFuzzer on everything that reads foreign data: builds `flowtag-fuzz` with coverage and `AddressSanitizer`, and runs its
//! targets, one on each processor at a time.
//!
//! Stable Rust has what libFuzzer needs, behind switches: the pass that instruments branches, and the sanitizer, which wants
//! `RUSTC_BOOTSTRAP`. Everything goes to a target folder of its own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;

use crate::{
    checks::{Request, Row},
    process, setup,
    target::Target,
    workspace::{self, HOST},
};

/// Seconds for each target, every day.
const QUICK: u64 = 5;
/// Seconds for each target in a full run.
const FULL: u64 = 60;
/// How long a target may take to end once its time is over.
const GRACE: Duration = Duration::from_mins(2);

const FLAGS: &str = "-Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// The check of `cargo xtask verify`.
pub fn check(request: &Request) -> Result<Row> {
    let start = Instant::now();
    let fuzzer = Fuzzer::build()?;
    let runs = fuzzer.run(&targets()?, if request.quick { QUICK } else { FULL })?;
    let inputs = runs.iter().map(|run| run.inputs).sum();
    let kept = runs.iter().map(|run| run.kept).sum();
    let failures = runs.iter().filter(|run| run.crashed).count() as u64;
    Ok(Row::new("fuzz", start, inputs, kept, failures).with("fuzz_inputs", inputs))
}

/// Fuzzes one target, or all; with `keep`, inputs that reach more code join the corpus of the repository.
pub fn run(target: Option<&str>, seconds: u64, keep: bool) -> Result<()> {
    let all = targets()?;
    let chosen: Vec<_> = all.iter().filter(|name| target.is_none_or(|target| target == *name)).cloned().collect();
    ensure!(!chosen.is_empty(), "there is no such target; there are {}", all.join(", "));
    let fuzzer = Fuzzer::build()?;
    let runs = fuzzer.run(&chosen, seconds)?;
    for run in &runs {
        println!("{:<14} {:>12} inputs, {:>6} kept", run.target, run.inputs, run.kept);
        if keep {
            fuzzer.keep(&run.target)?;
        }
    }
    ensure!(runs.iter().all(|run| !run.crashed), "a target failed (see above)");
    Ok(())
}

/// Runs a target on one input.
pub fn replay(target: &str, input: &Path) -> Result<()> {
    let mut command = Fuzzer::build()?.command(target);
    process::run(command.arg(input), "the input fails")
}

/// What became of one target.
struct Outcome {
    target: String,
    /// Inputs that ran.
    inputs: u64,
    /// Those that each reach something that the others do not.
    kept: u64,
    crashed: bool,
}

/// The names of all targets: each has a corpus.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(corpora()).context("read fuzz/corpus")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The corpora of the repository.
fn corpora() -> PathBuf {
    workspace::root().join("fuzz/corpus")
}

/// The program that is fuzzed.
struct Fuzzer {
    program: PathBuf,
    /// For what it finds and says.
    folder: PathBuf,
}

impl Fuzzer {
    fn build() -> Result<Self> {
        setup::ensure(Target::default(), setup::FUZZING_PROGRAMS)?;
        let folder = workspace::target_folder().join("fuzz");
        let mut build = workspace::cargo();
        build
            .args(["build", "--locked", "--profile", "host", "--package", "flowtag-fuzz", "--features", "libfuzzer"])
            // With a target, build scripts and macros are not instrumented.
            .args(["--target", HOST, "--target-dir"])
            .arg(&folder)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", FLAGS)
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        process::run(&mut build, "flowtag-fuzz did not build")?;
        Ok(Self { program: folder.join(HOST).join("host/flowtag-fuzz"), folder: folder.join("runs") })
    }

    fn command(&self, target: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("FLOWTAG_FUZZ_TARGET", target)
            // Looking for leaks takes ptrace, which not every sandbox has.
            .env("ASAN_OPTIONS", "detect_leaks=0")
            .stdin(Stdio::null());
        command
    }

    /// Runs all targets for so many seconds each.
    fn run(&self, targets: &[String], seconds: u64) -> Result<Vec<Outcome>> {
        let _progress = process::progress(format!("Fuzzing {} targets, {seconds} s each…", targets.len()));
        targets.par_iter().map(|target| self.run_one(target, seconds)).collect()
    }

    fn run_one(&self, target: &str, seconds: u64) -> Result<Outcome> {
        let folder = self.folder.join(target);
        let (found, seeds) = (self.found(target), folder.join("seeds"));
        // A run begins with what is in the repository, and what it makes, so that the seed decides the rest.
        let _ = fs::remove_dir_all(&folder);
        for folder in [&found, &seeds] {
            fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        let log = folder.join("log");
        let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let mut command = self.command(target);
        command
            .args(["-seed=1", "-print_final_stats=1", "-timeout=20", "-rss_limit_mb=2048"])
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", folder.display()))
            .args([&found, &corpora().join(target), &seeds])
            .env("FLOWTAG_FUZZ_SEEDS", &seeds)
            .stdout(Stdio::null())
            .stderr(output);
        let start = Instant::now();
        let mut child = command.spawn().context("start flowtag-fuzz")?;
        let limit = Duration::from_secs(seconds) + GRACE;
        let status = process::wait_unless(&mut child, || start.elapsed() > limit)?;
        let text = fs::read_to_string(&log).with_context(|| format!("read {}", log.display()))?;
        let crashed = status.is_none_or(|status| !status.success());
        if crashed {
            show_failure(target, &folder, &text);
        }
        let kept = fs::read_dir(&found)?.count() + fs::read_dir(corpora().join(target))?.count();
        Ok(Outcome { target: target.to_owned(), inputs: executed(&text), kept: kept as u64, crashed })
    }

    /// Where a target's new inputs lie.
    fn found(&self, target: &str) -> PathBuf {
        self.folder.join(target).join("found")
    }

    /// Adds to a target's corpus what reaches more code.
    fn keep(&self, target: &str) -> Result<()> {
        let mut merge = self.command(target);
        merge.arg("-merge=1").args([&corpora().join(target), &self.found(target)]);
        process::run_quietly(&mut merge, "the corpora could not be merged")
    }
}

/// The end of what libFuzzer said, and how to do it again.
fn show_failure(target: &str, folder: &Path, log: &str) {
    let lines: Vec<_> = log.lines().collect();
    eprintln!("{}", lines[lines.len().saturating_sub(60)..].join("\n"));
    let input = log.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, path)| path);
    if let Some(input) = input {
        eprintln!("fuzz: {target} fails on {input}");
        eprintln!("repeat with: cargo xtask fuzz {target} --replay {input}");
    } else {
        let log = folder.join("log");
        eprintln!("fuzz: {target} did not end well, and left no input; its log is {}", log.display());
    }
}

/// How many inputs ran, from the statistics at the end, or else from the last line with a number.
fn executed(log: &str) -> u64 {
    let statistic = |line: &str| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok();
    let progress = |line: &str| line.strip_prefix('#')?.split_whitespace().next()?.parse().ok();
    let last = log.lines().rev();
    last.clone().find_map(statistic).or_else(|| last.clone().find_map(progress)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statistics_say_how_many_inputs_ran() {
        assert_eq!(executed("#12 REDUCE cov: 3\nstat::number_of_executed_units: 345\n"), 345);
    }

    #[test]
    fn without_statistics_the_last_progress_counts() {
        assert_eq!(executed("#2\tINITED cov: 3\n#12\tNEW cov: 4\n==1== ERROR\n"), 12);
    }
}
