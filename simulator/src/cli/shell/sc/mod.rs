//! `sc`, for kernel drivers and the base filtering engine: texts, states and error numbers as on Windows.

mod bfe;
mod options;
mod show;

use std::path::Path;

use options::Options;

use super::outcome::Output;
use crate::{
    computer::Machine,
    kernel::debug_print::DebugLine,
    service::{Config, ServiceError, Win32Error},
};

const CREATE_USAGE: &str = "\
DESCRIPTION:
        Creates a service entry in the registry and Service Database.
USAGE:
        sc create [service name] [binPath= ] <option1> <option2>...

OPTIONS:
NOTE: The option name includes the equal sign.
      A space is required between the equal sign and the value.
 type= <kernel>
 start= <boot|system|auto|demand|disabled>
       (default = demand)
 error= <normal|severe|critical|ignore>
       (default = normal)
 binPath= <BinaryPathName to the .sys file>
 DisplayName= <display name>
";

const CONFIG_USAGE: &str = "\
DESCRIPTION:
        Modifies a service entry in the registry and Service Database.
USAGE:
        sc config [service name] <option1> <option2>...

OPTIONS:
NOTE: The option name includes the equal sign.
      A space is required between the equal sign and the value.
 type= <kernel>
 start= <boot|system|auto|demand|disabled>
 error= <normal|severe|critical|ignore>
 binPath= <BinaryPathName>
 DisplayName= <display name>
";

const USAGE: &str = "\
usage: sc create NAME type= kernel binPath= PATH [start= demand] [DisplayName= TEXT]
       sc config NAME [start= auto] [binPath= PATH] [DisplayName= TEXT]
       sc start|stop|query|qc|delete NAME
       sc start|stop|query bfe
";

pub(super) fn execute(machine: &Machine, drivers: &Path, words: &[&str]) -> Output {
    let Some((&verb, rest)) = words.split_first() else { return Output::unusable(USAGE) };
    match (verb.to_ascii_lowercase().as_str(), rest) {
        ("create", []) => Output::unusable(CREATE_USAGE),
        ("config", [] | [_]) => Output::unusable(CONFIG_USAGE),
        (verb, [name, ..]) if name.eq_ignore_ascii_case(bfe::NAME) => bfe::execute(machine, verb),
        ("create", [name, options @ ..]) => create(machine, drivers, name, options),
        ("config", [name, options @ ..]) => configure(machine, name, options),
        ("start", [name, ..]) => start(machine, name),
        ("stop", [name]) => stop(machine, name),
        ("query", [name]) => match machine.query_service(name) {
            Ok(status) => Output::done(show::status(name, status, false)),
            Err(error) => failed("EnumQueryServicesStatus:OpenService", error),
        },
        ("qc", [name]) => match machine.service_config(name) {
            Ok(config) => Output::done(show::configuration(name, &config)),
            Err(error) => failed("OpenService", error),
        },
        ("delete", [name]) => opened("DeleteService", machine.delete_service(name)),
        _ => Output::unusable(USAGE),
    }
}

fn create(machine: &Machine, drivers: &Path, name: &str, words: &[&str]) -> Output {
    let unusable = |problem: &str| Output::unusable(format!("{CREATE_USAGE}\n{problem}\n"));
    let options = match Options::parse(words) {
        Ok(options) => options,
        Err(problem) => return unusable(&problem),
    };
    if !options.kernel {
        return unusable("type= kernel is missing: without it Windows takes the file for a program");
    }
    let mut config = Config { drivers: drivers.into(), ..Config::default() };
    options.apply(&mut config);
    if config.binary_path.is_empty() {
        return unusable("binPath= is missing");
    }
    match machine.create_service(name, config) {
        Ok(()) => Output::done("[SC] CreateService SUCCESS\n"),
        Err(error) => failed("CreateService", error),
    }
}

fn configure(machine: &Machine, name: &str, words: &[&str]) -> Output {
    match Options::parse(words) {
        Ok(options) => opened("ChangeServiceConfig", machine.change_service(name, |config| options.apply(config))),
        Err(problem) => Output::unusable(format!("{CONFIG_USAGE}\n{problem}\n")),
    }
}

/// What comes of a function that is called once the service is opened.
fn opened(function: &str, outcome: Result<(), Win32Error>) -> Output {
    match outcome {
        Ok(()) => Output::done(format!("[SC] {function} SUCCESS\n")),
        Err(error) if error == Win32Error::SERVICE_DOES_NOT_EXIST => failed("OpenService", error),
        Err(error) => failed(function, error),
    }
}

fn start(machine: &Machine, name: &str) -> Output {
    let refusals = machine.kmdf().refusals();
    match machine.start_service(name) {
        Ok(status) => Output::done(show::status(name, status, true)),
        Err(ServiceError::Win32(error)) if error == Win32Error::SERVICE_DOES_NOT_EXIST => {
            failed("StartService: OpenService", error)
        }
        Err(error @ ServiceError::Entry(_)) => {
            let mut output = refused("StartService", &error);
            let why = why_entry_failed(machine.kmdf().refusals() > refusals, &machine.debug_print().lines());
            output.text += &["  ", why, "\n"].concat();
            output
        }
        Err(error) => refused("StartService", &error),
    }
}

/// Where a user finds out more: what the driver has printed since the command began, if it has come to that.
fn why_entry_failed(refused_by_framework: bool, printed: &[DebugLine]) -> &'static str {
    if refused_by_framework {
        "the framework refused to bind it (WdfVersionBind): its own DriverEntry has not run"
    } else if printed.iter().any(|line| line.shown) {
        "its trace lines say why"
    } else if printed.is_empty() {
        "it has printed nothing"
    } else {
        "what it has printed is not shown; `help` says how to see it"
    }
}

fn stop(machine: &Machine, name: &str) -> Output {
    match machine.stop_service(name) {
        Ok(status) => Output::done(show::status(name, status, false)),
        Err(ServiceError::Win32(error)) if error == Win32Error::SERVICE_DOES_NOT_EXIST => failed("OpenService", error),
        Err(error) => refused("ControlService", &error),
    }
}

/// What Windows says, and then what the simulator knows besides.
fn refused(function: &str, error: &ServiceError) -> Output {
    let Some(win32) = error.win32() else {
        let ServiceError::BugCheck(bug_check) = error else { return Output::failed(format!("{error}\n")) };
        return Output::bug_check(bug_check);
    };
    let windows = failed(function, win32);
    match error {
        ServiceError::Win32(_) => windows,
        ServiceError::Load(_) => Output::unusable(format!("{}error: {error}\n", windows.text)),
        _ => Output::failed(format!("{}error: {error}\n", windows.text)),
    }
}

fn failed(function: &str, error: Win32Error) -> Output {
    Output::failed(format!("[SC] {function} FAILED {}:\n\n{error}\n\n", error.0))
}
