//! Everything that open-wdk declares, held against wdk-facts.json.
//!
//! Each test asks clang what the headers declare, so that nothing in them goes unchecked, turns what the facts say of
//! it into C, and lets clang judge. No layout is computed here.

mod facts;
mod headers;
mod names;

use std::fs;

use facts::Facts;
use serde_json::Value;

#[test]
fn every_struct_has_the_layout_of_the_facts() {
    let facts = Facts::read();
    let mut statements = Vec::new();
    for record in of_kind(&headers::declarations(), "RecordDecl") {
        if record["completeDefinition"] != true {
            continue; // only pointed to
        }
        let tag = text(&record["name"]);
        let fact = facts.structure(tag).unwrap_or_else(|| panic!("the facts have no struct {tag}"));
        let c_type = format!("{} {tag}", text(&record["tagUsed"]));
        statements.push(format!("_Static_assert(sizeof({c_type}) == {}, \"{tag}\");", fact["size"]));
        statements.push(format!("_Static_assert(_Alignof({c_type}) == {}, \"{tag}\");", fact["align"]));
        let fields = fact["fields"].as_array().expect("a struct has fields");
        // Fields that the facts have and the header lacks do not compile; this is the other way round.
        for field in field_names(record) {
            assert!(fields.iter().any(|fact| fact["name"] == field), "the facts have no field {tag}.{field}");
        }
        statements.extend(fields.iter().flat_map(|field| field_statements(&c_type, field)));
    }
    headers::assert_all_hold(&statements);
}

#[test]
fn every_constant_has_the_value_of_the_facts() {
    let facts = Facts::read();
    let declarations = headers::declarations();
    let enumerators = of_kind(&declarations, "EnumDecl")
        .flat_map(|enumeration| enumeration["inner"].as_array().into_iter().flatten())
        .map(|enumerator| text(&enumerator["name"]).to_owned());
    let statements: Vec<_> = headers::macros()
        .into_iter()
        .chain(enumerators)
        .map(|name| {
            let value = facts.constant(&name).unwrap_or_else(|| panic!("the facts have no constant {name}"));
            format!("_Static_assert({name} == {value}, \"{name}\");")
        })
        .collect();
    headers::assert_all_hold(&statements);
}

#[test]
fn every_typedef_is_the_type_of_the_facts() {
    let facts = Facts::read();
    let declarations = headers::declarations();
    // The facts spell out scalars and pointers; of a struct's name there is nothing more to say than its layout.
    let statements: Vec<_> = of_kind(&declarations, "TypedefDecl")
        .filter_map(|typedef| {
            let name = text(&typedef["name"]);
            let fact = facts.typedef(name)?;
            let meant = fact.get("canonical").unwrap_or(&fact["definition"]);
            Some(same_type(name, text(meant), name))
        })
        .collect();
    headers::assert_all_hold(&statements);
}

#[test]
fn every_kernel_function_has_the_signature_of_the_facts() {
    let facts = Facts::read();
    let declarations = headers::declarations();
    let statements: Vec<_> = of_kind(&declarations, "FunctionDecl")
        .map(|function| {
            let name = text(&function["name"]);
            let fact = facts.function(name).unwrap_or_else(|| panic!("the facts have no function {name}"));
            same_type(&format!("__typeof__({name})"), &signature(fact, ""), name)
        })
        .collect();
    headers::assert_all_hold(&statements);
}

#[test]
fn every_wdf_function_has_the_signature_of_the_facts() {
    let facts = Facts::read();
    let declarations = headers::declarations();
    let statements: Vec<_> = of_kind(&declarations, "TypedefDecl")
        .map(|typedef| text(&typedef["name"]))
        // Callback types have an underscore after WDF, table functions have none.
        .filter(|name| name.starts_with("PFN_WDF") && !name.starts_with("PFN_WDF_"))
        .map(|name| {
            let fact =
                facts.wdf_function(name).unwrap_or_else(|| panic!("the facts have no WDF function of type {name}"));
            same_type(name, &signature(fact, "(*)"), name)
        })
        .collect();
    headers::assert_all_hold(&statements);
}

#[test]
fn every_import_comes_from_the_module_of_the_facts() {
    let facts = Facts::read();
    let folder = headers::open_wdk().join("exports");
    let mut files = 0;
    for entry in fs::read_dir(&folder).expect("open-wdk has exports") {
        let (module, names) = headers::exports(&entry.expect("a file of exports").path());
        files += 1;
        for name in names {
            let fact = facts.function(&name).unwrap_or_else(|| panic!("the facts have no function {name}"));
            assert_eq!(text(&fact["module"]).to_lowercase(), module.to_lowercase(), "the module of {name}");
            assert_ne!(fact["in_export_list"], false, "{module} is not known to export {name}");
        }
    }
    assert_eq!(files, 3, "ntoskrnl, fwpkclnt and WdfLdr");
}

fn of_kind<'a>(declarations: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    // clang's own declarations have no place in a file.
    declarations.iter().filter(move |declaration| declaration["kind"] == kind && declaration["isImplicit"] != true)
}

/// The names that can be written after the dot, those of unnamed members included.
fn field_names(record: &Value) -> impl Iterator<Item = &str> {
    let members = record["inner"].as_array().into_iter().flatten();
    members
        .filter(|member| member["kind"] == "FieldDecl" || member["kind"] == "IndirectFieldDecl")
        .filter_map(|member| member["name"].as_str())
}

/// What the facts say of one field, in C.
fn field_statements(c_type: &str, field: &Value) -> Vec<String> {
    let name = text(&field["name"]);
    let path = format!("{c_type}.{name}");
    let value = format!("((({c_type} *)0)->{name})");
    let mut statements = vec![
        format!("_Static_assert(__builtin_offsetof({c_type}, {name}) == {}, \"{path}\");", field["offset"]),
        format!("_Static_assert(sizeof{value} == {}, \"{path}\");", field["size"]),
    ];
    let field_type = text(&field["type"]);
    if !field_type.contains("<anonymous>") {
        statements.push(same_type(&format!("__typeof__{value}"), field_type, &path));
    }
    statements
}

/// A function's type in C, or with `pointer` that of a pointer to it.
fn signature(function: &Value, pointer: &str) -> String {
    let parameters = function["params"].as_array().expect("a function has parameters").iter();
    // A fact may explain a type in brackets after its name.
    let plain = |parameter: &Value| text(&parameter["type"]).split(" (").next().unwrap_or_default().to_owned();
    let mut parameters: Vec<_> = parameters.map(plain).collect();
    if parameters.is_empty() {
        parameters.push("void".to_owned());
    }
    if function["variadic"] == true {
        parameters.push("...".to_owned());
    }
    format!("{} {pointer}({})", text(&function["return_type"]), parameters.join(", "))
}

fn same_type(ours: &str, meant: &str, name: &str) -> String {
    format!("_Static_assert(__builtin_types_compatible_p({ours}, {meant}), \"{name}\");")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}
