//! The names that the guide uses in the debugger, held against the packaged PDB and the driver's sources.

use std::{collections::BTreeSet, fs::File, path::Path};

use pdb_addr2line::pdb::{FallibleIterator, PDB, SymbolData, TypeData};

use crate::{files, guide};

/// The names of all types, their fields and enumerators, and the variables in the PDB.
fn names() -> BTreeSet<String> {
    let file = File::open(files::x64().join("flowtag.pdb")).expect("flowtag.pdb");
    let mut pdb = PDB::open(file).expect("a PDB");
    let mut names = BTreeSet::new();
    let types = pdb.type_information().expect("types");
    let mut records = types.iter();
    while let Some(record) = records.next().expect("a type") {
        match record.parse() {
            Ok(TypeData::Class(class)) => drop(names.insert(class.name.to_string().into_owned())),
            Ok(TypeData::FieldList(list)) => {
                names.extend(list.fields.iter().filter_map(TypeData::name).map(|name| name.to_string().into_owned()));
            }
            _ => {}
        }
    }
    let globals = pdb.global_symbols().expect("symbols");
    let mut symbols = globals.iter();
    while let Some(symbol) = symbols.next().expect("a symbol") {
        if let Ok(SymbolData::Data(data)) = symbol.parse() {
            names.insert(data.name.to_string().into_owned());
        }
    }
    names
}

#[test]
fn every_name_that_the_guide_shows_in_the_debugger_is_in_the_pdb() {
    let guide = guide::text();
    let known = names();
    let used: BTreeSet<_> = guide
        .split("flowtag!")
        .skip(1)
        .filter_map(|rest| rest.split([' ', '`', ')', '\n']).next())
        .filter(|name| !name.ends_with('*'))
        .collect();
    assert!(used.len() >= 7, "{used:?}");
    for name in used {
        assert!(known.contains(name), "the PDB has no {name}");
    }
}

#[test]
fn every_field_and_state_that_the_guide_names_in_the_debugger_is_in_the_pdb() {
    let guide = guide::text();
    let section = guide.split("## In WinDbg").nth(1).and_then(|rest| rest.split("## What").next()).expect("a section");
    let known = names();
    // Names of our own have small letters; what the reader puts in has none.
    let is_name =
        |word: &&str| word.contains(char::is_lowercase) && word.chars().all(|c| c.is_alphabetic() || c == '_');
    let used: Vec<_> = guide::quoted(section).into_iter().filter(is_name).filter(|&word| word != "close").collect();
    assert!(used.len() >= 8, "{used:?}");
    for name in used {
        assert!(known.contains(name), "the PDB has no {name}");
    }
}

#[test]
fn the_pool_tags_of_the_guide_are_the_drivers() {
    let source = files::text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/pool.rs"));
    let guide = guide::text();
    let tags: Vec<_> = source.split("from_le_bytes(*b\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(tags.len(), 2, "{tags:?}");
    for tag in tags {
        assert!(guide.contains(&format!("!poolused 2 {tag}")), "{tag}");
    }
}
