//! The simulator's recordings: text that is none, or a damaged one.

use flowtag_simulator::demo::recorded;

/// Reads the text; what was read can be written and read again.
pub fn run(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(steps) = recorded::read(text, "fuzzed") else { return };
    let written: String = steps.iter().map(|step| serde_json::to_string(step).unwrap() + "\n").collect();
    let again = recorded::read(&written, "written").unwrap();
    assert_eq!(again.len(), steps.len());
}
