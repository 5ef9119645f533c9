//! The processes that the demo has started, as Linux knows them: the truth about keys. None of it comes from the probes.

use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::traffic::live::booted;

/// What /proc counts time in (`proc_pid_stat(5)`, starttime: the kernel's `USER_HZ`, 100 a second on x86), in units of 100 ns.
pub const TICK: u64 = 100_000;

/// A process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// The id of the process that started it.
    pub parent: u32,
    /// The [`TICK`] in which it began, in units of 100 ns since 1601, UTC.
    pub created: u64,
    /// The program, as it was asked for. Two of one name have the same file.
    pub program: String,
    /// When it was asked for, on the monotonic clock in seconds: before it began.
    pub launched: f64,
    /// When it had exited, and its id was free.
    pub ended: Option<f64>,
}

impl Process {
    /// A child of this process that nobody has waited for yet: it may have exited, its id is still its own.
    ///
    /// # Errors
    /// /proc is not what `proc_pid_stat(5)` says.
    pub fn child(pid: u32, program: String, launched: f64) -> Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let (parent, started) = parent_and_start(&text).with_context(|| format!("{path} says {text}"))?;
        Ok(Self { pid, parent, created: booted() + started * TICK, program, launched, ended: None })
    }

    /// Whether this is the process that had its id and began then.
    #[must_use]
    pub fn is(&self, pid: u32, created: u64) -> bool {
        self.pid == pid && created.checked_sub(self.created).is_some_and(|since| since < TICK)
    }
}

/// Fields 4 and 22. The second one is a name in parentheses, which may have any character in it.
fn parent_and_start(stat: &str) -> Option<(u32, u64)> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let parent = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some((parent, started))
}

#[cfg(test)]
mod tests {
    use std::process::{self, Command};

    use super::*;

    #[test]
    fn a_child_that_has_exited_is_known_until_somebody_waits_for_it() {
        let mut child = Command::new("true").spawn().unwrap();
        while !fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap().contains(") Z ") {}

        let known = Process::child(child.id(), "true".into(), 1.5).unwrap();
        child.wait().unwrap();

        assert_eq!((known.pid, known.parent, known.ended), (child.id(), process::id(), None));
        assert!(known.created > booted());
        assert!(Process::child(child.id(), "true".into(), 1.5).is_err());
    }

    #[test]
    fn a_name_may_look_like_fields() {
        let stat = "42 (a) S 7 ) S 31 42 42 0 -1 4194560 1 0 0 0 1 0 0 0 20 0 1 0 4500 1 1";

        assert_eq!(parent_and_start(stat), Some((31, 4500)));
    }

    #[test]
    fn a_process_is_known_by_id_and_tick() {
        let process =
            Process { pid: 42, parent: 1, created: 5 * TICK, program: String::new(), launched: 0.0, ended: None };

        assert!(process.is(42, 5 * TICK) && process.is(42, 6 * TICK - 1));
        assert!(!process.is(43, 5 * TICK) && !process.is(42, 6 * TICK) && !process.is(42, 5 * TICK - 1));
    }
}
