//! The second generator: cargo-mutants, of which only its list is used. It leaves unsafe functions out.
//!
//! Of its list, this can never show and is left out: `^` for `|` before the name of a flag. A flag is added where it was not set.

use std::{collections::BTreeMap, ops::Range, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::mutation::{Kind, Mutation};
use crate::{process, workspace};

/// The version whose list is used: another may make others.
const VERSION: &str = "27.1.0";

#[derive(Deserialize)]
struct Listed {
    /// File, line, column, and what is done.
    name: String,
    file: String,
    function: Option<Function>,
    span: Span,
    replacement: String,
}

#[derive(Deserialize)]
struct Function {
    function_name: String,
}

#[derive(Deserialize)]
struct Span {
    start: Place,
    end: Place,
}

/// Both counted from one, the column in characters.
#[derive(Deserialize)]
struct Place {
    line: usize,
    column: usize,
}

/// What cargo-mutants makes of the driver. It is installed when first needed, below `target/`.
pub fn mutations(texts: &BTreeMap<String, String>) -> Result<Vec<Mutation>> {
    let mut list = Command::new(installed()?);
    list.args(["mutants", "--list", "--diff", "--json", "--package", "flowtag", "--no-config", "--dir"]);
    let output = list.arg(workspace::root()).output().context("start cargo-mutants")?;
    if !output.status.success() {
        bail!("cargo-mutants could not list its mutants:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    read(&String::from_utf8_lossy(&output.stdout), texts)
}

fn installed() -> Result<PathBuf> {
    let folder = workspace::target_folder().join(format!("cargo-mutants-{VERSION}"));
    let program = folder.join("bin/cargo-mutants");
    if !program.is_file() {
        let _progress = process::progress(format!("Installing cargo-mutants {VERSION}…"));
        let mut install = workspace::cargo();
        install.args(["install", "cargo-mutants", "--locked", "--debug", "--version", VERSION, "--root"]).arg(&folder);
        process::run_quietly(
            &mut install,
            "cargo-mutants could not be installed: crates.io must be reachable, or use --quick",
        )?;
    }
    Ok(program)
}

fn read(json: &str, texts: &BTreeMap<String, String>) -> Result<Vec<Mutation>> {
    let listed: Vec<Listed> =
        serde_json::from_str(json).context("the list of cargo-mutants is not what it should be")?;
    let mutations = listed.into_iter().map(|listed| {
        let text =
            texts.get(&listed.file).with_context(|| format!("cargo-mutants knows {}, we do not", listed.file))?;
        listed.mutation(text)
    });
    mutations.filter_map(Result::transpose).collect()
}

impl Listed {
    /// As one of ours; [`None`] if it is left out.
    fn mutation(self, text: &str) -> Result<Option<Mutation>> {
        let Self { name, file, function, span, replacement } = self;
        let at = |place: &Place| {
            offset(text, place)
                .with_context(|| format!("cargo-mutants names {file}:{}, which is not there", place.line))
        };
        let range = at(&span.start)?..at(&span.end)?;
        if joins_flags(text, &range, &replacement) {
            return Ok(None);
        }
        let what = name.splitn(4, ':').nth(3).unwrap_or(&name).trim().to_owned();
        let function = function.map(|function| function.function_name).unwrap_or_default();
        Ok(Some(Mutation { file, function, what, kind: Kind::CargoMutants, range, by: replacement }))
    }
}

/// Where a place is, in bytes.
fn offset(text: &str, place: &Place) -> Option<usize> {
    let line = text.split_inclusive('\n').nth(place.line.checked_sub(1)?)?;
    let start = line.as_ptr().addr() - text.as_ptr().addr();
    let column = line.char_indices().map(|(index, _)| index).chain([line.len()]).nth(place.column.checked_sub(1)?)?;
    Some(start + column)
}

/// Whether this puts `^` for a `|` that adds a flag.
fn joins_flags(text: &str, range: &Range<usize>, by: &str) -> bool {
    let added = text[range.end..].trim_start().split(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
    let is_flag = added.is_some_and(|word| word.len() > 1 && !word.contains(char::is_lowercase));
    text[range.clone()].starts_with('|') && by.starts_with('^') && is_flag
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One entry of the list, on the first line of a file.
    fn entry(what: &str, columns: Range<usize>, replacement: &str) -> String {
        format!(
            r#"[{{"name":"src/a.rs:1:{start}: {what}","package":"flowtag","file":"src/a.rs","genre":"BinaryOperator",
            "function":{{"function_name":"f","return_type":"","span":null}},"replacement":"{replacement}","diff":"",
            "span":{{"start":{{"line":1,"column":{start}}},"end":{{"line":1,"column":{end}}}}}}}]"#,
            start = columns.start,
            end = columns.end
        )
    }

    fn read_for(text: &str, json: &str) -> Vec<Mutation> {
        read(json, &BTreeMap::from([("src/a.rs".to_owned(), text.to_owned())])).unwrap()
    }

    #[test]
    fn an_entry_is_a_mutation_named_without_its_line() {
        let text = "fn f() { a == b }";
        let found = read_for(text, &entry("replace == with != in f", 12..14, "!="));
        assert_eq!(found[0].name(), "src/a.rs: f: replace == with != in f");
        assert_eq!(found[0].apply(text), "fn f() { a != b }");
    }

    #[test]
    fn columns_are_counted_in_characters() {
        let text = "fn f() { ä == b }";
        assert_eq!(read_for(text, &entry("replace == with !=", 12..14, "!="))[0].apply(text), "fn f() { ä != b }");
    }

    #[test]
    fn a_flag_that_is_added_otherwise_is_left_out() {
        assert!(read_for("fn f() { A_FLAG | B_FLAG }", &entry("replace | with ^", 17..18, "^")).is_empty());
        assert!(read_for("fn f() { flags |= B_FLAG }", &entry("replace |= with ^=", 16..18, "^=")).is_empty());
    }

    #[test]
    fn a_flag_that_is_asked_for_is_not_left_out() {
        assert_eq!(read_for("fn f() { A_FLAG | B_FLAG }", &entry("replace | with &", 17..18, "&")).len(), 1);
    }

    #[test]
    fn a_list_of_another_form_is_refused() {
        assert!(read("[{}]", &BTreeMap::new()).is_err());
    }
}
