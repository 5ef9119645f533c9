//! The commands of README.md and docs/windows.md, typed into Wine's command prompt as they stand.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use flowtag_tests::pages::{part, program, prompt_lines};

use super::{
    prefix::{Output, Prefix},
    service,
};

/// Programs that Wine does not have, or that are about more than it has; tests/windows/typed.rs says why none of them matters.
const NOT_TYPED: [&str; 6] = ["bcdedit", "certutil", "manage-bde", "pnputil", "rundll32", "verifier"];
/// Restarts the machine: Wine's services are ended and start anew.
const RESTART: &str = "shutdown";

/// The parts of docs/windows.md, one after the other; the INF file has a case of its own.
const PARTS: [&str; 5] =
    ["## Load it", "## See the traces", "## Settings", "## Under Driver Verifier", "## Stop it, remove it"];

/// Types the README's, and then those of the guide.
pub fn type_all(prefix: &Prefix) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = |name: &str| fs::read_to_string(root.join(name)).with_context(|| format!("read {name}"));
    let (readme, guide) = (page("README.md")?, page("docs/windows.md")?);
    let mut commands = prompt_lines(&readme);
    for heading in PARTS {
        let part = part(&guide, heading).with_context(|| format!("no heading {heading}"))?;
        // Driver Verifier's begin with a restart and end with the driver stopped, the next ones with `sc stop`.
        commands.extend(prompt_lines(part));
        if heading == "## Under Driver Verifier" {
            commands.push("sc start flowtag");
        }
    }
    // It is there only if the last case failed.
    prefix.run_first(&["sc", "delete", service::FLOWTAG])?;
    let typed: Vec<_> = commands.into_iter().filter(|command| !NOT_TYPED.contains(&program(command))).collect();
    ensure!(typed.len() >= 15, "only {} commands: {typed:?}", typed.len());
    for command in typed {
        act(prefix, command).with_context(|| format!("typed: {command}\n{}", service::last_lines(prefix)))?;
    }
    let left = prefix.run(&["sc", "query", service::FLOWTAG])?;
    ensure!(!left.success, "at the end the service is there:\n{}", left.text);
    Ok(())
}

/// Types a command, and waits until a service that it starts or stops has.
fn act(prefix: &Prefix, command: &str) -> Result<()> {
    if program(command) == RESTART {
        prefix.run_first(&["cmd", "/c", "ver"])?;
        return Ok(());
    }
    let output = typed(prefix, command)?;
    ensure!(output.success, "it fails:\n{}", output.text.trim());
    match command.split(' ').collect::<Vec<_>>()[..] {
        ["sc", "start", name] => service::expect(prefix, name, "RUNNING", output),
        ["sc", "stop", name] => service::expect(prefix, name, "STOPPED", output),
        _ => Ok(()),
    }
}

/// What comes of a line that is typed. It goes by a file: between Linux and Wine quotes do not stay as they are.
fn typed(prefix: &Prefix, command: &str) -> Result<Output> {
    let batch = prefix.path("drive_c/typed.bat");
    fs::write(&batch, format!("@{command}\r\n@exit %errorlevel%\r\n")).context("write a batch file")?;
    prefix.run(&["cmd", "/c", r"C:\typed.bat"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_all_blocks_for_the_command_prompt_are_typed() {
        let page = "```bat\nsc query x\nreg query y\n```\ntext\n```sh\nls\n```\n```bat\nsc stop x\n```\n";
        assert_eq!(prompt_lines(page), ["sc query x", "reg query y", "sc stop x"]);
        assert_eq!(program("sc query x"), "sc");
    }
}
