//! Settings from the service's Parameters key.

use std::sync::{Arc, Mutex};

use flowtag_simulator::kernel::registry::Value;

use flowtag_tests::rig::{Rig, field};

/// The line that says which settings are in force, for one value stored.
fn loaded_with(name: &str, value: Value) -> (String, Vec<String>) {
    let rig = Rig::installed(&[]);
    rig.machine.registry().set_parameter("flowtag", name, value);
    rig.start().unwrap();
    let loaded = rig.lines_of("loaded").remove(0);
    let refused = rig.lines_of("setting refused");
    rig.stop();
    (loaded, refused)
}

#[test]
fn the_key_of_the_settings_is_closed_before_start_goes_on() {
    let rig = Rig::installed(&[]);
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    rig.machine.on_import(move |call| {
        if KEYS.contains(&call.name()) {
            seen.lock().unwrap().push(call.name());
        }
    });
    rig.start().unwrap();
    let [open, query, close, next] = KEYS;
    assert_eq!(*steps.lock().unwrap(), [open, query, query, close, next]);
    rig.stop();
}

/// What start does with the key, and what it does next.
const KEYS: [&str; 4] =
    ["WdfDriverOpenParametersRegistryKey", "WdfRegistryQueryULong", "WdfRegistryClose", "WdfControlDeviceInitAllocate"];

#[test]
fn without_a_parameters_key_the_defaults_hold() {
    let rig = Rig::installed(&[]);
    rig.start().unwrap();
    let loaded = rig.lines_of("loaded").remove(0);
    assert_eq!((field(&loaded, "trace_level"), field(&loaded, "max_flows")), ("2", "65536"));
    assert!(rig.lines_of("setting refused").is_empty());
    rig.stop();
}

#[test]
fn a_parameters_key_that_kmdf_has_not_made_is_no_complaint_and_one_that_does_not_open_is() {
    /// ntstatus.h. KMDF makes the key where it can, and does not report where it cannot (globalskm.cpp, `RegisterClientVersion`).
    const STATUS_OBJECT_NAME_NOT_FOUND: u32 = 0xC000_0034;
    const STATUS_ACCESS_DENIED: u32 = 0xC000_0022;
    for (status, complaints) in [(STATUS_OBJECT_NAME_NOT_FOUND, 0), (STATUS_ACCESS_DENIED, 2)] {
        let rig = Rig::installed(&[]);
        rig.fail("WdfDriverOpenParametersRegistryKey", 1, Some(status));
        rig.start().unwrap();
        let loaded = rig.lines_of("loaded").remove(0);
        assert_eq!((field(&loaded, "trace_level"), field(&loaded, "max_flows")), ("2", "65536"), "{status:#x}");
        assert_eq!(rig.lines_of("setting refused").len(), complaints, "{status:#x}: {:?}", rig.lines());
        rig.stop();
    }
}

#[test]
fn a_trace_level_in_range_is_used() {
    let (loaded, refused) = loaded_with("TraceLevel", Value::Dword(3));
    assert_eq!((field(&loaded, "trace_level"), refused.len()), ("3", 0));
}

#[test]
fn a_trace_level_out_of_range_falls_back_and_says_so() {
    let (loaded, refused) = loaded_with("TraceLevel", Value::Dword(9));
    assert_eq!((field(&loaded, "trace_level"), refused.len()), ("2", 1));
}

#[test]
fn a_trace_level_that_is_text_falls_back_and_says_so() {
    let (loaded, refused) = loaded_with("TraceLevel", Value::Sz("3".into()));
    assert_eq!((field(&loaded, "trace_level"), refused.len()), ("2", 1));
}

#[test]
fn max_flows_of_zero_is_clamped_and_says_so() {
    let (loaded, refused) = loaded_with("MaxFlows", Value::Dword(0));
    assert_eq!((field(&loaded, "max_flows"), refused.len()), ("16", 1));
}

#[test]
fn max_flows_beyond_the_limit_is_clamped_and_says_so() {
    let (loaded, refused) = loaded_with("MaxFlows", Value::Dword(u32::MAX));
    assert_eq!((field(&loaded, "max_flows"), refused.len()), ("1048576", 1));
}
