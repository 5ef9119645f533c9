//! The driver as a service, by the commands that a person types.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::prefix::{Output, Prefix};

/// Its name.
pub const FLOWTAG: &str = "flowtag";
/// The service's key.
pub const KEY: &str = r"HKLM\System\CurrentControlSet\Services\flowtag";
/// The line of the debug output that a stand-in complains by.
const COMPLAINT: &str = "stand-in: ";

/// Creates a service for a driver. Services of one group run in one process of Wine's, and so share what they import.
pub fn create(prefix: &Prefix, service: &str, path: &str) -> Result<()> {
    must(prefix, &["sc", "create", service, "type=", "kernel", "group=", "flowtag", "binPath=", path])?;
    Ok(())
}

/// Starts a service and sees it run.
pub fn start(prefix: &Prefix, service: &str) -> Result<()> {
    let shown = must(prefix, &["sc", "start", service])?;
    expect(prefix, service, "RUNNING", shown)
}

/// Starts a service that must not start, with the number of this error.
pub fn start_failing(prefix: &Prefix, service: &str, error: u32) -> Result<()> {
    let output = prefix.run(&["sc", "start", service])?;
    ensure!(!output.success, "{service} starts, and is to fail with error {error}:\n{}", output.text);
    let number = output.text.split_once("failed to start service ").map(|(_, number)| number.trim());
    ensure!(number == Some(error.to_string().as_str()), "not error {error}, but {}", output.text);
    expect(prefix, service, "STOPPED", query(prefix, service)?)
}

/// Stops a service and waits until it has.
pub fn stop(prefix: &Prefix, service: &str) -> Result<()> {
    let shown = must(prefix, &["sc", "stop", service])?;
    expect(prefix, service, "STOPPED", shown)
}

/// Deletes a service, which then is none.
pub fn delete(prefix: &Prefix, service: &str) -> Result<()> {
    must(prefix, &["sc", "delete", service])?;
    let output = prefix.run(&["sc", "query", service])?;
    ensure!(!output.success, "{service} is deleted, and still there:\n{}", output.text);
    Ok(())
}

/// Runs a command that succeeds.
pub fn must(prefix: &Prefix, command: &[&str]) -> Result<Output> {
    let output = prefix.run(command)?;
    ensure!(output.success, "{} fails:\n{}", command.join(" "), output.text.trim());
    Ok(output)
}

fn query(prefix: &Prefix, service: &str) -> Result<Output> {
    must(prefix, &["sc", "query", service])
}

/// Waits until a service is in a state, which a command may have shown already.
pub fn expect(prefix: &Prefix, service: &str, state: &str, mut shown: Output) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !shown.text.split_whitespace().any(|word| word == state) {
        if Instant::now() > deadline {
            bail!("{service} is not {state}:\n{}", shown.text.trim());
        }
        thread::sleep(Duration::from_millis(50));
        shown = query(prefix, service)?;
    }
    Ok(())
}

/// The driver's lines in what was printed; an error if anything else was that should not be.
pub fn lines(prefix: &Prefix) -> Result<Vec<String>> {
    let printed = prefix.printed().context("read what the drivers printed")?;
    let complaints: Vec<_> = printed.lines().filter(|line| line.contains(COMPLAINT)).collect();
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    Ok(printed.lines().filter_map(driver_line).map(str::to_owned).collect())
}

/// The end of what was printed, for whoever has to find out what failed.
pub fn last_lines(prefix: &Prefix) -> String {
    let printed = prefix.printed().unwrap_or_default();
    let lines: Vec<_> = printed.lines().filter_map(|line| line.split_once(":vDbgPrintExWithPrefix ")).collect();
    let last: Vec<_> = lines.iter().rev().take(3).rev().map(|(_, text)| *text).collect();
    format!("the drivers printed last:\n{}", last.join("\n"))
}

/// What a driver printed, of a line of Wine's debug output.
fn driver_line(line: &str) -> Option<&str> {
    let (_, text) = line.split_once(":debugstr:vDbgPrintExWithPrefix ")?;
    // Component and level come first.
    let (_, text) = text.split_once(": ")?;
    text.starts_with("flowtag: ").then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_driver_is_found_in_what_wine_prints() {
        let line = "0134:warn:debugstr:vDbgPrintExWithPrefix 00000050:00000001: flowtag: stopping live=6";
        assert_eq!(driver_line(line), Some("flowtag: stopping live=6"));
    }

    #[test]
    fn other_lines_are_not_the_drivers() {
        let lines = [
            "0134:err:sc:wmain failed to start service 1450",
            "0134:warn:debugstr:vDbgPrintExWithPrefix 0000004d:00000000: stand-in: flowtag: wrong",
        ];
        assert!(lines.into_iter().all(|line| driver_line(line).is_none()));
    }
}
