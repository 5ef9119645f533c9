//! What rust-analyzer has said of its own accord.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What it has said so far.
#[derive(Debug, Default)]
pub struct State {
    /// Whether it has loaded and indexed everything.
    quiescent: bool,
    /// What it says of itself when something is wrong.
    complaint: Option<String>,
    /// What is under way.
    under_way: BTreeSet<String>,
    /// How often cargo has come to an end.
    cargo_runs: usize,
    /// The last diagnostics of each file.
    diagnostics: BTreeMap<String, Vec<Value>>,
}

impl State {
    /// Whether it is done with all that it has begun, and has seen what cargo says.
    pub fn is_settled(&self) -> bool {
        self.quiescent && self.cargo_runs > 0 && self.under_way.is_empty()
    }

    /// From here on only what cargo says from here on counts.
    pub fn forget_cargo(&mut self) {
        self.cargo_runs = 0;
    }

    /// What it says of itself when something is wrong.
    pub fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    /// The last diagnostics of a file.
    pub fn diagnostics(&self, uri: &str) -> &[Value] {
        self.diagnostics.get(uri).map_or(&[], Vec::as_slice)
    }

    /// Takes what it has said.
    pub fn hear(&mut self, method: &str, parameters: &Value) {
        match method {
            "experimental/serverStatus" => {
                self.quiescent = parameters["quiescent"] == true;
                let is_well = parameters["health"] == "ok";
                self.complaint = if is_well { None } else { parameters["message"].as_str().map(str::to_owned) };
            }
            "textDocument/publishDiagnostics" => {
                let diagnostics = parameters["diagnostics"].as_array().cloned().unwrap_or_default();
                self.diagnostics.insert(parameters["uri"].as_str().unwrap_or_default().to_owned(), diagnostics);
            }
            "$/progress" => self.hear_progress(parameters),
            _ => {}
        }
    }

    fn hear_progress(&mut self, parameters: &Value) {
        let token = parameters["token"].as_str().unwrap_or_default().to_owned();
        match parameters["value"]["kind"].as_str() {
            Some("begin") => {
                self.under_way.insert(token);
            }
            Some("end") => {
                self.cargo_runs += usize::from(token.contains("flycheck"));
                self.under_way.remove(&token);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_settled_only_after_cargo_has_run() {
        let mut state = State::default();
        state.hear("experimental/serverStatus", &json!({ "health": "ok", "quiescent": true }));
        let cargo = |kind| json!({ "token": "rust-analyzer/flycheck/0", "value": { "kind": kind } });
        assert!(!state.is_settled());
        state.hear("$/progress", &cargo("begin"));
        assert!(!state.is_settled());
        state.hear("$/progress", &cargo("end"));
        assert!(state.is_settled());
        state.forget_cargo();
        assert!(!state.is_settled());
    }
}
