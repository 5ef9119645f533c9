//! Process ids that are used again on purpose.
//!
//! By `clone3` with `set_tid` (`clone(2)`): the kernel gives just this id, or says that somebody has it. It asks for
//! `CAP_SYS_ADMIN` or `CAP_CHECKPOINT_RESTORE`, which root has, in the namespace in which the demo runs. The other way, to write
//! the id before it into `ns_last_pid` (`pid_namespaces(7)`), gives it to whoever is the next to start anything on the machine. In
//! a namespace of the demo's own nobody would come between, but the probes see the ids outside of it, which would not be used
//! again.

use std::{
    io, mem,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Command, ExitStatus},
};

use anyhow::{Context, Result, bail};
use libc::{CLONE_PARENT, SYS_clone3, clone_args, pid_t};

/// Whether this process may choose the ids of others.
///
/// # Errors
/// It may not.
pub fn possible() -> Result<()> {
    // Somebody always has the id 1. That it is taken is said last, after all that forbids the choice.
    let Some(error) = clone_as(1).err() else { bail!("clone3 has given a process the id 1") };
    if error.raw_os_error() == Some(libc::EEXIST) {
        return Ok(());
    }
    Err(error).context("choose a process id by clone3 (this needs root and Linux 5.5 or later)")
}

/// Makes `command` run under the id `pid`, as a child of this process. Between the two there is a process that exits at once: it is
/// the one that `Command::spawn` returns.
pub fn run_as(command: &mut Command, pid: u32) {
    let become_it = move || match clone_as(pid.cast_signed())? {
        0 => Ok(()),
        // SAFETY: no destructors, nothing that the process had before it was forked.
        _ => unsafe { libc::_exit(0) },
    };
    // SAFETY: between fork and exec the closure only calls clone3 and _exit, which are async-signal-safe, and allocates nothing.
    unsafe { command.pre_exec(become_it) };
}

/// Waits until a process exits that [`run_as`] has made.
///
/// # Errors
/// There is none of this id.
pub fn wait_for(pid: u32) -> io::Result<ExitStatus> {
    let mut status = 0;
    // SAFETY: the status is stored in a local; nobody else waits for the child, so that the id is still its own.
    if unsafe { libc::waitpid(pid.cast_signed(), &raw mut status, 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(ExitStatus::from_raw(status))
}

/// Forks, as `fork` does, a brother of this process with this id; 0 in the brother.
fn clone_as(pid: pid_t) -> io::Result<pid_t> {
    // SAFETY: a structure of numbers, of which zero means nothing.
    let mut arguments: clone_args = unsafe { mem::zeroed() };
    // Whoever started this process waits for its brother, too. The signal at its end is this one's, and must not be given.
    arguments.flags = CLONE_PARENT.cast_unsigned().into();
    arguments.set_tid = (&raw const pid).expose_provenance() as u64;
    arguments.set_tid_size = 1;
    // SAFETY: the arguments and the id live here, and are of this size. Memory is copied, as by fork.
    let answer = unsafe { libc::syscall(SYS_clone3, &raw mut arguments, size_of::<clone_args>()) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer as pid_t) }
}
