//! The registry: keys and values, their names in any case.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard},
};

/// Where services are described.
const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";

/// A registry value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `REG_DWORD`.
    Dword(u32),
    /// `REG_QWORD`.
    Qword(u64),
    /// `REG_SZ`.
    Sz(String),
    /// `REG_EXPAND_SZ`.
    ExpandSz(String),
    /// `REG_MULTI_SZ`.
    MultiSz(Vec<String>),
    /// `REG_BINARY`.
    Binary(Vec<u8>),
    /// `REG_DWORD` that has not four bytes: whoever writes a value says its type and its size, and nothing holds one against
    /// the other.
    OddDword(Vec<u8>),
}

impl Value {
    /// The name of its type.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dword(_) | Self::OddDword(_) => "REG_DWORD",
            Self::Qword(_) => "REG_QWORD",
            Self::Sz(_) => "REG_SZ",
            Self::ExpandSz(_) => "REG_EXPAND_SZ",
            Self::MultiSz(_) => "REG_MULTI_SZ",
            Self::Binary(_) => "REG_BINARY",
        }
    }
}

impl fmt::Display for Value {
    /// As `reg query` shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dword(number) => write!(f, "{number:#x}"),
            Self::Qword(number) => write!(f, "{number:#x}"),
            Self::Sz(text) | Self::ExpandSz(text) => f.write_str(text),
            Self::MultiSz(texts) => f.write_str(&texts.join(r"\0")),
            Self::Binary(bytes) | Self::OddDword(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02X}")),
        }
    }
}

/// One machine's registry. Keys are given as `HKLM\…`, `HKEY_LOCAL_MACHINE\…` or `\Registry\Machine\…`.
#[derive(Debug, Default)]
pub struct Registry {
    /// By the key's name in lower case.
    keys: Mutex<BTreeMap<String, Key>>,
}

#[derive(Clone, Debug, Default)]
struct Key {
    /// The last part of its name, as it was written.
    name: String,
    /// By the value's name in lower case: the name as it was written, and the value.
    values: BTreeMap<String, (String, Value)>,
}

impl Registry {
    /// Creates a key, and those above it.
    pub fn create_key(&self, key: &str) {
        let path = canonical(key);
        let mut keys = self.keys();
        // The canonical name has as many parts as the written one, counted from the end.
        let written = key.trim_matches('\\').rsplit('\\');
        let mut above = Some(path.as_str());
        for name in written {
            let Some(path) = above else { break };
            keys.entry(path.to_owned()).or_insert_with(|| Key { name: name.into(), ..Key::default() });
            above = path.rsplit_once('\\').map(|(above, _)| above);
        }
    }

    /// Whether there is such a key.
    #[must_use]
    pub fn has_key(&self, key: &str) -> bool {
        self.keys().contains_key(&canonical(key))
    }

    /// Deletes a key with all that is in it; says whether it was there.
    pub fn delete_key(&self, key: &str) -> bool {
        let path = canonical(key);
        let below = format!("{path}\\");
        let mut keys = self.keys();
        let was_there = keys.contains_key(&path);
        keys.retain(|name, _| *name != path && !name.starts_with(&below));
        was_there
    }

    /// Sets a value; the key is created if need be.
    pub fn set(&self, key: &str, name: &str, value: Value) {
        self.create_key(key);
        let mut keys = self.keys();
        let key = keys.get_mut(&canonical(key)).expect("just created");
        let entry = key.values.entry(name.to_lowercase()).or_insert_with(|| (name.to_owned(), Value::Dword(0)));
        entry.1 = value;
    }

    /// Sets a value below a service's `Parameters` key.
    pub fn set_parameter(&self, service: &str, name: &str, value: Value) {
        self.set(&parameters_key(service), name, value);
    }

    /// A value.
    #[must_use]
    pub fn get(&self, key: &str, name: &str) -> Option<Value> {
        let keys = self.keys();
        let (_, value) = keys.get(&canonical(key))?.values.get(&name.to_lowercase())?;
        Some(value.clone())
    }

    /// Deletes a value; says whether it was there.
    pub fn delete_value(&self, key: &str, name: &str) -> bool {
        let mut keys = self.keys();
        keys.get_mut(&canonical(key)).is_some_and(|key| key.values.remove(&name.to_lowercase()).is_some())
    }

    /// The values of a key with their names.
    #[must_use]
    pub fn values(&self, key: &str) -> Vec<(String, Value)> {
        self.keys().get(&canonical(key)).map_or_else(Vec::new, |key| key.values.values().cloned().collect())
    }

    /// The names of the keys directly below a key, as they were written.
    #[must_use]
    pub fn keys_below(&self, key: &str) -> Vec<String> {
        let below = format!("{}\\", canonical(key));
        let keys = self.keys();
        let direct = |path: &str| path.strip_prefix(&below).is_some_and(|rest| !rest.contains('\\'));
        keys.iter().filter(|(path, _)| direct(path)).map(|(_, key)| key.name.clone()).collect()
    }

    /// A registry with the same contents.
    pub(crate) fn copied(&self) -> Self {
        Self { keys: Mutex::new(self.keys().clone()) }
    }

    fn keys(&self) -> MutexGuard<'_, BTreeMap<String, Key>> {
        self.keys.lock().unwrap()
    }
}

/// The key that describes a service.
#[must_use]
pub fn service_key(service: &str) -> String {
    format!(r"{SERVICES}\{service}")
}

/// The key that a service's settings are in.
#[must_use]
pub fn parameters_key(service: &str) -> String {
    format!(r"{SERVICES}\{service}\Parameters")
}

/// One name for each key, whichever way it is written.
fn canonical(key: &str) -> String {
    let key = format!("{}\\", key.trim_matches('\\').to_lowercase());
    // The first alias that fits is replaced; the current control set is a link to the first one.
    let replaced =
        |key: String, aliases: &[&str], name: &str| match aliases.iter().find_map(|alias| key.strip_prefix(alias)) {
            Some(rest) => format!("{name}{rest}"),
            None => key,
        };
    let key = replaced(key, &["hkey_local_machine\\", "registry\\machine\\"], "hklm\\");
    let key = replaced(key, &["hklm\\system\\controlset001\\"], "hklm\\system\\currentcontrolset\\");
    key.trim_end_matches('\\').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_whatever_the_spelling() {
        let registry = Registry::default();
        registry.set_parameter("flowtag", "TraceLevel", Value::Dword(3));
        for key in [
            r"HKLM\SYSTEM\CurrentControlSet\Services\flowtag\Parameters",
            r"HKEY_LOCAL_MACHINE\System\currentcontrolset\services\FLOWTAG\parameters",
            r"\Registry\Machine\System\CurrentControlSet\Services\flowtag\Parameters",
            r"\REGISTRY\MACHINE\SYSTEM\ControlSet001\Services\flowtag\Parameters",
        ] {
            assert_eq!(registry.get(key, "tracelevel"), Some(Value::Dword(3)), "{key}");
        }
    }

    #[test]
    fn a_value_keeps_the_spelling_of_its_name() {
        let registry = Registry::default();
        registry.set("HKLM\\A", "TraceLevel", Value::Dword(1));
        registry.set("HKLM\\A", "TRACELEVEL", Value::Dword(2));
        assert_eq!(registry.values("HKLM\\A"), [("TraceLevel".to_owned(), Value::Dword(2))]);
    }

    #[test]
    fn keys_above_are_created() {
        let registry = Registry::default();
        registry.create_key("HKLM\\A\\B\\C");
        assert!(registry.has_key("HKLM\\A\\B") && registry.has_key("HKLM\\A"));
    }

    #[test]
    fn deleting_a_key_deletes_what_is_below_it_and_nothing_else() {
        let registry = Registry::default();
        registry.create_key("HKLM\\A\\B");
        registry.create_key("HKLM\\AB");
        assert!(registry.delete_key("HKLM\\A"));
        assert!(!registry.has_key("HKLM\\A\\B") && registry.has_key("HKLM\\AB"));
        assert!(!registry.delete_key("HKLM\\A"));
    }

    #[test]
    fn values_are_shown_as_reg_shows_them() {
        let shown = |value: Value| format!("{} {value}", value.kind());
        assert_eq!(shown(Value::Dword(255)), "REG_DWORD 0xff");
        assert_eq!(shown(Value::MultiSz(vec!["a".into(), "b".into()])), r"REG_MULTI_SZ a\0b");
        assert_eq!(shown(Value::Binary(vec![1, 0xAB])), "REG_BINARY 01AB");
    }
}
