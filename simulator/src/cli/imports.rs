//! `flowtag-sim imports`: writes docs/imports.md out of the tables beside the exports.

use std::{collections::BTreeMap, fmt::Write, fs, path::PathBuf, process::ExitCode};

use anyhow::Context;

use crate::{
    computer::{
        Export, Fails, Irql,
        handed::{Handed, Source},
        input::{Input, Takes, guid},
    },
    windows,
};

/// The command that writes the page.
pub const COMMAND: &str = "cargo run --profile host --package flowtag-simulator -- imports docs/imports.md";

const INTRODUCTION: &str = "\
# What becomes of everything that a driver passes, and where all that it is handed comes from

A value without a model stops the machine: \"the simulator does not model Flags = 0x1000 of ExAllocatePool2\". That is no verdict
on the driver. Each argument of each export, and each field of each structure that one points at, is one of these:

- *used*: the test named shows that another outcome comes of another value;
- *legal*: only these values or flags are modelled, any other stops the machine; the source says what they mean;
- *refused*: the export looks at every value itself and refuses an unknown one as Windows does, which the test shows;
- *ignored*: every value does the same, and the source allows that;
- *guess*: what becomes of it is written nowhere.

Sources are named as in [simulator.md](simulator.md). Tests are named by their path in `simulator/src`, or by their file.
";

/// Where the page goes.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The file to write
    file: PathBuf,
}

/// Writes the page.
///
/// # Errors
/// When the file cannot be written.
pub fn run(arguments: &Args) -> anyhow::Result<ExitCode> {
    fs::write(&arguments.file, page()).with_context(|| format!("writing {}", arguments.file.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// How many inputs become what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    used: usize,
    legal: usize,
    ignored: usize,
    guess: usize,
}

/// The text of docs/imports.md.
#[must_use]
pub fn page() -> String {
    let mut page = format!("{INTRODUCTION}\nWritten by `{COMMAND}`; a test holds it.\n");
    let mut modules: BTreeMap<&str, Vec<&Export>> = BTreeMap::new();
    for export in windows::imports().all() {
        modules.entry(export.module).or_default().push(export);
    }
    let mut counts = Counts::default();
    for (module, mut exports) in modules {
        exports.sort_by_key(|export| export.name);
        let (by_name, modelled): (Vec<&Export>, Vec<&Export>) =
            exports.iter().partition(|export| export.is_known_by_name_only());
        let _ = write!(page, "\n## {module}\n");
        if !modelled.is_empty() {
            page.push_str(
                "\n| export | up to | fails by | input | what becomes of it |\n| --- | --- | --- | --- | --- |\n",
            );
            for export in modelled {
                add_export(&mut page, export, &mut counts);
            }
        }
        if !by_name.is_empty() {
            let names: Vec<String> = by_name.iter().map(|export| format!("`{}`", export.name)).collect();
            let _ = write!(page, "\nKnown by name only; a call stops the machine: {}.\n", names.join(", "));
        }
    }
    page.push_str("\n## What a driver is handed\n\n| of | what | is | source |\n| --- | --- | --- | --- |\n");
    let (mut cited, mut guessed) = (0, 0);
    for Handed { of, name, is, source } in windows::handed() {
        let source = match source {
            Source::Cited(source) => {
                cited += 1;
                (*source).to_owned()
            }
            Source::Guess(that) => {
                guessed += 1;
                format!("*guess*: {that}")
            }
        };
        let _ = writeln!(page, "| {of} | `{name}` | {is} | {source} |");
    }
    let Counts { used, legal, ignored, guess } = counts;
    let _ = write!(
        page,
        "\nInputs: {used} used, {legal} legal, {ignored} ignored, {guess} guess. \
         Values handed over: {cited} with a source, {guessed} guess.\n"
    );
    page
}

fn add_export(page: &mut String, export: &Export, counts: &mut Counts) {
    let limit = if export.max_irql == Irql::HIGH { "any".to_owned() } else { export.max_irql.to_string() };
    let fails = match export.fails {
        Fails::Never => "nothing".to_owned(),
        Fails::Null => "NULL".to_owned(),
        Fails::False => "FALSE".to_owned(),
        Fails::Status(statuses) => statuses.iter().map(|status| format!("{status:#X}")).collect::<Vec<_>>().join(", "),
    };
    let mut head = format!("`{}` | {limit} | {fails}", export.name);
    if export.inputs.is_empty() {
        let _ = writeln!(page, "| {head} | none | |");
    }
    for Input { name, takes, .. } in export.inputs {
        let becomes = match takes {
            Takes::Used { shown_by } => {
                counts.used += 1;
                format!("used: `{shown_by}`")
            }
            Takes::Values { legal, source, .. } => {
                counts.legal += 1;
                let legal: Vec<String> = legal.iter().map(|value| format!("{value:#x}")).collect();
                format!("legal: {}; {source}", legal.join(", "))
            }
            Takes::Keys { legal, source } => {
                counts.legal += 1;
                let legal: Vec<String> = legal.iter().map(|&key| guid(key)).collect();
                format!("legal: {}; {source}", legal.join(", "))
            }
            Takes::Flags { legal, source, .. } => {
                counts.legal += 1;
                format!("legal: the flags {legal:#x}; {source}")
            }
            Takes::Refused { shown_by, source } => {
                counts.legal += 1;
                format!("refused unless known: {source}; `{shown_by}`")
            }
            Takes::Ignored { because } => {
                counts.ignored += 1;
                format!("ignored: {because}")
            }
            Takes::Guess { that } => {
                counts.guess += 1;
                format!("*guess*: {that}")
            }
        };
        let _ = writeln!(page, "| {head} | `{name}` | {becomes} |");
        " | | ".clone_into(&mut head);
    }
}
