//! The base filtering engine, as a service: its type and that it can be stopped are those of a listing in
//! hfiref0x/VBoxHardenedLoader issue 48.
//!
//! Simplifications: nothing depends on it, where Windows' firewall does and `sc stop` answers 1051 as long as that runs; and it
//! has started or stopped at once, where Windows shows it pending, with its process.

use super::{failed, show};
use crate::{
    cli::shell::Output,
    computer::Machine,
    referee::BugCheck,
    service::{State, Status, Win32Error},
};

/// Its name.
pub(super) const NAME: &str = "bfe";

pub(super) fn execute(machine: &Machine, verb: &str) -> Output {
    match verb {
        "query" => Output::done(status(machine)),
        "start" if machine.bfe_runs() => failed("StartService", Win32Error::SERVICE_ALREADY_RUNNING),
        "start" => reached(machine, machine.start_bfe()),
        "stop" if !machine.bfe_runs() => failed("ControlService", Win32Error::SERVICE_NOT_ACTIVE),
        "stop" => reached(machine, machine.stop_bfe()),
        "create" => failed("CreateService", Win32Error::SERVICE_EXISTS),
        _ => Output::unusable("bfe can only be started, stopped and queried here\n"),
    }
}

fn reached(machine: &Machine, outcome: Result<(), BugCheck>) -> Output {
    match outcome {
        Ok(()) => Output::done(status(machine)),
        Err(bug_check) => Output::bug_check(&bug_check),
    }
}

fn status(machine: &Machine) -> String {
    let runs = machine.bfe_runs();
    let state = if runs { State::Running } else { State::Stopped };
    show::block(NAME, "20  WIN32_SHARE_PROCESS", Status { state, stoppable: runs, exit_code: Win32Error(0) }, false)
}
