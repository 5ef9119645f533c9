//! What the headers say about functions, structures and values: `tests/data/wdk-facts.json`.

use std::{collections::BTreeSet, sync::LazyLock};

use serde_json::Value;

static FACTS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../tests/data/wdk-facts.json")).expect("wdk-facts.json is JSON")
});

/// Prototypes of functions that the excerpt lacks, from their DDI pages: the names of their parameters.
const FROM_THEIR_PAGES: &[(&str, &[&str])] = &[
    ("IoAllocateErrorLogEntry", &["IoObject", "EntrySize"]),
    ("IoGetRequestorProcess", &["Irp"]),
    ("IoWriteErrorLogEntry", &["ElEntry"]),
    ("FwpmBfeStateGet0", &[]),
    ("FwpmBfeStateSubscribeChanges0", &["deviceObject", "callback", "context", "changeHandle"]),
    ("FwpmBfeStateUnsubscribeChanges0", &["changeHandle"]),
    ("FxDriver::Unload", &["DriverObject"]),
    ("WdfDeviceEnqueueRequest", &["DriverGlobals", "Device", "Request"]),
    ("WdfRequestProbeAndLockUserBufferForRead", &["DriverGlobals", "Request", "Buffer", "Length", "MemoryObject"]),
    ("WdfRequestProbeAndLockUserBufferForWrite", &["DriverGlobals", "Request", "Buffer", "Length", "MemoryObject"]),
];

/// Flags, whose type is a plain number: the parameter's function or the field's structure, its name, and where the constants are.
const FLAGS: &[(&str, &str, &str, &str)] = &[
    ("ExAllocatePool2", "Flags", "pool_flags", "POOL_FLAG_"),
    ("FWPS_CALLOUT0", "flags", "fwp_callout_flags", "FWP_CALLOUT_FLAG_"),
    ("FWPS_CALLOUT2", "flags", "fwp_callout_flags", "FWP_CALLOUT_FLAG_"),
    ("FWPM_SESSION0", "flags", "fwpm_flags", "FWPM_SESSION_FLAG_"),
    ("FWPM_PROVIDER0", "flags", "fwpm_flags", "FWPM_PROVIDER_FLAG_"),
    ("FWPM_SUBLAYER0", "flags", "fwpm_flags", "FWPM_SUBLAYER_FLAG_"),
    ("FWPM_CALLOUT0", "flags", "fwpm_flags", "FWPM_CALLOUT_FLAG_"),
    ("FWPM_FILTER0", "flags", "fwpm_flags", "FWPM_FILTER_FLAG_"),
    ("FwpmTransactionBegin0", "flags", "fwpm_flags", "FWPM_TXN_"),
    ("FwpsInjectionHandleCreate0", "flags", "fwps_misc", "FWPS_INJECTION_TYPE_"),
];

/// Flags that newer kits define: `FWP_CALLOUT_FLAG_ALLOW_USO` and `_URO` of 19041's fwptypes.h.
const NEWER: &[(&str, u64)] = &[("FWP_CALLOUT_FLAG_", 0x300)];

/// Enumerations whose type is a plain number, likewise.
const CHOICES: &[(&str, &str, &str, &str)] = &[
    ("FWPM_ACTION0", "type", "fwp_actions", "FWP_ACTION_"),
    ("FwpsFlowAssociateContext0", "layerId", "enum", "FWPS_BUILTIN_LAYERS"),
    ("FwpsFlowRemoveContext0", "layerId", "enum", "FWPS_BUILTIN_LAYERS"),
    ("FwpmEngineOpen0", "authnService", "rpc_auth", "RPC_C_AUTHN_"),
    ("WDF_DRIVER_CONFIG", "DriverInitFlags", "enum", "WDF_DRIVER_INIT_FLAGS"),
];

/// A parameter, or a field of what one points at, as the headers have it.
#[derive(Clone, Debug)]
pub struct Declared {
    /// The function whose parameter it is, or the structure whose field.
    pub owner: String,
    /// Its own name.
    pub name: String,
    /// Its type, without `const` and pointers.
    pub kind: String,
    /// Where it lies in the outermost structure.
    pub offset: u64,
    /// Its size in bytes, of fields.
    pub size: Option<u64>,
}

/// The keys of all layers, their bytes as one number.
pub fn layer_keys() -> Vec<u128> {
    let keys = FACTS["guids"].as_object().expect("guids").iter().filter(|(name, _)| name.starts_with("FWPM_LAYER_"));
    let number = |text: String| {
        let mut bytes = u128::from_str_radix(&text.replace('-', ""), 16).expect("a GUID").to_be_bytes();
        // The first three groups are numbers, their lowest byte first.
        for group in [0..4, 4..6, 6..8] {
            bytes[group].reverse();
        }
        u128::from_le_bytes(bytes)
    };
    keys.map(|(_, key)| number(text(key))).collect()
}

/// The names of a function's parameters; `None` for a function that nobody knows.
pub fn parameters(function: &str) -> Option<Vec<String>> {
    let listed = FROM_THEIR_PAGES.iter().find(|(name, _)| *name == function);
    if let Some((_, names)) = listed {
        return Some(names.iter().map(|name| (*name).to_owned()).collect());
    }
    let parameters = prototype(function)?.iter();
    Some(parameters.map(|parameter| text(&parameter["name"])).collect())
}

/// The structure that a parameter hands over to be read.
pub fn structure_passed(function: &str, parameter: usize) -> Option<String> {
    let parameter = prototype(function)?.get(parameter)?;
    let kind = parameter["type"].as_str()?;
    let is_pointer = kind.ends_with('*') || kind.starts_with('P');
    (is_pointer && parameter["direction"] != "out").then(|| pointed_at(kind)).filter(|kind| fields(kind).is_some())
}

/// The names of the fields of a structure, those of unnamed members apart.
pub fn fields(structure: &str) -> Option<Vec<String>> {
    let fields = FACTS["structs"].get(structure)?["fields"].as_array()?;
    Some(fields.iter().map(|field| text(&field["name"])).filter(|name| !name.contains('.')).collect())
}

/// What the headers say of `path`: a parameter's name, or that and fields behind dots.
pub fn declared(function: &str, path: &str) -> Option<Declared> {
    let mut parts = path.split('.');
    let first = parts.next()?;
    let parameter = prototype(function)?.iter().find(|parameter| parameter["name"] == first)?;
    let mut found = Declared {
        owner: function.to_owned(),
        name: first.to_owned(),
        kind: pointed_at(parameter["type"].as_str()?),
        offset: 0,
        size: None,
    };
    for part in parts {
        let fields = FACTS["structs"].get(&found.kind)?["fields"].as_array()?;
        let field = fields.iter().find(|field| field["name"] == part)?;
        found = Declared {
            owner: found.kind,
            name: part.to_owned(),
            kind: pointed_at(field["type"].as_str()?),
            offset: found.offset + field["offset"].as_u64()?,
            size: field["size"].as_u64(),
        };
    }
    Some(found)
}

impl Declared {
    /// Values that the headers name, of enumerations.
    pub fn known_values(&self) -> BTreeSet<u64> {
        self.choices().unwrap_or_default()
    }

    /// Values of `width` bytes that the headers do not know; `None` where they do not say which there are.
    pub fn unknown_values(&self, width: u8) -> Option<Vec<u64>> {
        let mask = u64::MAX >> (64 - 8 * u32::from(width));
        if let Some(known) = self.flags() {
            let bits = (0..u32::from(width) * 8).map(|bit| 1 << bit);
            return Some(bits.filter(|bit| known & bit == 0).collect());
        }
        let known = self.choices().or_else(|| self.sizes())?;
        let beside = known.iter().flat_map(|value| [value.wrapping_sub(1), value + 1]);
        let unknown: BTreeSet<u64> = beside.chain([0, mask]).map(|value| value & mask).collect();
        Some(unknown.into_iter().filter(|value| !known.contains(value)).collect())
    }

    fn flags(&self) -> Option<u64> {
        let (group, prefix) = self.listed(FLAGS)?;
        let constants = FACTS["constants"][group].as_object().expect(group);
        let named = constants.iter().filter(|(name, _)| name.starts_with(prefix));
        let value = |name: &str| constants.get(name).and_then(|constant| constant["value"].as_u64());
        let all = named.fold(0, |all, (_, constant)| all | constant["value"].as_u64().unwrap_or(0));
        // Some of the flags are a range: Windows takes any of them.
        let range = value(&format!("{prefix}OPTIONAL_START")).zip(value(&format!("{prefix}OPTIONAL_END")));
        let newer = NEWER.iter().filter(|(newer, _)| *newer == prefix).fold(0, |all, (_, bits)| all | bits);
        Some(all | newer | range.map_or(0, |(start, end)| (end - start) | end))
    }

    fn choices(&self) -> Option<BTreeSet<u64>> {
        if let Some((group, prefix)) = self.listed(CHOICES) {
            if group == "enum" {
                return enumerators(prefix);
            }
            let constants = FACTS["constants"][group].as_object().expect(group).iter();
            return Some(
                constants
                    .filter(|(name, _)| name.starts_with(prefix))
                    .filter_map(|(_, c)| c["value"].as_u64())
                    .collect(),
            );
        }
        enumerators(if self.kind == "KPROCESSOR_MODE" { "MODE" } else { &self.kind })
    }

    fn sizes(&self) -> Option<BTreeSet<u64>> {
        // That of data, not of the structure itself.
        let of_data = self.owner == "EVENT_DATA_DESCRIPTOR";
        if self.name != "Size" || of_data {
            return None;
        }
        Some(FACTS["structs"].get(&self.owner)?["size"].as_u64().into_iter().collect())
    }

    fn listed(&self, list: &'static [(&str, &str, &str, &str)]) -> Option<(&'static str, &'static str)> {
        list.iter().find(|entry| entry.0 == self.owner && entry.1 == self.name).map(|entry| (entry.2, entry.3))
    }
}

fn enumerators(name: &str) -> Option<BTreeSet<u64>> {
    let enumerators = FACTS["enums"].get(name)?["enumerators"].as_object()?;
    // Those at the end that only say how many there are, are no values.
    let values = enumerators
        .iter()
        .filter(|(name, _)| !name.ends_with("Max") && !name.ends_with("_MAX") && !name.contains("Maximum"));
    Some(values.filter_map(|(_, value)| value.as_i64()).map(|value| value.cast_unsigned() & 0xFFFF_FFFF).collect())
}

fn prototype(function: &str) -> Option<&'static Vec<Value>> {
    let listed = FACTS["functions"].as_array()?.iter().find(|known| known["name"] == function);
    listed.or_else(|| FACTS["wdf_functions"].get(function))?["params"].as_array()
}

/// A type without `const` and pointers: `PCUNICODE_STRING` is a `UNICODE_STRING`.
fn pointed_at(kind: &str) -> String {
    let kind = kind.trim_start_matches("const ").trim_end_matches(['*', ' ']);
    let known = |name: &str| FACTS["structs"].get(name).is_some();
    let named = [kind.strip_prefix("PC"), kind.strip_prefix('P')].into_iter().flatten().find(|name| known(name));
    named.unwrap_or(kind).to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
