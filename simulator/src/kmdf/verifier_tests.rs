//! The framework's verifier: when it is on, and what a complaint looks like.

use super::{
    rig::{Rig, violation},
    verifier::Verified,
};
use crate::{
    BugCheck,
    computer::Irql,
    kernel::registry::{self, Value},
    windows::Release,
};

const BREAKPOINT: (u32, u64) = (0x1E, 0x8000_0003);
const INVALID_DEVICE_REQUEST: u64 = 0xC000_0010;

fn set(rig: &Rig, name: &str, value: u32) {
    let key = format!(r"{}\Wdf", registry::parameters_key("flowtag"));
    rig.machine.registry().set(&key, name, Value::Dword(value));
}

/// Opens the parameters above the level at which that is allowed, on a machine that leaves it to the framework.
fn open_at_dispatch(rig: &Rig) -> Result<u64, BugCheck> {
    rig.machine.kmdf().set(|switches| switches.irql_limits = false);
    let driver = rig.driver();
    let mut key = 0u64;
    let arguments = [driver, 0x2_0019, 0, &raw mut key as u64];
    rig.try_wdf_at(Irql::DISPATCH, "WdfDriverOpenParametersRegistryKey", &arguments)
}

#[test]
fn a_call_above_its_level_stops_the_machine_whatever_the_framework_checks() {
    let rig = Rig::bound();
    let driver = rig.driver();
    let mut key = 0u64;
    let arguments = [driver, 0x2_0019, 0, &raw mut key as u64];
    let opened = rig.try_wdf_at(Irql::DISPATCH, "WdfDriverOpenParametersRegistryKey", &arguments);
    assert_eq!(violation(opened).0, 0xA);
}

#[test]
fn a_complaint_is_a_breakpoint_that_nobody_handles() {
    assert_eq!(violation(open_at_dispatch(&Rig::bound())), BREAKPOINT);
}

#[test]
fn a_complaint_that_does_not_break_is_answered_by_a_status() {
    let rig = Rig::bound();
    set(&rig, "DbgBreakOnError", 0);
    assert_eq!(open_at_dispatch(&rig).unwrap(), INVALID_DEVICE_REQUEST);
}

#[test]
fn a_driver_that_is_not_verified_is_not_checked() {
    let rig = Rig::bound();
    rig.machine.kmdf().set(|switches| switches.verified = Verified::Registry);
    assert_eq!(open_at_dispatch(&rig).unwrap(), 0);
}

#[test]
fn the_registry_turns_the_verifier_on_and_off() {
    let on = Rig::bound();
    on.machine.kmdf().set(|switches| switches.verified = Verified::Registry);
    set(&on, "VerifierOn", 1);
    assert_eq!(violation(open_at_dispatch(&on)), BREAKPOINT);
    let off = Rig::bound();
    off.machine.kmdf().set(|switches| switches.verified = Verified::Standard);
    set(&off, "VerifierOn", 0);
    assert_eq!(open_at_dispatch(&off).unwrap(), 0);
}

#[test]
fn the_first_start_on_kmdf_1_33_is_not_verified_under_driver_verifier() {
    let start = |release, has_parameters| {
        let rig = Rig::bound_on(release);
        rig.machine.kmdf().set(|switches| switches.verified = Verified::Standard);
        if has_parameters {
            rig.machine.registry().create_key(&registry::parameters_key("flowtag"));
        }
        open_at_dispatch(&rig).is_err()
    };
    assert!(!start(Release::WINDOWS_11_21H2, false));
    assert!(start(Release::WINDOWS_11_21H2, true));
    assert!(start(Release::WINDOWS_10_2004, false));
}

#[test]
fn what_is_left_of_a_driver_that_is_not_verified_is_lost_in_silence() {
    let rig = Rig::bound();
    rig.machine.kmdf().set(|switches| switches.verified = Verified::Registry);
    let driver = rig.driver();
    rig.device_init(driver);
    rig.wdf("WdfObjectReferenceActual", &[driver, 0, 0, 0]);
    rig.unbind().unwrap();
    assert_eq!(rig.machine.kmdf().object_count(), 0);
}

#[test]
fn an_io_type_that_is_none_is_complained_of() {
    let rig = Rig::bound();
    let init = rig.device_init(rig.driver());
    rig.wdf("WdfDeviceInitSetIoType", &[init, 1]);
    assert_eq!(violation(rig.try_wdf("WdfDeviceInitSetIoType", &[init, 4])), BREAKPOINT);
}
