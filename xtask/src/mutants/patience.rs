//! Ending what does not end. How long a test waits for the processor says nothing, least of all on a busy machine: so what counts
//! is the time on the processor, and a standstill.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// How long it may stand still.
const STANDSTILL: Duration = Duration::from_mins(1);
/// What uses no more of the processor in that time stands still: a thread that looks ten times a second whether another has ended
/// uses some, for hours. On two processors that fifty others want, a test that has something to do gets it all the same.
const NEXT_TO_NOTHING: Duration = Duration::from_secs(2);
/// How often the processor's time is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Linux counts the time of a process in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// Whether a command ends well with no more than this time on the processor, before it becomes `needless`.
pub fn ends_well(command: &mut Command, limit: Duration, needless: impl Fn() -> bool) -> Result<bool> {
    let mut child = start(command, Stdio::null())?;
    wait(&mut child, limit, needless)
}

/// The same for a program of tests, which is ended when the first has failed: others might not end of their own accord.
pub fn all_pass(command: &mut Command, limit: Duration) -> Result<bool> {
    let mut child = start(command, Stdio::piped())?;
    let output = BufReader::new(child.stdout.take().context("the output is piped")?);
    let failed = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for line in output.lines().map_while(std::io::Result::ok) {
                failed.fetch_or(line.ends_with("... FAILED"), Ordering::Relaxed);
            }
        });
        wait(&mut child, limit, || failed.load(Ordering::Relaxed))
    })
}

fn start(command: &mut Command, output: Stdio) -> Result<Child> {
    let silent = command.stdin(Stdio::null()).stdout(output).stderr(Stdio::null());
    silent.spawn().with_context(|| format!("start {}", command.get_program().display()))
}

fn wait(child: &mut Child, limit: Duration, needless: impl Fn() -> bool) -> Result<bool> {
    let (mut pace, mut looked) = (Pace::from(Instant::now()), Instant::now());
    loop {
        if let Some(status) = child.try_wait().context("wait for a child")? {
            return Ok(status.success());
        }
        if needless() {
            end(child)?;
            return Ok(false);
        }
        if looked.elapsed() >= LOOK_EVERY {
            looked = Instant::now();
            let used =
                Process::all().iter().filter(|process| process.is_of(child.id())).map(|process| process.used).sum();
            if used > limit || pace.stands_still(used, looked) {
                end(child)?;
                return Ok(false);
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// How fast it gets on.
struct Pace {
    /// What it had used when it was last seen to move, and when that was.
    used: Duration,
    moved: Instant,
}

impl Pace {
    fn from(start: Instant) -> Self {
        Self { used: Duration::ZERO, moved: start }
    }

    /// Whether it stands still, having used this much by now. Less than before means that a part of it has ended.
    fn stands_still(&mut self, used: Duration, now: Instant) -> bool {
        if used < self.used || used > self.used + NEXT_TO_NOTHING {
            *self = Self { used, moved: now };
        }
        now.duration_since(self.moved) > STANDSTILL
    }
}

/// Ends a child and what it has started.
fn end(child: &mut Child) -> Result<()> {
    let family: Vec<_> = Process::all().into_iter().filter(|process| process.is_of(child.id())).collect();
    let mut kill = Command::new("kill");
    kill.arg("-KILL").args(family.iter().map(|process| process.lineage[0].to_string()));
    kill.stdout(Stdio::null()).stderr(Stdio::null()).status().context("end a child")?;
    child.wait().context("wait for a child")?;
    Ok(())
}

/// A process of this machine.
struct Process {
    /// Itself, its parent, and so on.
    lineage: Vec<u32>,
    /// Its time on the processor.
    used: Duration,
}

impl Process {
    fn is_of(&self, ancestor: u32) -> bool {
        self.lineage.contains(&ancestor)
    }

    fn all() -> Vec<Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let rows: Vec<_> =
            numbers.filter_map(|pid| row(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect();
        let parent = |pid: u32| rows.iter().find(|row| row.0 == pid).map(|row| row.1).filter(|parent| *parent != 0);
        let lineage = |pid| std::iter::successors(Some(pid), |pid| parent(*pid)).collect();
        rows.iter().map(|(pid, _, used)| Self { lineage: lineage(*pid), used: *used }).collect()
    }
}

/// A process, its parent and its time: the fourth, fourteenth and fifteenth fields of its `stat` (proc(5)). The second is its name
/// between parentheses, which may have blanks.
fn row(pid: u32, stat: &str) -> Option<(u32, u32, Duration)> {
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u32>().ok()?.saturating_add(fields.get(12)?.parse().ok()?);
    Some((pid, fields.get(1)?.parse().ok()?, TICK * ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> bool {
        ends_well(Command::new("/bin/sh").args(["-c", script]), limit, || false).unwrap()
    }

    #[test]
    fn what_ends_well_ends_well() {
        assert!(shell("exit 0", Duration::from_mins(1)));
    }

    #[test]
    fn what_fails_does_not_end_well() {
        assert!(!shell("exit 1", Duration::from_mins(1)));
    }

    #[test]
    fn what_spins_is_ended_and_so_is_what_it_has_started() {
        let start = Instant::now();
        assert!(!shell("sleep 987654 & while :; do :; done", Duration::from_millis(300)));
        assert!(start.elapsed() < Duration::from_mins(10));
        let left = Command::new("pgrep").args(["-f", "^sleep 987654"]).output().unwrap();
        assert!(left.stdout.is_empty());
    }

    #[test]
    fn tests_of_which_one_has_failed_are_ended_though_another_spins() {
        let passes = |script| all_pass(Command::new("/bin/sh").args(["-c", script]), Duration::MAX).unwrap();
        assert!(!passes("echo 'test a ... FAILED'; while :; do :; done"));
        assert!(!passes("echo 'test a ... ok'; exit 1"));
        assert!(passes("echo 'test a ... ok'"));
    }

    #[test]
    fn what_has_become_needless_is_ended() {
        assert!(!ends_well(Command::new("/bin/sleep").arg("600"), Duration::MAX, || true).unwrap());
    }

    /// Whether it stands still after two minutes in which it uses so many hundredths of the processor.
    fn stands_still(hundredths: u32) -> bool {
        let start = Instant::now();
        let mut pace = Pace::from(start);
        (0..120).map(Duration::from_secs).any(|passed| pace.stands_still(passed * hundredths / 100, start + passed))
    }

    #[test]
    fn what_looks_now_and_then_whether_something_ends_stands_still() {
        assert!(stands_still(0));
        assert!(stands_still(1));
        assert!(!stands_still(5));
    }

    #[test]
    fn what_sees_parts_of_it_end_does_not_stand_still() {
        let start = Instant::now();
        let mut pace = Pace::from(start);
        assert!(!pace.stands_still(Duration::from_secs(9), start));
        assert!(!pace.stands_still(Duration::from_secs(8), start + STANDSTILL));
        assert!(!pace.stands_still(Duration::from_secs(8), start + STANDSTILL * 2));
        assert!(pace.stands_still(Duration::from_secs(8), start + STANDSTILL * 2 + Duration::from_secs(1)));
    }

    #[test]
    fn a_name_with_blanks_and_parentheses_is_no_field() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 2 0 0 150 50 0 0 20 0 1 0 5 0 0";
        assert_eq!(row(7, stat), Some((7, 1, Duration::from_secs(2))));
    }
}
