//! What the layouts here are held against: `tests/data/wdk-facts.json`.

use serde_json::Value;

pub(super) fn json() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/wdk-facts.json");
    let text = std::fs::read_to_string(path).expect("tests/data/wdk-facts.json");
    serde_json::from_str(&text).expect("JSON")
}

pub(super) fn size(facts: &Value, structure: &str) -> usize {
    facts["structs"][structure]["size"].as_u64().expect("a struct of the facts") as usize
}

pub(super) fn offset(facts: &Value, structure: &str, field: &str) -> usize {
    let fields = facts["structs"][structure]["fields"].as_array().expect("a struct of the facts");
    let found = fields.iter().find(|entry| entry["name"] == field).expect(field);
    found["offset"].as_u64().expect("an offset") as usize
}
