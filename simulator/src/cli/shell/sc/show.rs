//! What `sc` shows of a service.

use crate::service::{Config, ErrorControl, StartType, State, Status};

/// The block that `sc query` prints; `sc start` shows the process besides.
pub(super) fn status(name: &str, status: Status, with_process: bool) -> String {
    block(name, "1  KERNEL_DRIVER", status, with_process)
}

/// The same for a service of another type.
pub(super) fn block(name: &str, kind: &str, status: Status, with_process: bool) -> String {
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
        field("TYPE", kind),
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

/// What `sc qc` prints: as in the transcripts of Velocidex/WinPmem issue 53 and daem0nc0re/VectorKernel, BlockImageLoad/README.md;
/// the words for boot, system, severe and critical are a guess.
pub(super) fn configuration(name: &str, config: &Config) -> String {
    let start = match config.start {
        StartType::Boot => "BOOT_START",
        StartType::System => "SYSTEM_START",
        StartType::Auto => "AUTO_START",
        StartType::Demand => "DEMAND_START",
        StartType::Disabled => "DISABLED",
    };
    let error = match config.error {
        ErrorControl::Ignore => "IGNORE",
        ErrorControl::Normal => "NORMAL",
        ErrorControl::Severe => "SEVERE",
        ErrorControl::Critical => "CRITICAL",
    };
    let lines = [
        "[SC] QueryServiceConfig SUCCESS".into(),
        String::new(),
        format!("SERVICE_NAME: {name}"),
        field("TYPE", "1  KERNEL_DRIVER"),
        field("START_TYPE", &format!("{}   {start}", config.start as u8)),
        field("ERROR_CONTROL", &format!("{}   {error}", config.error as u8)),
        field("BINARY_PATH_NAME", &config.kernel_path()),
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
