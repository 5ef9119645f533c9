//! The settings that editors give to rust-analyzer.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

/// The settings of this repository, as VS Code finds them.
const FILE: &str = ".vscode/settings.json";
/// What VS Code puts the repository's folder for.
const FOLDER: &str = "${workspaceFolder}";
/// The command that checks.
const CHECK: &str = "rust-analyzer.check.overrideCommand";

/// Settings as VS Code has them: by their dotted names.
pub struct Settings(BTreeMap<String, Value>);

impl Settings {
    /// Reads those of the repository at `root`.
    pub fn read(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(FILE)).with_context(|| format!("read {FILE}"))?;
        let text = text.replace(FOLDER, &root.display().to_string());
        Ok(Self(serde_json::from_str(&text).with_context(|| format!("{FILE} is not JSON"))?))
    }

    /// With these words behind the command that checks.
    pub fn with_check_arguments(mut self, arguments: &[&str]) -> Result<Self> {
        let command = self.0.get_mut(CHECK).and_then(Value::as_array_mut).with_context(|| format!("no {CHECK}"))?;
        command.extend(arguments.iter().map(|&argument| argument.into()));
        Ok(self)
    }

    /// What is below `rust-analyzer`, as rust-analyzer takes it: an object in an object for each dot.
    pub fn section(&self) -> Value {
        let mut section = Map::new();
        for (name, value) in &self.0 {
            if let Some(name) = name.strip_prefix("rust-analyzer.") {
                insert(&mut section, name, value.clone());
            }
        }
        section.into()
    }
}

fn insert(section: &mut Map<String, Value>, name: &str, value: Value) {
    let Some((outer, inner)) = name.split_once('.') else {
        section.insert(name.to_owned(), value);
        return;
    };
    if let Value::Object(section) = section.entry(outer).or_insert_with(|| Map::new().into()) {
        insert(section, inner, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dotted_names_become_objects_in_objects() {
        let settings = [("rust-analyzer.a.b", 1), ("rust-analyzer.a.c", 2), ("editor.d", 3)];
        let settings = Settings(settings.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect());
        assert_eq!(settings.section(), json!({ "a": { "b": 1, "c": 2 } }));
    }
}
