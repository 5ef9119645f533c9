//! rust-analyzer, spoken to as an editor does: JSON-RPC over its standard input and output.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::state::State;

/// It has nothing more to say when it has been silent for so long.
const SILENCE: Duration = Duration::from_secs(3);
/// How long anything may take: loading takes a run of clippy over everything, which may have to build it first.
const PATIENCE: Duration = Duration::from_mins(30);
/// It has changed its mind on what the answer is about, and asks to be asked again (`ContentModified`, `ServerCancelled`).
const ASK_AGAIN: [i64; 2] = [-32801, -32802];

/// A running rust-analyzer.
pub struct Server {
    process: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    requests: u64,
    settings: Value,
    state: State,
}

impl Server {
    /// Starts it on the repository at `root`, with the settings below `rust-analyzer` of an editor.
    pub fn start(program: &Path, root: &Path, settings: Value) -> Result<Self> {
        let mut process = Command::new(program)
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let input = process.stdin.take().context("rust-analyzer has no input")?;
        let mut output = BufReader::new(process.stdout.take().context("rust-analyzer has no output")?);
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            while let Ok(Some(message)) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut server = Self { process, input, messages, requests: 0, settings, state: State::default() };
        let parameters = json!({
            "processId": std::process::id(),
            "rootUri": uri(root),
            "initializationOptions": server.settings,
            "capabilities": {
                // It is asked for what it finds itself, and tells of its own accord what cargo finds.
                "textDocument": { "diagnostic": {} },
                "window": { "workDoneProgress": true },
                "workspace": { "configuration": true },
                "experimental": { "serverStatusNotification": true },
            },
        });
        server.ask("initialize", &parameters)?;
        server.tell("initialized", &json!({}))?;
        Ok(server)
    }

    /// Opens a file with this text, whatever is on disk.
    pub fn open(&mut self, file: &Path, text: &str) -> Result<()> {
        let document = json!({ "uri": uri(file), "languageId": "rust", "version": 1, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }))
    }

    /// Types: the file has this text now, and is not saved.
    pub fn change(&mut self, file: &Path, text: &str) -> Result<()> {
        let document = json!({ "uri": uri(file), "version": 2 });
        self.tell("textDocument/didChange", &json!({ "textDocument": document, "contentChanges": [{ "text": text }] }))
    }

    /// Saves, and waits until cargo has checked what is on disk.
    pub fn save(&mut self, file: &Path) -> Result<()> {
        self.state.forget_cargo();
        self.tell("textDocument/didSave", &json!({ "textDocument": { "uri": uri(file) } }))?;
        self.settle()
    }

    /// Changes the settings, and waits until it has asked what they are.
    pub fn configure(&mut self, settings: Value) -> Result<()> {
        self.settings = settings;
        self.tell("workspace/didChangeConfiguration", &json!({ "settings": Value::Null }))?;
        while self.take_next()?["method"] != "workspace/configuration" {}
        Ok(())
    }

    /// Waits until it has loaded everything, cargo has run, and nothing comes any more.
    pub fn settle(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.messages.recv_timeout(SILENCE) {
                Ok(message) => self.take(&message)?,
                Err(RecvTimeoutError::Disconnected) => bail!("rust-analyzer has ended"),
                Err(RecvTimeoutError::Timeout) if self.state.is_settled() => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() > deadline {
                bail!("rust-analyzer is not done after {PATIENCE:?}: {:?}", self.state);
            }
        }
    }

    /// What it says of itself when something is wrong: that cargo or a build script failed, for instance.
    pub fn complaint(&self) -> Option<&str> {
        self.state.complaint()
    }

    /// The errors that it finds in an open file itself, as `line: message`.
    pub fn own_errors(&mut self, file: &Path) -> Result<Vec<String>> {
        let answer = self.ask("textDocument/diagnostic", &json!({ "textDocument": { "uri": uri(file) } }))?;
        Ok(errors(answer["items"].as_array().context("rust-analyzer has no diagnostics")?))
    }

    /// The errors that cargo finds in a file, as `line: message`.
    pub fn errors_of_cargo(&self, file: &Path) -> Vec<String> {
        errors(self.state.diagnostics(&uri(file)))
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Result<Value> {
        loop {
            self.requests += 1;
            let id = self.requests;
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }))?;
            let mut answer = self.take_next()?;
            while answer["id"] != id || answer.get("method").is_some() {
                answer = self.take_next()?;
            }
            match answer["error"]["code"].as_i64() {
                None => return Ok(answer["result"].take()),
                Some(code) if ASK_AGAIN.contains(&code) => {}
                Some(_) => bail!("rust-analyzer refuses {method}: {}", answer["error"]["message"]),
            }
        }
    }

    fn tell(&mut self, method: &str, parameters: &Value) -> Result<()> {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": parameters }))
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        let message = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{message}", message.len())?;
        self.input.flush().context("rust-analyzer takes nothing any more")
    }

    /// Waits for a message and deals with it, unless it is an answer.
    fn take_next(&mut self) -> Result<Value> {
        let message = self.messages.recv_timeout(PATIENCE).context("rust-analyzer says nothing any more")?;
        self.take(&message)?;
        Ok(message)
    }

    fn take(&mut self, message: &Value) -> Result<()> {
        let Some(method) = message["method"].as_str() else { return Ok(()) };
        let Some(id) = message.get("id") else {
            self.state.hear(method, &message["params"]);
            return Ok(());
        };
        // It asks for settings, of which it has one section. Whatever else it asks may be so.
        let answer = if method == "workspace/configuration" { json!([self.settings]) } else { Value::Null };
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": answer }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Those of the diagnostics that are errors: in the protocol, severity 1.
fn errors(diagnostics: &[Value]) -> Vec<String> {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic["severity"] == 1);
    let line = |error: &Value| error["range"]["start"]["line"].as_u64().unwrap_or(0) + 1;
    errors.map(|error| format!("{}: {}", line(error), error["message"].as_str().unwrap_or_default())).collect()
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// Reads a message; nothing at the end.
fn read(output: &mut impl BufRead) -> Result<Option<Value>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if let Some(bytes) = line.strip_prefix("Content-Length: ") {
            length = Some(bytes.trim().parse()?);
        } else if line == "\r\n" {
            break;
        }
    }
    let mut message = vec![0; length.context("a message without a length")?];
    output.read_exact(&mut message)?;
    Ok(Some(serde_json::from_slice(&message)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_up_to_its_length() {
        let mut output = &b"Content-Length: 2\r\n\r\n{}Content-Length: 4\r\n\r\ntrue"[..];
        assert_eq!(read(&mut output).unwrap(), Some(json!({})));
        assert_eq!(read(&mut output).unwrap(), Some(json!(true)));
        assert_eq!(read(&mut output).unwrap(), None);
    }

    #[test]
    fn a_warning_is_no_error() {
        let diagnostic = |severity, message| json!({ "severity": severity, "message": message, "range": { "start": { "line": 6 } } });
        assert_eq!(errors(&[diagnostic(2, "a warning"), diagnostic(1, "an error")]), ["7: an error"]);
    }
}
