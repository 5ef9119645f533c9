//! The simulator accepts nothing that it does not model: every value that a driver passes is a row beside its export.
//!
//! Which values there are is taken from Microsoft's headers, and not from those rows.

mod facts;
mod sources;

use flowtag_simulator::{
    Machine, Options,
    cli::imports,
    computer::{
        Export, Input,
        input::{At, Takes},
        lent_memory::LentMemory,
    },
    windows,
};

/// Structures of the kernel's own: drivers hand them over whole.
const OPAQUE: &[&str] = &[
    "DRIVER_OBJECT",
    "DEVICE_OBJECT",
    "WDF_DRIVER_GLOBALS",
    "EX_RUNDOWN_REF",
    "GUID",
    "IRP",
    "KLOCK_QUEUE_HANDLE",
    "LARGE_INTEGER",
];

/// All exports that are more than a name.
fn exports() -> impl Iterator<Item = &'static Export> {
    windows::imports().all().filter(|export| !export.is_known_by_name_only())
}

fn inputs() -> impl Iterator<Item = (&'static Export, &'static Input)> {
    exports().flat_map(|export| export.inputs.iter().map(move |input| (export, input)))
}

/// A value of an input.
#[derive(Clone, Copy)]
enum Value {
    Number(u64),
    Key(u128),
}

/// The arguments of a call whose values are legal as far as the rows look at them, but for one.
struct Arguments {
    values: [u64; 16],
    structures: Vec<LentMemory>,
}

impl Arguments {
    fn of(export: &Export, odd: &Input, value: Value) -> Self {
        let mut arguments = Self { values: [0; 16], structures: Vec::new() };
        for input in export.inputs {
            let legal = match input.takes {
                Takes::Values { legal, .. } => Value::Number(legal[0]),
                Takes::Flags { .. } => Value::Number(0),
                Takes::Keys { legal, .. } => Value::Key(legal[0]),
                _ => continue,
            };
            arguments.put(input, if input.at == odd.at { value } else { legal });
        }
        arguments
    }

    fn put(&mut self, input: &Input, value: Value) {
        let width = match input.takes {
            Takes::Values { width, .. } | Takes::Flags { width, .. } => width,
            _ => 16,
        };
        let value = match value {
            Value::Number(number) => number.into(),
            Value::Key(key) => key,
        };
        match input.at {
            At::Argument(n) | At::From(n) => {
                self.values[usize::from(n)] = u64::try_from(value).expect("keys lie in structures");
            }
            At::Field { argument, offset } | At::Sized { argument, offset } => {
                let pointer = &mut self.values[usize::from(argument)];
                if *pointer == 0 {
                    let structure = LentMemory::zeroed(1024);
                    *pointer = structure.address();
                    self.structures.push(structure);
                }
                if matches!(input.at, At::Sized { .. }) {
                    // SAFETY: the structure begins there; this is its size.
                    unsafe { (*pointer as *mut u32).write(1024) };
                }
                let place = (*pointer + u64::from(offset)) as *mut u8;
                let bytes = value.to_le_bytes();
                // SAFETY: within the structure, which is larger than any that a driver hands over.
                unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), width.into()) };
            }
        }
    }
}

/// What comes of a call of `export` where one input is `value`.
fn outcome(export: &Export, input: &Input, value: Value) -> String {
    let machine = Machine::new(Options::default());
    let address = machine.imports().address(export.module, export.name).expect("it is exported");
    let arguments = Arguments::of(export, input, value);
    match machine.run(|cpu| cpu.call(address, export.name, &arguments.values)) {
        Ok(answer) => format!("it answered {answer:#x}"),
        Err(bug_check) => bug_check.reason().to_owned(),
    }
}

#[test]
fn a_value_that_the_headers_do_not_know_stops_the_machine_by_name() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (export, input) in inputs() {
        let (Takes::Values { width, .. } | Takes::Flags { width, .. }) = input.takes else { continue };
        let declared = facts::declared(export.name, input.name);
        // Where the headers name no values, one that nobody would pass by mistake for another.
        let unknown = declared.as_ref().and_then(|declared| declared.unknown_values(width));
        let mut values = unknown.unwrap_or_else(|| vec![0x5A5A_5A5A_5A5A_5A5A >> (64 - 8 * u32::from(width))]);
        if let (Takes::Values { legal, .. }, Some(declared)) = (input.takes, &declared) {
            values.extend(declared.known_values().into_iter().filter(|value| !legal.contains(value)));
        }
        for value in values {
            tried += 1;
            let came = outcome(export, input, Value::Number(value));
            let expected = format!("the simulator does not model {} = {value:#x} of {}", input.name, export.name);
            if !came.starts_with(&expected) {
                wrong.push(format!("{} = {value:#x} of {}: {came}", input.name, export.name));
            }
        }
    }
    assert!(wrong.is_empty(), "of {tried} unknown values these were taken:\n{}", wrong.join("\n"));
    assert!(tried > 500, "only {tried} values were tried");
}

#[test]
fn a_layer_of_the_headers_that_has_no_model_stops_the_machine() {
    let mut stopped = 0;
    for (export, input) in inputs() {
        let Takes::Keys { legal, .. } = input.takes else { continue };
        for key in facts::layer_keys().into_iter().chain([1]).filter(|key| !legal.contains(key)) {
            let came = outcome(export, input, Value::Key(key));
            let expected = format!("the simulator does not model {} = ", input.name);
            assert!(came.starts_with(&expected), "{key:x} of {}: {came}", export.name);
            stopped += 1;
        }
    }
    assert!(stopped > 150, "only {stopped} layers were tried");
}

#[test]
fn what_the_headers_number_is_looked_at() {
    let unlooked = inputs().filter(|(export, input)| {
        let numbered = facts::declared(export.name, input.name).and_then(|declared| declared.unknown_values(4));
        numbered.is_some() && matches!(input.takes, Takes::Used { .. })
    });
    let names: Vec<String> = unlooked.map(|(export, input)| format!("{} of {}", input.name, export.name)).collect();
    assert!(names.is_empty(), "sizes, flags and enumerations that any value passes: {names:#?}");
}

#[test]
fn every_argument_has_a_row() {
    let mut missing = Vec::new();
    for export in exports() {
        let Some(parameters) = facts::parameters(export.name) else {
            missing.push(format!("{}: nobody knows its prototype", export.name));
            continue;
        };
        for (n, parameter) in parameters.iter().enumerate() {
            let is_row = |input: &Input| {
                let place = match input.at {
                    At::Argument(n) | At::From(n) => n,
                    At::Field { argument, .. } | At::Sized { argument, .. } => argument,
                };
                usize::from(place) == n && input.name.split(['.', ' ']).next() == Some(parameter)
            };
            if !export.inputs.iter().any(is_row) {
                missing.push(format!("{}: {parameter}", export.name));
            }
        }
    }
    assert!(missing.is_empty(), "arguments that nothing is said about:\n{}", missing.join("\n"));
}

#[test]
fn every_field_of_a_structure_that_is_passed_has_a_row() {
    let mut missing = Vec::new();
    for export in exports() {
        for (n, parameter) in facts::parameters(export.name).into_iter().flatten().enumerate() {
            if let Some(structure) = facts::structure_passed(export.name, n) {
                look_for_fields(export, &parameter, &structure, &mut missing);
            }
        }
    }
    assert!(missing.is_empty(), "fields that nothing is said about:\n{}", missing.join("\n"));
}

/// Adds the fields of `structure`, which lies at `path`, that `export` has no row for.
fn look_for_fields(export: &Export, path: &str, structure: &str, missing: &mut Vec<String>) {
    let rest = format!("{path} (the rest)");
    if OPAQUE.contains(&structure) || export.inputs.iter().any(|input| input.name == rest) {
        return;
    }
    for field in facts::fields(structure).into_iter().flatten() {
        let field = format!("{path}.{field}");
        let below = format!("{field}.");
        if export.inputs.iter().any(|input| input.name == field) {
            continue;
        }
        match facts::declared(export.name, &field) {
            Some(declared) if export.inputs.iter().any(|input| input.name.starts_with(&below)) => {
                look_for_fields(export, &field, &declared.kind, missing);
            }
            _ => missing.push(format!("{}: {field}", export.name)),
        }
    }
}

#[test]
fn every_field_of_what_a_driver_is_handed_has_a_source_or_is_a_guess() {
    let mut missing = Vec::new();
    let structures: std::collections::BTreeSet<&str> = windows::handed().map(|handed| handed.of).collect();
    let mut known = 0;
    for structure in structures {
        let Some(fields) = facts::fields(structure) else { continue };
        known += 1;
        let names: Vec<&str> =
            windows::handed().filter(|handed| handed.of == structure).map(|handed| handed.name).collect();
        let is_said = |field: &str| {
            names.iter().any(|name| *name == field || *name == "(the rest)")
                || LAYER_2.contains(&field) && names.contains(&"currentL2MetadataValues and the layer 2 fields")
        };
        missing.extend(fields.iter().filter(|field| !is_said(field)).map(|field| format!("{structure}.{field}")));
    }
    assert!(missing.is_empty(), "handed over, and nobody says whence: {missing:#?}");
    assert!(known > 8, "only {known} structures are known");
}

/// The fields of the metadata that are for the layers of frames.
const LAYER_2: &[&str] = &[
    "currentL2MetadataValues",
    "l2Flags",
    "ethernetMacHeaderSize",
    "wiFiOperationMode",
    "vSwitchSourcePortId",
    "vSwitchSourceNicIndex",
    "vSwitchDestinationPortId",
    "vSwitchPacketContext",
];

#[test]
fn fields_lie_where_the_headers_say() {
    let mut wrong = Vec::new();
    for (export, input) in inputs() {
        let (At::Field { offset, .. } | At::Sized { offset, .. }) = input.at else { continue };
        let Some(declared) = facts::declared(export.name, input.name) else { continue };
        let width = match input.takes {
            Takes::Values { width, .. } | Takes::Flags { width, .. } => Some(u64::from(width)),
            _ => None,
        };
        if declared.offset != u64::from(offset) || width.is_some_and(|width| declared.size != Some(width)) {
            wrong.push(format!("{} of {}: {declared:?}", input.name, export.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_test_that_a_row_names_exists() {
    let named = inputs().filter_map(|(_, input)| match input.takes {
        Takes::Used { shown_by } | Takes::Refused { shown_by, .. } => Some(shown_by),
        _ => None,
    });
    let mut missing: Vec<&str> = named.filter(|path| !sources::has_test(path)).collect();
    missing.sort_unstable();
    missing.dedup();
    assert!(missing.is_empty(), "rows name these tests, which do not exist: {missing:#?}");
}

#[test]
fn the_page_says_what_the_rows_say() {
    let written = sources::page();
    assert!(written == imports::page(), "docs/imports.md is stale. Write it anew: {}", imports::COMMAND);
}
