//! `sc start`: every step of `DriverEntry` failing in turn.

use flowtag_simulator::{computer::Fails, service::ServiceError, wfp::status, windows};

use flowtag_tests::rig::{Rig, outbound};

/// The steps whose failure must make `DriverEntry` fail, and how often each is taken.
pub const STEPS: [(&str, u64); 11] = [
    ("WdfDriverCreate", 1),
    ("WdfControlDeviceInitAllocate", 1),
    ("WdfDeviceCreate", 1),
    ("FwpmEngineOpen0", 1),
    ("FwpmTransactionBegin0", 1),
    ("FwpmProviderAdd0", 1),
    ("FwpmSubLayerAdd0", 1),
    ("FwpmCalloutAdd0", 8),
    ("FwpmFilterAdd0", 8),
    ("FwpmTransactionCommit0", 1),
    ("ExAllocatePool2", 1),
];

#[test]
fn each_step_failing_makes_start_fail_and_leaves_nothing_behind() {
    for (import, times) in STEPS {
        for nth in 1..=times {
            let rig = Rig::installed(&[]);
            // That an object exists already is no failure (`leaving.rs`).
            let adds = import.starts_with("Fwpm") && import.ends_with("Add0");
            rig.fail(import, nth, adds.then_some(status::FWP_SESSION_ABORTED));
            let error = rig.start().expect_err(import);
            assert!(matches!(error, ServiceError::Entry(_)), "{import}, call {nth}: {error}");
            rig.assert_clean();
            assert_eq!(rig.lines_of("load failed").len(), 1, "{import}, call {nth}: {:?}", rig.lines());
        }
    }
}

#[test]
fn a_start_that_fails_says_its_step_and_returns_what_windows_answered() {
    for (import, _) in STEPS {
        let Some(Fails::Status(statuses)) = windows::imports().named(import).map(|export| export.fails) else {
            continue;
        };
        for &status in statuses.iter().filter(|&&status| status != status::FWP_ALREADY_EXISTS) {
            let rig = Rig::installed(&[]);
            rig.fail(import, 1, Some(status));
            let error = rig.start().expect_err(import);
            assert!(matches!(error, ServiceError::Entry(entry) if entry == status), "{import}, {status:#x}: {error}");
            assert_eq!(
                rig.lines_of("load failed"),
                [format!("flowtag: load failed step={import} status={status:#010x}")]
            );
        }
    }
}

#[test]
fn a_start_that_fails_says_that_it_begins_then_why_it_ends_then_the_totals() {
    for (import, times) in STEPS {
        let rig = Rig::installed(&[]);
        rig.fail(import, times, (import != "ExAllocatePool2").then_some(status::FWP_TIMEOUT));
        rig.start().expect_err(import);
        let lines = rig.lines();
        let starts = ["flowtag: loading ", "flowtag: load failed ", "flowtag: totals "];
        assert_eq!(lines.len(), starts.len(), "{import}: {lines:?}");
        for (line, start) in lines.iter().zip(starts) {
            assert!(line.starts_with(start), "{import}: {lines:?}");
        }
    }
}

#[test]
fn a_step_that_gives_nothing_fails_for_want_of_memory() {
    for import in ["WdfControlDeviceInitAllocate", "ExAllocatePool2"] {
        let rig = Rig::installed(&[]);
        rig.fail(import, 1, None);
        let error = rig.start().expect_err(import);
        assert!(matches!(error, ServiceError::Entry(status::INSUFFICIENT_RESOURCES)), "{import}: {error}");
        assert_eq!(rig.lines_of("load failed"), [format!("flowtag: load failed step={import} status=0xc000009a")]);
    }
}

/// Values that pass `NT_SUCCESS` although nothing was done: `STATUS_PENDING` and `STATUS_OBJECT_NAME_EXISTS`.
const HOLLOW_SUCCESSES: [u32; 2] = [status::PENDING, status::OBJECT_NAME_EXISTS];

/// Start must fail, with a status that says so, when the first call of `import` answers a success that is none.
fn assert_hollow_success_fails(import: &str) {
    for hollow in HOLLOW_SUCCESSES {
        let rig = Rig::installed(&[]);
        rig.fail(import, 1, Some(hollow));
        let error = rig.start().expect_err(import);
        assert!(matches!(error, ServiceError::Entry(status::UNSUCCESSFUL)), "{import}, {hollow:#x}: {error}");
        rig.assert_clean();
    }
}

#[test]
fn an_engine_that_opens_without_a_session_makes_start_fail() {
    assert_hollow_success_fails("FwpmEngineOpen0");
}

#[test]
fn an_engine_that_opens_and_gives_no_session_makes_start_fail_before_anybody_uses_it() {
    let rig = Rig::installed(&[]);
    rig.fail("FwpmEngineOpen0", 1, Some(status::SUCCESS));
    let error = rig.start().unwrap_err();
    assert!(matches!(error, ServiceError::Entry(status::UNSUCCESSFUL)), "{error}");
    assert_eq!(rig.lines_of("load failed"), ["flowtag: load failed step=FwpmEngineOpen0 status=0xc0000001"]);
    let calls = |import| rig.machine.faults().calls(import);
    assert_eq!((calls("FwpmTransactionBegin0"), calls("FwpmEngineClose0")), (0, 0));
}

#[test]
fn a_framework_that_binds_in_name_only_makes_start_fail() {
    assert_hollow_success_fails("WdfVersionBind");
}

#[test]
fn a_driver_object_that_is_not_there_makes_start_fail() {
    assert_hollow_success_fails("WdfDriverCreate");
}

#[test]
fn a_device_that_is_not_there_makes_start_fail() {
    assert_hollow_success_fails("WdfDeviceCreate");
}

#[test]
fn a_transaction_that_says_success_and_does_nothing_makes_start_fail() {
    for import in [
        "FwpmTransactionBegin0",
        "FwpmProviderAdd0",
        "FwpmSubLayerAdd0",
        "FwpmCalloutAdd0",
        "FwpmFilterAdd0",
        "FwpmTransactionCommit0",
    ] {
        assert_hollow_success_fails(import);
    }
}

#[test]
fn a_callout_that_is_registered_in_name_only_makes_start_fail() {
    for hollow in HOLLOW_SUCCESSES {
        let rig = Rig::installed(&[]);
        rig.machine.faults().fail_times("FwpsCalloutRegister2", 1, 2, Some(hollow));
        let error = rig.start().unwrap_err();
        assert!(matches!(error, ServiceError::Entry(status::UNSUCCESSFUL)), "{hollow:#x}: {error}");
        rig.assert_clean();
    }
}

#[test]
fn settings_that_are_read_in_name_only_fall_back_to_the_defaults() {
    for import in ["WdfDriverOpenParametersRegistryKey", "WdfRegistryQueryULong"] {
        for hollow in HOLLOW_SUCCESSES {
            let rig = Rig::installed(&[("TraceLevel", 0)]);
            rig.fail(import, 1, Some(hollow));
            rig.start().unwrap();
            let refused = rig.lines_of("setting refused");
            assert!(refused[0].contains("name=TraceLevel") && refused[0].ends_with("used=2"), "{import}: {refused:?}");
            rig.stop();
        }
    }
}

#[test]
fn a_callout_refused_with_and_without_the_newer_flags_makes_start_fail() {
    for nth in 1..=8 {
        let rig = Rig::installed(&[]);
        rig.machine.faults().fail_times("FwpsCalloutRegister2", nth, 2, Some(status::INVALID_PARAMETER));
        let error = rig.start().unwrap_err();
        assert!(matches!(error, ServiceError::Entry(status::INVALID_PARAMETER)), "call {nth}: {error}");
        rig.assert_clean();
    }
}

#[test]
fn a_callout_refused_for_another_reason_than_its_flags_is_not_tried_again() {
    for nth in 1..=8 {
        let rig = Rig::installed(&[]);
        rig.fail("FwpsCalloutRegister2", nth, Some(status::FWP_ALREADY_EXISTS));
        let error = rig.start().unwrap_err();
        assert!(matches!(error, ServiceError::Entry(status::FWP_ALREADY_EXISTS)), "call {nth}: {error}");
        assert_eq!(rig.machine.faults().calls("FwpsCalloutRegister2"), nth);
        assert!(rig.lines_of("offload").is_empty());
        rig.assert_clean();
    }
}

#[test]
fn a_windows_that_does_not_know_the_newer_offload_flags_gets_the_older_ones() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    rig.set(|switches| switches.known_callout_flags = 0x1 | 0x2 | 0x40);
    rig.start().unwrap();
    let flow = rig.open(&outbound());
    rig.line("open", flow);
    rig.stop();
}

#[test]
fn a_commit_that_fails_after_it_took_effect_is_undone() {
    let rig = Rig::installed(&[]);
    rig.set(|switches| switches.commit_error = Some(status::FWP_TIMEOUT));
    let error = rig.start().unwrap_err();
    assert!(matches!(error, ServiceError::Entry(status::FWP_TIMEOUT)), "{error}");
    rig.assert_clean();
}

#[test]
fn whatever_fails_once_during_start_the_driver_runs_or_is_gone() {
    let fallible = windows::imports().all().filter(|export| export.fails != Fails::Never);
    // A session that does not close stays: `leaving.rs` has a test of its own for it.
    for export in fallible.filter(|export| export.name != "FwpmEngineClose0") {
        let rig = Rig::installed(&[("TraceLevel", 1), ("MaxFlows", 16)]);
        rig.fail(export.name, 1, None);
        match rig.start() {
            Ok(()) => rig.stop(),
            Err(_) => rig.assert_clean(),
        }
    }
}

#[test]
fn after_a_failed_start_the_next_one_succeeds() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    rig.fail("FwpmTransactionCommit0", 1, None);
    rig.start().unwrap_err();
    rig.start().unwrap();
    let flow = rig.open(&outbound());
    rig.line("open", flow);
    rig.stop();
}

#[test]
fn it_can_be_loaded_unloaded_and_loaded_again() {
    let rig = Rig::installed(&[("TraceLevel", 1)]);
    for _ in 0..3 {
        rig.start().unwrap();
        rig.open(&outbound());
        rig.stop();
    }
    assert_eq!(rig.lines_of("open").len(), 1 + 1 + 1);
}

#[test]
fn eight_inspection_filters_are_in_force_while_it_runs() {
    let rig = Rig::started();
    assert_eq!((rig.machine.wfp().filters(), rig.machine.wfp().callouts()), (8, 8));
    rig.stop();
}
