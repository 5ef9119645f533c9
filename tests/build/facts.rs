//! tests/data/wdk-facts.json, which the declarations of open-wdk are held against.

use std::{fs, path::Path};

use serde_json::{Map, Value};

/// The facts, and ways to look them up.
pub struct Facts(Value);

impl Facts {
    /// Reads the file.
    pub fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/wdk-facts.json");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(serde_json::from_str(&text).expect("wdk-facts.json is JSON"))
    }

    /// The struct or union whose tag is `tag`.
    pub fn structure(&self, tag: &str) -> Option<&Value> {
        self.section("structs").values().find(|structure| structure["tag"] == tag)
    }

    /// The typedef `name`.
    pub fn typedef(&self, name: &str) -> Option<&Value> {
        self.section("typedefs").get(name)
    }

    /// The value of a constant or an enumerator.
    pub fn constant(&self, name: &str) -> Option<u64> {
        let constant = self.section("constants").values().find_map(|group| group.get(name)?.get("value"));
        let enumerator = || self.section("enums").values().find_map(|enumeration| enumeration["enumerators"].get(name));
        constant.or_else(enumerator)?.as_u64()
    }

    /// The exported function `name`.
    pub fn function(&self, name: &str) -> Option<&Value> {
        self.0["functions"].as_array()?.iter().find(|function| function["name"] == name)
    }

    /// The function of the WDF table that is called through a pointer of type `pointer_type`.
    pub fn wdf_function(&self, pointer_type: &str) -> Option<&Value> {
        self.section("wdf_functions").values().find(|function| function["pfn_type"] == pointer_type)
    }

    fn section(&self, name: &str) -> &Map<String, Value> {
        self.0[name].as_object().unwrap_or_else(|| panic!("wdk-facts.json has no object `{name}`"))
    }
}
