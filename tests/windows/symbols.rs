//! The names that the guide uses in the debugger, held against the packaged PDB and the driver's sources.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::Path,
};

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

/// A type's size, and its fields with their places.
fn layout(name: &str) -> (u64, BTreeMap<String, u64>) {
    let file = File::open(files::x64().join("flowtag.pdb")).expect("flowtag.pdb");
    let mut pdb = PDB::open(file).expect("a PDB");
    let types = pdb.type_information().expect("types");
    let mut finder = types.finder();
    let mut records = types.iter();
    let mut found = None;
    while let Some(record) = records.next().expect("a type") {
        finder.update(&records);
        if let Ok(TypeData::Class(class)) = record.parse()
            && class.name.to_string() == name
            && !class.properties.forward_reference()
        {
            found = class.fields.map(|fields| (class.size, fields));
        }
    }
    let (size, fields) = found.unwrap_or_else(|| panic!("the PDB has no {name}"));
    let fields = finder.find(fields).and_then(|fields| fields.parse()).expect("a list of fields");
    let TypeData::FieldList(list) = fields else { panic!("{name} has no list of fields") };
    let members = list.fields.into_iter().filter_map(|field| match field {
        TypeData::Member(member) => Some((member.name.to_string().into_owned(), member.offset)),
        _ => None,
    });
    (size, members.collect())
}

#[test]
fn the_guide_explains_each_field_of_the_flows_record_and_no_other() {
    let guide = guide::text();
    let table = guide.split("| field of a record | is |").nth(1).and_then(|rest| rest.split("\n\n").next());
    let explained: BTreeSet<_> =
        guide::rows(table.expect("a table")).into_iter().flat_map(|row| guide::quoted(row[0])).collect();
    let (_, fields) = layout("flowtag::flow::Flow");
    assert_eq!(explained, fields.keys().map(String::as_str).collect());
}

#[test]
fn the_flows_record_is_small_and_its_two_ways_share_no_cache_line() {
    // Blocks of pool begin at multiples of 16 (DDI ExAllocatePool2), so a record may begin at any of these places of a line.
    const LINE: u64 = 128;
    const ALIGNMENT: u64 = 16;
    let (size, fields) = layout("flowtag::flow::Flow");
    let (way, _) = layout("flowtag::side::Side");
    assert!(size <= 384, "{size}");
    let (end_of_out, start_of_in) = (fields["out"] + way - 1, fields["in"]);
    for start in (0..LINE).step_by(usize::try_from(ALIGNMENT).expect("it is 16")) {
        let lines = [end_of_out, start_of_in].map(|place| (start + place) / LINE);
        assert!(lines[0] < lines[1], "in a block at {start}");
    }
}

#[test]
fn the_pool_tags_of_the_guide_are_the_drivers() {
    let source = files::text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/pool.rs"));
    let guide = guide::text();
    let tags: Vec<_> = source.split("from_le_bytes(*b\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(tags.len() >= 3, "{tags:?}");
    for tag in tags {
        assert!(guide.contains(&format!("!poolused 2 {tag}")), "{tag}");
    }
}
