//! Windows' `long` for rust-analyzer.
//!
//! rust-analyzer takes all of a workspace to be for one machine, here Linux, where C's `long` has 64 bits. In Windows it has
//! 32, and `NTSTATUS` is one. So rust-analyzer is told of a copy of what wdk-sys makes of the headers, in which the types made
//! of `long` are spelled out.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::workspace;

const SPELLED_OUT: [(&str, &str); 2] = [("::core::ffi::c_long", "i32"), ("::core::ffi::c_ulong", "u32")];

/// Runs cargo and passes its messages on, except that wdk-sys has its output in our copy.
pub fn run_cargo(command: &mut Command) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("start cargo")?;
    let messages = BufReader::new(child.stdout.take().context("cargo has no output")?);
    let mut output = io::stdout().lock();
    for message in messages.lines() {
        writeln!(output, "{}", passed_on(message.context("read cargo's messages")?)?)?;
    }
    let status = child.wait().context("wait for cargo")?;
    ensure!(status.success(), "cargo fails ({status})");
    Ok(())
}

fn passed_on(message: String) -> Result<String> {
    let Ok(mut parsed) = serde_json::from_str::<Value>(&message) else { return Ok(message) };
    let is_of_wdk_sys = parsed["package_id"].as_str().is_some_and(|package| package.contains("#wdk-sys@"));
    let Some(folder) = parsed["out_dir"].as_str().filter(|_| is_of_wdk_sys) else { return Ok(message) };
    parsed["out_dir"] = copy(Path::new(folder))?.to_string_lossy().into();
    Ok(parsed.to_string())
}

fn copy(folder: &Path) -> Result<PathBuf> {
    let to = workspace::target_folder().join("editor/wdk-sys");
    fs::create_dir_all(&to).with_context(|| format!("create {}", to.display()))?;
    for file in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = file?.path();
        let name = path.file_name().context("a file has a name")?;
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            fs::write(to.join(name), spelled_out(&text)).with_context(|| format!("write to {}", to.display()))?;
        }
    }
    Ok(to)
}

fn spelled_out(bindings: &str) -> String {
    SPELLED_OUT.iter().fold(bindings.to_owned(), |text, (long, type_)| text.replace(long, type_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_made_of_long_have_the_size_that_they_have_in_windows() {
        let bindings = "pub type LONG = ::core::ffi::c_long;\npub type ULONG = ::core::ffi::c_ulong;\n";
        assert_eq!(spelled_out(bindings), "pub type LONG = i32;\npub type ULONG = u32;\n");
    }

    #[test]
    fn other_messages_are_passed_on_as_they_are() {
        for message in ["no JSON", r#"{"reason":"build-script-executed","package_id":"x#wdk@0.5.0","out_dir":"/x"}"#] {
            assert_eq!(passed_on(message.to_owned()).unwrap(), message);
        }
    }
}
