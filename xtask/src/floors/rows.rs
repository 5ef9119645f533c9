//! The floors that a crate declares: its `floors.toml` lists the modules at its root from the bottom up, in rows of those that
//! stand side by side. An import goes to a lower row, or stays within its module.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Found, HOOK};

/// Where a crate with this root file declares its floors: beside its Cargo.toml, or where it has no folder src, beside its root.
fn file_of(root_file: &Path) -> PathBuf {
    let folder = root_file.ancestors().skip(1).find(|folder| !folder.ends_with("src"));
    folder.unwrap_or(root_file).join("floors.toml")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Floors {
    floors: Vec<Vec<String>>,
}

/// What is wrong in a crate below the repository's folder `root`; nothing if it declares no floors.
pub fn complaints(found: &Found, root: &Path) -> Result<Vec<String>> {
    let file = file_of(&found.source.files[0]);
    if !root.join(&file).exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(root.join(&file)).with_context(|| format!("read {}", file.display()))?;
    let Floors { floors } = toml::from_str(&text).with_context(|| {
        format!("{} is not what it should be: floors = [[\"lowest\", \"beside it\"], [\"above\"]]", file.display())
    })?;
    let rows: HashMap<_, _> =
        floors.iter().enumerate().flat_map(|(row, names)| names.iter().map(move |name| (name.as_str(), row))).collect();
    let mut complaints = listed_wrongly(found, &floors, &rows, &file.display().to_string());
    complaints.extend(against_the_rows(found, &rows));
    Ok(complaints)
}

fn listed_wrongly(found: &Found, floors: &[Vec<String>], rows: &HashMap<&str, usize>, file: &str) -> Vec<String> {
    let modules = &found.source.modules;
    let root = &modules[0];
    let root_file = found.source.files[root.file].display();
    let mut complaints = Vec::new();
    for child in root.children.iter().map(|&child| &modules[child]) {
        if !rows.contains_key(child.name.as_str()) {
            complaints.push(format!(
                "{root_file}:{} declares {name}, which {file} does not list: add {name} to a row there, above all that it \
                 imports and below all that imports it",
                child.line,
                name = child.name,
            ));
        }
    }
    let listed: Vec<_> = floors.iter().flatten().collect();
    for (index, name) in listed.iter().enumerate() {
        if listed[..index].contains(name) {
            complaints.push(format!("{file} lists {name} twice: leave it in one row"));
        } else if !root.children.iter().any(|&child| modules[child].name == **name) {
            complaints.push(format!("{file} lists {name}, but {root_file} declares no such module: remove it there"));
        }
    }
    complaints
}

/// The imports that run upwards or sideways.
fn against_the_rows(found: &Found, rows: &HashMap<&str, usize>) -> Vec<String> {
    let name_of = |module: usize| {
        let top = found.source.way_to(module).first().copied();
        top.map(|top| found.source.modules[top].name.as_str())
    };
    let mut complaints = Vec::new();
    for import in &found.imports {
        // The root stands above everything.
        let Some(from) = name_of(import.from) else { continue };
        let said = found.said(import);
        let Some(to) = name_of(import.to) else {
            complaints.push(format!("{said}, the root, which stands above {from}: move it into a module below {from}"));
            continue;
        };
        // A module without a row is complained of already.
        let (Some(lower), Some(higher)) = (rows.get(from), rows.get(to)) else { continue };
        if from == to || lower > higher {
            continue;
        }
        complaints.push(if lower < higher {
            format!("{said}, which stands above {from}: {HOOK}")
        } else {
            format!("{said}, which stands beside {from}: move what they share below both, or {HOOK}")
        });
    }
    complaints
}
