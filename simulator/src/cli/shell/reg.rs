//! `reg add`, `reg query` and `reg delete`, for `HKEY_LOCAL_MACHINE`.

use std::fmt::Write;

use super::outcome::Output;
use crate::kernel::registry::{Registry, Value};

const SUCCESS: &str = "The operation completed successfully.\n";
const NOT_FOUND: &str = "ERROR: The system was unable to find the specified registry key or value.\n";
const USAGE: &str = "\
usage: reg add KEY [/v NAME] [/t REG_DWORD|REG_QWORD|REG_SZ|REG_EXPAND_SZ|REG_MULTI_SZ|REG_BINARY] [/d DATA] [/f]
       reg query KEY [/v NAME]
       reg delete KEY [/v NAME] [/f]
";

/// The switches of a command.
#[derive(Debug, Default)]
struct Switches<'a> {
    name: Option<&'a str>,
    kind: Option<&'a str>,
    data: Option<&'a str>,
    force: bool,
}

pub(super) fn execute(registry: &Registry, words: &[&str]) -> Output {
    let &[verb, key, ref rest @ ..] = words else { return Output::unusable(USAGE) };
    let verb = verb.to_ascii_lowercase();
    let Some(key) = full_name(key) else {
        return Output::unusable(invalid("ERROR: Invalid key name.", &verb));
    };
    let Some(switches) = parse(rest) else {
        return Output::unusable(invalid("ERROR: Invalid syntax.", &verb));
    };
    match verb.as_str() {
        "add" => add(registry, &key, &switches),
        "query" => query(registry, &key, &switches),
        "delete" => delete(registry, &key, &switches),
        _ => Output::unusable(USAGE),
    }
}

fn invalid(message: &str, verb: &str) -> String {
    format!("{message}\nType \"REG {} /?\" for usage.\n", verb.to_ascii_uppercase())
}

/// A key's name with its root written out, as `reg` shows it.
fn full_name(key: &str) -> Option<String> {
    let (root, rest) = key.split_once('\\').map_or((key, None), |(root, rest)| (root, Some(rest)));
    let known = ["HKLM", "HKEY_LOCAL_MACHINE"].iter().any(|name| name.eq_ignore_ascii_case(root));
    let rest = rest.filter(|rest| !rest.is_empty())?;
    known.then(|| format!(r"HKEY_LOCAL_MACHINE\{}", rest.trim_end_matches('\\')))
}

fn parse<'a>(words: &[&'a str]) -> Option<Switches<'a>> {
    let mut switches = Switches::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.to_ascii_lowercase().as_str() {
            "/v" => switches.name = Some(words.next()?),
            "/ve" => switches.name = Some(""),
            "/t" => switches.kind = Some(words.next()?),
            "/d" => switches.data = Some(words.next()?),
            "/f" => switches.force = true,
            _ => return None,
        }
    }
    Some(switches)
}

fn add(registry: &Registry, key: &str, switches: &Switches<'_>) -> Output {
    let Some(name) = switches.name else {
        registry.create_key(key);
        return Output::done(SUCCESS);
    };
    let kind = switches.kind.unwrap_or("REG_SZ").to_ascii_uppercase();
    let value = match value(&kind, switches.data.unwrap_or_default()) {
        Ok(value) => value,
        Err(message) => return Output::unusable(invalid(message, "add")),
    };
    if registry.get(key, name).is_some() && !switches.force {
        return unasked(&format!("Value {name} exists, overwrite(Yes/No)?"));
    }
    registry.set(key, name, value);
    Output::done(SUCCESS)
}

fn value(kind: &str, data: &str) -> Result<Value, &'static str> {
    let no_number = "ERROR: Invalid syntax. Specify valid numeric value for '/d'.";
    let number = || match data.strip_prefix("0x").or_else(|| data.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).map_err(|_| no_number),
        None => data.parse().map_err(|_| no_number),
    };
    match kind {
        "REG_SZ" => Ok(Value::Sz(data.into())),
        "REG_EXPAND_SZ" => Ok(Value::ExpandSz(data.into())),
        "REG_MULTI_SZ" => Ok(Value::MultiSz(data.split(r"\0").map(str::to_owned).collect())),
        "REG_DWORD" => u32::try_from(number()?).map(Value::Dword).map_err(|_| no_number),
        "REG_QWORD" => number().map(Value::Qword),
        "REG_BINARY" => {
            bytes(data).map(Value::Binary).ok_or("ERROR: Invalid syntax. Specify valid hexadecimal data for '/d'.")
        }
        _ => Err("ERROR: Invalid syntax. Specify valid type for '/t'."),
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn query(registry: &Registry, key: &str, switches: &Switches<'_>) -> Output {
    if !registry.has_key(key) {
        return Output::failed(NOT_FOUND);
    }
    let mut values = registry.values(key);
    if let Some(name) = switches.name {
        values.retain(|(other, _)| other.eq_ignore_ascii_case(name));
        if values.is_empty() {
            return Output::failed(NOT_FOUND);
        }
    }
    let mut text = format!("\n{key}\n");
    for (name, value) in values {
        let name = if name.is_empty() { "(Default)" } else { &name };
        writeln!(text, "    {name}    {}    {value}", value.kind()).expect("a String takes all");
    }
    text.push('\n');
    if switches.name.is_none() {
        for name in registry.keys_below(key) {
            writeln!(text, r"{key}\{name}").expect("a String takes all");
        }
    }
    Output::done(text)
}

fn delete(registry: &Registry, key: &str, switches: &Switches<'_>) -> Output {
    let there = match switches.name {
        Some(name) => registry.get(key, name).is_some(),
        None => registry.has_key(key),
    };
    if !there {
        return Output::failed(NOT_FOUND);
    }
    if !switches.force {
        return match switches.name {
            Some(name) => unasked(&format!("Delete the registry value {name} (Yes/No)?")),
            None => unasked(&format!("Permanently delete the registry key {key} (Yes/No)?")),
        };
    }
    match switches.name {
        Some(name) => registry.delete_value(key, name),
        None => registry.delete_key(key),
    };
    Output::done(SUCCESS)
}

/// Windows asks; here nobody answers.
fn unasked(question: &str) -> Output {
    Output::failed(format!("{question}\nThe operation was canceled: this shell does not ask; add /f to the command\n"))
}
