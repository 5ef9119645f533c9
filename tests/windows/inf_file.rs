//! Reads INF files, as far as flowtag's needs.

use std::collections::BTreeMap;

/// A file's sections by their names, which INF files compare without regard to case.
pub struct Inf(BTreeMap<String, Vec<Entry>>);

/// One line: `key = values`, or only values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What stands before the equals sign.
    pub key: Option<String>,
    /// What stands behind it, split at the commas, without quotes.
    pub values: Vec<String>,
}

impl Inf {
    /// Reads a file.
    pub fn parse(text: &str) -> Self {
        let mut sections = BTreeMap::<String, Vec<Entry>>::new();
        let mut current = None;
        for line in text.lines().map(|line| without_comment(line).trim()).filter(|line| !line.is_empty()) {
            if let Some(name) = line.strip_prefix('[') {
                let name = name.strip_suffix(']').unwrap_or_else(|| panic!("a section's name ends with ]: {line}"));
                assert!(!sections.contains_key(&name.to_lowercase()), "two sections [{name}]");
                sections.insert(name.to_lowercase(), Vec::new());
                current = Some(name.to_lowercase());
            } else {
                let section = current.as_ref().unwrap_or_else(|| panic!("before the first section: {line}"));
                sections.get_mut(section).expect("the current section").push(Entry::parse(line));
            }
        }
        Self(sections)
    }

    /// The names of all sections, in lower case.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The lines of a section, which must be there.
    pub fn section(&self, name: &str) -> &[Entry] {
        self.0.get(&name.to_lowercase()).unwrap_or_else(|| panic!("there is no section [{name}]"))
    }

    /// All lines.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.values().flatten()
    }

    /// The values of the only line of a section that has this key.
    pub fn values(&self, section: &str, key: &str) -> &[String] {
        let lines: Vec<_> = self.section(section).iter().filter(|entry| entry.is(key)).collect();
        let [line] = lines[..] else { panic!("[{section}] has {} lines {key}", lines.len()) };
        &line.values
    }

    /// The only value of the only line of a section that has this key, `%strings%` put in.
    pub fn value(&self, section: &str, key: &str) -> String {
        let [value] = self.values(section, key) else { panic!("[{section}] {key} has not one value") };
        match value.strip_prefix('%').and_then(|value| value.strip_suffix('%')) {
            Some(name) => self.value("Strings", name),
            None => value.clone(),
        }
    }
}

impl Entry {
    fn parse(line: &str) -> Self {
        // A quoted text may have equals signs and commas of its own.
        let outside = |wanted: char| {
            let mut quoted = false;
            line.char_indices().filter_map(move |(at, character)| {
                quoted ^= character == '"';
                (character == wanted && !quoted).then_some(at)
            })
        };
        let equals = outside('=').next();
        let start = equals.map_or(0, |at| at + 1);
        let ends = outside(',').filter(|&at| at >= start).chain([line.len()]);
        let mut values = Vec::new();
        let mut from = start;
        for end in ends {
            values.push(line[from..end].trim().trim_matches('"').to_owned());
            from = end + 1;
        }
        Self { key: equals.map(|at| line[..at].trim().to_owned()), values }
    }

    /// Whether this is its key.
    pub fn is(&self, key: &str) -> bool {
        self.key.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(key))
    }
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let comment = line.find(|character| {
        quoted ^= character == '"';
        character == ';' && !quoted
    });
    &line[..comment.unwrap_or(line.len())]
}

#[test]
fn a_line_is_split_as_setup_does_it() {
    let inf = Inf::parse("[A]\r\n; no\r\nB = \"x;y=,z\", %c% ; no\r\n\"d e\"\r\n[strings]\r\nc = \"seven\"\r\n");
    let entry = |key: Option<&str>, values: &[&str]| Entry {
        key: key.map(str::to_owned),
        values: values.iter().map(|&value| value.to_owned()).collect(),
    };
    assert_eq!(inf.section("a"), [entry(Some("B"), &["x;y=,z", "%c%"]), entry(None, &["d e"])]);
    assert_eq!(inf.value("Strings", "C"), "seven");
}
