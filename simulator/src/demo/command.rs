//! A command of the user's own: waiting for it, and ending it at Ctrl-C.

use std::{
    fmt,
    os::unix::process::ExitStatusExt,
    process::{Child, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// How the command ended, with what the system says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Well.
    Well,
    /// It failed.
    Failed(String),
    /// By Ctrl-C.
    Interrupted(String),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Well => f.write_str("The command ended well."),
            Self::Failed(status) => write!(f, "The command failed: {status}."),
            Self::Interrupted(status) => write!(f, "The command was interrupted, and ended: {status}."),
        }
    }
}

/// Lets things happen by `meanwhile` until the command ends. Once `interrupted` says so it has `patience` to end by itself:
/// what Ctrl-C sends goes to it, too. Then it is asked to, and as much later it is made to.
///
/// # Errors
/// Those of `meanwhile`, or nobody knows of the process.
pub fn wait(
    child: &mut Child,
    patience: Duration,
    interrupted: impl Fn() -> bool,
    mut meanwhile: impl FnMut() -> Result<()>,
) -> Result<Ended> {
    let mut since: Option<Instant> = None;
    let mut asked = false;
    loop {
        meanwhile()?;
        if let Some(status) = child.try_wait().context("wait for the command")? {
            return Ok(ended(status, interrupted()));
        }
        if !interrupted() {
            continue;
        }
        let waited = since.get_or_insert_with(Instant::now).elapsed();
        if waited >= patience && !asked {
            asked = true;
            ask_to_end(child);
        }
        if waited >= 2 * patience {
            child.kill().context("end the command")?;
        }
    }
}

fn ask_to_end(child: &Child) {
    let id = child.id().cast_signed();
    // SAFETY: a signal to a process that nobody has waited for yet: the id is still its own.
    unsafe { libc::kill(id, libc::SIGTERM) };
}

fn ended(status: ExitStatus, interrupted: bool) -> Ended {
    // It may hear of Ctrl-C before this program does.
    match (interrupted || status.signal() == Some(libc::SIGINT), status.success()) {
        (true, _) => Ended::Interrupted(status.to_string()),
        (false, true) => Ended::Well,
        (false, false) => Ended::Failed(status.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::{process::Command, thread};

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);

    fn waited(script: &str, patience: Duration, interrupted: bool) -> Ended {
        let mut child = Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
        let pause = || {
            thread::sleep(Duration::from_millis(2));
            Ok(())
        };
        wait(&mut child, patience, || interrupted, pause).unwrap()
    }

    #[test]
    fn a_command_that_fails_is_told_from_one_that_ends_well() {
        assert_eq!(waited("exit 0", SHORT, false), Ended::Well);
        assert_eq!(waited("exit 3", SHORT, false), Ended::Failed("exit status: 3".into()));
    }

    #[test]
    fn a_command_may_end_by_itself_after_an_interruption() {
        assert_eq!(
            waited("sleep 0.1; exit 7", Duration::from_mins(1), true),
            Ended::Interrupted("exit status: 7".into())
        );
    }

    #[test]
    fn a_command_that_ctrl_c_has_ended_was_interrupted() {
        // Not by a command's own `kill`: whoever starts the tests in the background has them, and it, ignore the signal.
        let status = ExitStatus::from_raw(libc::SIGINT);
        assert_eq!(ended(status, false), Ended::Interrupted("signal: 2 (SIGINT)".into()));
    }

    #[test]
    fn an_interrupted_command_that_stays_is_asked_to_end() {
        assert_eq!(waited("exec sleep 60", SHORT, true), Ended::Interrupted("signal: 15 (SIGTERM)".into()));
    }

    #[test]
    fn an_interrupted_command_that_does_not_listen_is_killed() {
        let deaf = "trap '' TERM; while :; do sleep 0.1; done";
        assert_eq!(waited(deaf, Duration::from_millis(500), true), Ended::Interrupted("signal: 9 (SIGKILL)".into()));
    }
}
