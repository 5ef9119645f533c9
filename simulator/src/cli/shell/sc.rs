//! `sc`, for kernel drivers: texts, states and error numbers as on Windows.

use std::path::Path;

use super::Output;
use crate::{
    computer::Machine,
    kernel::debug_print::DebugLine,
    service::{Config, ServiceError, StartType, State, Status, Win32Error},
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

const USAGE: &str = "\
usage: sc create NAME type= kernel binPath= PATH [start= demand] [DisplayName= TEXT]
       sc start|stop|query|qc|delete NAME
";

pub(super) fn execute(machine: &Machine, drivers: &Path, words: &[&str]) -> Output {
    let Some((&verb, rest)) = words.split_first() else { return Output::unusable(USAGE) };
    match (verb.to_ascii_lowercase().as_str(), rest) {
        ("create", [name, options @ ..]) => create(machine, drivers, name, options),
        ("create", []) => Output::unusable(CREATE_USAGE),
        ("start", [name, ..]) => start(machine, name),
        ("stop", [name]) => stop(machine, name),
        ("query", [name]) => match machine.query_service(name) {
            Ok(status) => Output::done(block(name, status, false)),
            Err(error) => failed("EnumQueryServicesStatus:OpenService", error),
        },
        ("qc", [name]) => match machine.service_config(name) {
            Ok(config) => Output::done(configuration(name, &config)),
            Err(error) => failed("OpenService", error),
        },
        ("delete", [name]) => match machine.delete_service(name) {
            Ok(()) => Output::done("[SC] DeleteService SUCCESS\n"),
            Err(error) if error == Win32Error::SERVICE_DOES_NOT_EXIST => failed("OpenService", error),
            Err(error) => failed("DeleteService", error),
        },
        _ => Output::unusable(USAGE),
    }
}

fn create(machine: &Machine, drivers: &Path, name: &str, options: &[&str]) -> Output {
    let mut config = Config { drivers: drivers.into(), ..Config::default() };
    let mut kernel = false;
    for pair in options.chunks(2) {
        let &[option, value] = pair else {
            return Output::unusable(format!("{CREATE_USAGE}\n'{}' has no value\n", pair[0]));
        };
        match option.to_ascii_lowercase().as_str() {
            "type=" if value.eq_ignore_ascii_case("kernel") => kernel = true,
            "binpath=" => config.binary_path = value.into(),
            "displayname=" => config.display_name = value.into(),
            "start=" => match start_type(value) {
                Some(start) => config.start = start,
                None => return Output::unusable(format!("{CREATE_USAGE}\n'{value}' is no value for start=\n")),
            },
            "error=" => {}
            _ if option.contains('=') && !option.ends_with('=') => {
                return Output::unusable(format!(
                    "{CREATE_USAGE}\n'{option}': a space belongs behind the equal sign\n"
                ));
            }
            _ => return Output::unusable(format!("{CREATE_USAGE}\n'{option} {value}' is not known here\n")),
        }
    }
    if !kernel {
        let missing = "type= kernel is missing: without it Windows takes the file for a program";
        return Output::unusable(format!("{CREATE_USAGE}\n{missing}\n"));
    }
    if config.binary_path.is_empty() {
        return Output::unusable(format!("{CREATE_USAGE}\nbinPath= is missing\n"));
    }
    match machine.create_service(name, config) {
        Ok(()) => Output::done("[SC] CreateService SUCCESS\n"),
        Err(error) => failed("CreateService", error),
    }
}

fn start_type(word: &str) -> Option<StartType> {
    match word.to_ascii_lowercase().as_str() {
        "boot" => Some(StartType::Boot),
        "system" => Some(StartType::System),
        "auto" => Some(StartType::Auto),
        "demand" => Some(StartType::Demand),
        "disabled" => Some(StartType::Disabled),
        _ => None,
    }
}

fn start(machine: &Machine, name: &str) -> Output {
    let refusals = machine.kmdf().refusals();
    match machine.start_service(name) {
        Ok(status) => Output::done(block(name, status, true)),
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
        Ok(status) => Output::done(block(name, status, false)),
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

/// The block that `sc query` prints; `sc start` shows the process besides.
fn block(name: &str, status: Status, with_process: bool) -> String {
    let state = match status.state {
        State::Stopped => "STOPPED",
        State::StartPending => "START_PENDING",
        State::StopPending => "STOP_PENDING",
        State::Running => "RUNNING",
    };
    let exit_code = status.exit_code.0;
    let mut lines = vec![
        String::new(),
        format!("SERVICE_NAME: {name}"),
        field("TYPE", "1  KERNEL_DRIVER"),
        field("STATE", &format!("{}  {state}", status.state as u8)),
    ];
    if status.state != State::Stopped {
        let stoppable = if status.stoppable { "STOPPABLE" } else { "NOT_STOPPABLE" };
        lines.push(format!("{:32}({stoppable}, NOT_PAUSABLE, IGNORES_SHUTDOWN)", ""));
    }
    lines.extend([
        field("WIN32_EXIT_CODE", &format!("{exit_code}  ({exit_code:#x})")),
        field("SERVICE_EXIT_CODE", "0  (0x0)"),
        field("CHECKPOINT", "0x0"),
        field("WAIT_HINT", "0x0"),
    ]);
    if with_process {
        lines.extend([field("PID", "0"), field("FLAGS", "")]);
    }
    lines.join("\n") + "\n"
}

/// What `sc qc` prints.
fn configuration(name: &str, config: &Config) -> String {
    let start = match config.start {
        StartType::Boot => "BOOT_START",
        StartType::System => "SYSTEM_START",
        StartType::Auto => "AUTO_START",
        StartType::Demand => "DEMAND_START",
        StartType::Disabled => "DISABLED",
    };
    let lines = [
        "[SC] QueryServiceConfig SUCCESS".into(),
        String::new(),
        format!("SERVICE_NAME: {name}"),
        field("TYPE", "1  KERNEL_DRIVER"),
        field("START_TYPE", &format!("{}   {start}", config.start as u8)),
        field("ERROR_CONTROL", "1   NORMAL"),
        field("BINARY_PATH_NAME", &config.binary_path),
        field("LOAD_ORDER_GROUP", ""),
        field("TAG", "0"),
        field("DISPLAY_NAME", if config.display_name.is_empty() { name } else { &config.display_name }),
        field("DEPENDENCIES", ""),
        field("SERVICE_START_NAME", ""),
    ];
    lines.join("\n") + "\n"
}

fn field(label: &str, value: &str) -> String {
    format!("        {label:<19}: {value}").trim_end().into()
}
